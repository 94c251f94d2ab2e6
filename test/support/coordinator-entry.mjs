// A coordinator as a process of its own, for tests: node coordinator-entry.mjs '{"directory": …, "port": …, "keys": …}'
import { serve } from '../../dist/coordinator/gateway.js';
import { kernelDigest } from '../../dist/worker/kernel/kernel.js';
import { openPool } from '../../dist/worker/node/pool.js';

const { keys = null, ...options } = JSON.parse(process.argv[2] ?? '{}');
const solver = openPool({ threads: 1 });
const key = (value) => value && { id: value.id, secret: Buffer.from(value.secret, 'hex') };
const coordinator = await serve({
  host: '127.0.0.1',
  port: 0,
  tls: null,
  insecure: false,
  threads: 1,
  solver,
  build: kernelDigest,
  writeLog: (line) => process.stderr.write(line),
  ...options,
  keys: keys && { current: key(keys.current), previous: key(keys.previous) },
});
process.stdout.write(`${coordinator.url}\n`);
process.once('SIGTERM', async () => {
  await coordinator.close();
  await solver.close();
});
