/** Processor time of a plan, probes included, on this thread. */
import { makePlan } from '../../../dist/src/core/plan/make-plan.js';
import { loadKernel } from '../../../dist/worker/kernel/kernel.js';
import { defaultOptions } from '../default-options.mjs';
import { median, processorMs } from '../measure.mjs';
import { defaultTarget } from '../search-tiles.mjs';

/** Runs the group. */
export async function planner({ quick }) {
  const kernel = await loadKernel();
  const solver = {
    concurrency: 1,
    solve: (problem, tile) => Promise.resolve(kernel.solveTile(problem, tile)),
  };
  const { name, network } = defaultTarget();
  const rows = [];
  for (const [mode, options] of [
    ['ε = 1e-2', {}],
    ['exact int8', { mode: 'exact', gridBits: 8 }],
  ]) {
    const times = [];
    for (let run = 0; run < (quick ? 1 : 3); run++) {
      const start = process.cpuUsage();
      await makePlan(network, { ...defaultOptions, ...options }, solver);
      times.push(processorMs(start) / 1e3);
    }
    rows.push({ name: `${name}, ${mode}`, value: median(times), unit: 's' });
  }
  return rows;
}
