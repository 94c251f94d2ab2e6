// A worker that writes every acknowledgement it gets to a file, before it acts on it: node recording-worker-entry.mjs
// '{"urls": […], "log": FILE}'. Lines are `job tile outcome`
// and the time in milliseconds since 1970.
import { appendFileSync } from 'node:fs';
import { decodeGatewayMessage } from '../../dist/src/core/protocol/codec.js';
import { runWorker } from '../../dist/worker/node/run-worker.js';
import { webSocketConnect } from '../../dist/worker/node/web-socket.js';

const { log, ...options } = JSON.parse(process.argv[2] ?? '{}');
const connect = webSocketConnect({ token: '', insecure: false });
const recorded = (url, listener) =>
  connect(url, {
    ...listener,
    onMessage: (bytes) => {
      const message = decodeGatewayMessage(bytes);
      if (message.kind === 'committed')
        appendFileSync(log, `${message.job} ${message.tile} ${message.outcome} ${Date.now()}\n`);
      listener.onMessage(bytes);
    },
  });
const worker = await runWorker({
  threads: 1,
  token: '',
  insecure: false,
  link: { connect: recorded, form: 'coded' },
  onReport: (text) => process.stderr.write(`${text}\n`),
  ...options,
});
process.once('SIGTERM', () => worker.drain(4000));
process.stderr.write(`ended: ${await worker.ended}\n`);
