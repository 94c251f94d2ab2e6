/** A layer of 4096 × 4096, every input with its block in each of some 15 copies of every neuron: see ../wide.mjs. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('../wide.mjs', import.meta.url));

/** Runs the group; `quick` takes a layer of 512 × 512. */
export async function wide({ quick }) {
  const width = quick ? 512 : 4096;
  const run = spawnSync(process.execPath, [script, `${width}`], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (run.status !== 0)
    throw new Error(`the search of a layer of ${width} × ${width} ended with ${run.status}`);
  const { seconds, peakMegabytes, blocks, threads } = JSON.parse(run.stdout);
  const what = `${width} × ${width}, ε = 1e-2, ${threads} threads`;
  return [
    ...['plan', 'solve', 'verify'].flatMap((step) => [
      { name: `${what}: ${step}`, value: seconds[step], unit: 's' },
      { name: `${what}: peak memory up to the end of ${step}`, value: peakMegabytes[step], unit: 'MB' },
    ]),
    { name: `${what}: solved`, value: blocks / seconds.solve, unit: 'blocks/s' },
    { name: `${what}: verified`, value: blocks / seconds.verify, unit: 'blocks/s' },
  ];
}
