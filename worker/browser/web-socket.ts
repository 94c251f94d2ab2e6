/** Connections to gateways over a browser's WebSockets. The token travels in the hello: never in a URL, which others may log. */
import type { Connect } from '../../src/core/protocol/transport.ts';

/** Connects; the URL is a gateway's, as its pages and its welcome name it. */
export const connectWebSocket: Connect = (url, listener) => {
  const socket = new WebSocket(url);
  socket.binaryType = 'arraybuffer';
  socket.onopen = () => listener.onOpen();
  socket.onmessage = ({ data }: MessageEvent<unknown>) => {
    if (data instanceof ArrayBuffer) listener.onMessage(new Uint8Array(data));
    else socket.close(closeCode(1003), 'expected binary frames');
  };
  socket.onclose = ({ code, reason }) => listener.onClose(code, reason);
  return {
    send: (bytes) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(bytes as Uint8Array<ArrayBuffer>);
    },
    bufferedBytes: () => socket.bufferedAmount,
    close: (code, reason) => socket.close(closeCode(code), reason.replace(/[^ -~]/g, '?').slice(0, 123)),
  };
};

/** Pages may send 1000 and codes from 3000 on: 1002 becomes 3002. */
function closeCode(code: number): number {
  return code === 1000 ? code : 2000 + code;
}
