// A worker as a process of its own: node worker-entry.mjs '{"urls": […], "threads": 1, "token": ""}'
import { runWorker } from '../../dist/worker/node/run-worker.js';

const worker = await runWorker({
  threads: 1,
  token: '',
  insecure: false,
  onReport: (text) => process.stderr.write(`${text}\n`),
  ...JSON.parse(process.argv[2] ?? '{}'),
});
process.once('SIGTERM', () => {
  worker.drain(4000);
  process.once('SIGTERM', () => process.exit(1));
});
process.stderr.write(`ended: ${await worker.ended}\n`);
