/** Workers in a process of their own. With `paceMs` a tile takes at least so long, as if each worker were a machine of its own. */

import { encodeResultBody } from '../../../dist/src/core/protocol/mask-code.js';
import { loadKernel } from '../../../dist/worker/kernel/kernel.js';
import { runWorker } from '../../../dist/worker/node/run-worker.js';

const { url, count = 1, tokens = [], paceMs } = JSON.parse(process.argv[2] ?? '{}');
const workers = [];
for (let k = 0; k < count; k++)
  workers.push(
    await runWorker({
      urls: [url],
      threads: 1,
      token: tokens[k] ?? '',
      insecure: false,
      workerId: `honest-${process.pid}-${k}`,
      onReport: (text) => process.env.VERBOSE && process.stderr.write(`${text}\n`),
      ...(paceMs === undefined ? {} : { pool: await pacedPool(paceMs) }),
    }),
  );

/** One tile after another, each of which takes its time without using the processor for all of it. */
async function pacedPool(milliseconds) {
  const kernel = await loadKernel();
  let last = Promise.resolve();
  return {
    concurrency: 2,
    solve: async (problem, tile) => kernel.solveTile(problem, tile),
    solveBody: (problem, tile, { signal }) => {
      const solved = last.then(async () => {
        signal?.throwIfAborted();
        const start = performance.now();
        const body = encodeResultBody(problem, tile, kernel.solveTile(problem, tile));
        await new Promise((resolve) => setTimeout(resolve, start + milliseconds - performance.now()));
        return { body, computeMs: performance.now() - start };
      });
      last = solved.then(
        () => undefined,
        () => undefined,
      );
      return solved;
    },
    close: async () => undefined,
  };
}

const answers = {
  figures: () => ({ cpu: process.cpuUsage(), rss: process.memoryUsage.rss() }),
  end: async () => {
    await Promise.all(workers.map((worker) => worker.close()));
    setImmediate(() => process.disconnect());
    return {};
  },
};
process.on('message', async ({ id, ask }) => process.send({ id, answer: await answers[ask]() }));
process.on('disconnect', () => setTimeout(() => process.exit(0), 2000).unref());
process.send({ id: 0, answer: {} });
