// A worker as a process of its own, for tests: node worker-entry.mjs URL THREADS [TOKEN]
import { runWorker } from '../../dist/worker/node/run-worker.js';

const [url = '', threads = '1', token = ''] = process.argv.slice(2);
const worker = await runWorker({
  urls: url.split(','),
  threads: Number(threads),
  token,
  insecure: false,
  onReport: (text) => process.stderr.write(`${text}\n`),
});
process.once('SIGTERM', () => {
  worker.drain(4000);
  process.once('SIGTERM', () => process.exit(1));
});
process.stderr.write(`ended: ${await worker.ended}\n`);
