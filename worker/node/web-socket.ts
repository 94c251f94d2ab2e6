/** Connections to gateways over WebSockets, and which URLs a token may travel to. */
import { WebSocket } from 'ws';
import { misuse } from '../../src/core/errors.ts';
import { gatewayFrameBytesMax } from '../../src/core/limits.ts';
import type { Connect, Transport, TransportListener } from '../../src/core/protocol/transport.ts';
import { tokenCloseCode } from '../session-shell.ts';

/** How to connect. */
export interface WebSocketOptions {
  /** An access token, or '' where none is needed. */
  readonly token: string;
  /** Allows ws:// to other machines, where everybody on the way can read the token. */
  readonly insecure: boolean;
}

/** Time for a connection to be made. */
const handshakeMs = 10_000;

/**
 * Returns the WebSocket URL of a gateway: http(s) becomes ws(s), and the path is the gateway's one endpoint unless given.
 * @throws TombolaError (misuse) when it is no such URL, or a token would travel in the clear.
 */
export function gatewayUrl(text: string, { insecure }: Pick<WebSocketOptions, 'insecure'>): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isPlain = url?.protocol === 'ws:' || url?.protocol === 'http:';
  const isSecure = url?.protocol === 'wss:' || url?.protocol === 'https:';
  if (url === undefined || (!isPlain && !isSecure) || url.username !== '' || url.password !== '')
    throw misuse(
      `Cannot connect to ${url === undefined ? text.slice(0, 200) : `${url.protocol}//${url.host}`}: expected a URL like https://host:port, without a password; tokens are given by --token`,
    );
  if (isPlain && !insecure && !isLoopbackName(url.hostname))
    throw misuse(
      `Cannot connect to ${url.host} without encryption: expected https://; give --insecure if the network is your own`,
    );
  url.protocol = isSecure ? 'wss:' : 'ws:';
  if (url.pathname === '/') url.pathname = '/ws';
  url.hash = '';
  return url.href;
}

/** Returns how to connect over WebSockets. */
export function webSocketConnect(options: WebSocketOptions): Connect {
  return (url, listener) => {
    try {
      return open(gatewayUrl(url, options), { listener, token: options.token });
    } catch (error) {
      return failed(error instanceof Error ? error.message : String(error), listener);
    }
  };
}

/**
 * Returns whether frames have to be masked with random keys: wherever a proxy may read along, lest it take bytes that a gateway made
 * us send for a request of HTTP (RFC 6455, 10.3). Inside TLS, or on this machine, there is none.
 */
export function needsMask(url: string): boolean {
  const { protocol, hostname } = new URL(url);
  return protocol !== 'wss:' && !isLoopbackName(hostname);
}

function open(url: string, { listener, token }: { listener: TransportListener; token: string }): Transport {
  const socket = new WebSocket(url, {
    perMessageDeflate: false,
    // ws skips a key of zeros on either side; masking took 7 of the 350 ns that an easy block costs in all processes together.
    ...(needsMask(url) ? {} : { generateMask: (key) => key.fill(0) }),
    maxPayload: gatewayFrameBytesMax,
    handshakeTimeout: handshakeMs,
    followRedirects: false,
    headers: token === '' ? {} : { authorization: `Bearer ${token}` },
  });
  let reason = '';
  let refusedCode: number | undefined;
  socket.on('open', () => listener.onOpen());
  socket.on('message', (data, isBinary) => {
    if (isBinary) listener.onMessage(bytesOf(data));
    else socket.close(1003, 'expected binary frames');
  });
  socket.on('unexpected-response', (request, response) => {
    reason = `the gateway answers ${response.statusCode} ${response.statusMessage}`;
    if (response.statusCode === 401 || response.statusCode === 403) refusedCode = tokenCloseCode;
    response.resume();
    // ws leaves the handshake to whoever listens here.
    request.destroy();
    socket.terminate();
  });
  socket.on('error', (error) => {
    reason ||= error.message;
  });
  socket.on('close', (code, text) =>
    listener.onClose(refusedCode ?? code, text.length > 0 ? text.toString() : reason),
  );
  return {
    send: (bytes) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(bytes);
    },
    bufferedBytes: () => socket.bufferedAmount,
    close: (code, why) => socket.close(code, why.replace(/[^ -~]/g, '?').slice(0, 123)),
  };
}

function failed(reason: string, listener: TransportListener): Transport {
  queueMicrotask(() => listener.onClose(1006, reason));
  return { send: () => undefined, bufferedBytes: () => 0, close: () => undefined };
}

function bytesOf(data: Buffer | ArrayBuffer | Buffer[]): Uint8Array {
  if (Array.isArray(data)) return Buffer.concat(data);
  return data instanceof ArrayBuffer ? new Uint8Array(data) : data;
}

function isLoopbackName(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127(\.\d+){3}$/.test(host);
}
