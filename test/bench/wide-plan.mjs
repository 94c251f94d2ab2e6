/**
 * Plans a network of 10^9 blocks: 16384 → 4096 → 16384 → 4096 → 10 with ReLU. Prints seconds and peak memory as JSON. A process of
 * its own, so that its peak memory is that of the plan and its target. The wide layers share one array of weights, half a gigabyte:
 * the planner looks at samples of them.
 *
 *     node test/bench/wide-plan.mjs [threads]
 */
import { availableParallelism } from 'node:os';
import { makePlan } from '../../dist/src/core/plan/make-plan.js';
import { openPool } from '../../dist/worker/node/pool.js';
import { defaultOptions } from './default-options.mjs';
import { denseLayer, relu } from './search-tiles.mjs';

const threads = Number(process.argv[2] ?? availableParallelism());
const narrow = 4096;
const wide = 16_384;

const first = denseLayer('first', { inputs: wide, outputs: narrow, stream: 0, steps: relu });
const { weights } = first.linear;
const bias = new Float64Array(wide);
const second = {
  name: 'second',
  linear: { kind: 'dense', outputs: wide, inputs: narrow, weights, bias },
  steps: relu,
};
const third = { ...first, name: 'third' };
const last = denseLayer('last', { inputs: narrow, outputs: 10, stream: 1, steps: [] });
const network = { inputShape: [wide], inputSteps: [], layers: [first, second, third, last] };
const peakMegabytes = () => (process.resourceUsage().maxRSS * 1024) / 1e6;
const before = peakMegabytes();

const pool = openPool({ threads });
const started = performance.now();
const plan = await makePlan(network, defaultOptions, pool);
const seconds = (performance.now() - started) / 1e3;
await pool.close();
const blocks = network.layers.reduce(
  (sum, { linear }, index) => sum + linear.outputs * plan.layers[index].copies * (linear.inputs + 1),
  0,
);
const megabytes = { target: before, plan: peakMegabytes() };
process.stdout.write(`${JSON.stringify({ blocks, seconds, threads, megabytes })}\n`);
