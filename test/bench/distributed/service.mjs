/** A coordinator as `tombola serve` runs it, in a process of its own that watches how long its event loop is away. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { serve } from '../../../dist/coordinator/gateway.js';
import { kernelDigest } from '../../../dist/worker/kernel/kernel.js';
import { openPool } from '../../../dist/worker/node/pool.js';

const directory = mkdtempSync(join(tmpdir(), 'tombola-bench-'));
const solver = openPool({ threads: 1 });
const coordinator = await serve({
  host: '127.0.0.1',
  port: 0,
  directory,
  keys: null,
  tls: null,
  insecure: false,
  threads: 1,
  solver,
  build: kernelDigest,
  writeLog: () => undefined,
});
const delays = monitorEventLoopDelay({ resolution: 1 });
/**
 * The longest stretches of this thread's own processor time between two turns of its loop, by what the job was doing at the end:
 * unlike the delay, that is the same on a busy machine.
 */
const busyMs = {};
let last = threadCpuMs();
const timer = setInterval(() => {
  const now = threadCpuMs();
  const status = coordinator.jobs.list()[0];
  const phase = status?.phase ?? status?.state ?? 'before';
  busyMs[phase] = Math.max(busyMs[phase] ?? 0, now - last);
  last = now;
}, 1);

/** Linux tells a thread's processor time in nanoseconds. */
function threadCpuMs() {
  return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')[0]) / 1e6;
}

const answers = {
  watch: () => {
    for (const phase of Object.keys(busyMs)) delete busyMs[phase];
    delays.enable();
    return {};
  },
  figures: () => ({
    maxMs: delays.max / 1e6,
    p99Ms: delays.percentile(99) / 1e6,
    busyMs,
    cpu: process.cpuUsage(),
    rss: process.memoryUsage.rss(),
  }),
  end: async () => {
    clearInterval(timer);
    await coordinator.close();
    await solver.close();
    rmSync(directory, { recursive: true, force: true });
    setImmediate(() => process.disconnect());
    return {};
  },
};

process.on('message', async ({ id, ask, ...rest }) => process.send({ id, answer: await answers[ask](rest) }));
process.on('disconnect', () => setTimeout(() => process.exit(0), 2000).unref());
process.send({ id: 0, answer: { url: coordinator.url } });
