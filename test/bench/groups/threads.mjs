/**
 * Two threads against one on tiles that compute long: wall time, in turns. On a machine that others use the ratio says little, so
 * the processor time of a block with two threads and with one stands beside it: where it does not grow, a quiet machine gives 2.
 */
import { loadavg } from 'node:os';
import { openPool } from '../../../dist/worker/node/pool.js';
import { interleaved, processorMs } from '../measure.mjs';

const groups = 100;
const size = 24;

/** Runs the group. */
export async function threads({ quick, note }) {
  const [load = 0] = loadavg();
  if (load > 0.5)
    note(`no quiet machine: ${load.toFixed(1)} other processes wanted to run when threads were measured`);
  const problem = problemOf();
  // About 0.1 s of one core each; the next one waits at a thread while one is at work.
  const tiles = Array.from({ length: quick ? 8 : 32 }, (_, index) => tileOf(index));
  const one = openPool({ threads: 1 });
  const two = openPool({ threads: 2 });
  const processor = { one: [], two: [] };
  let blocks = 0;
  const run = async (pool, times) => {
    const [start, wall] = [process.cpuUsage(), performance.now()];
    const results = await Promise.all(tiles.map((tile) => pool.solve(problem, tile)));
    const seconds = (performance.now() - wall) / 1e3;
    blocks = results.reduce((sum, { copyRows }) => sum + copyRows.length * groups, 0);
    times.push(processorMs(start) / 1e3);
    return blocks / seconds;
  };
  try {
    await run(two, []);
    await run(one, []);
    const measurers = [() => run(two, processor.two), () => run(one, processor.one)];
    const [value, baseline] = await interleaved(measurers, quick ? 1 : 5);
    note(`two threads: ${(value / baseline).toFixed(2)} × one`);
    const least = (times) => blocks / Math.min(...times);
    return [
      { name: 'two threads, baseline: one; wall time', value, unit: 'blocks/s', baseline },
      {
        name: 'two threads, baseline: one; per second of processor time',
        value: least(processor.two),
        unit: 'blocks/s',
        baseline: least(processor.one),
      },
    ];
  } finally {
    await one.close();
    await two.close();
  }
}

function problemOf() {
  return {
    seed: 5n,
    gridBits: 24,
    sourceLayer: 2,
    rows: 1e6,
    cols: groups * size,
    taps: 1,
    channels: groups,
    groupOffsets: Int32Array.from({ length: groups + 1 }, (_, group) => group * size),
    groupColumns: Int32Array.from({ length: groups * size }, (_, column) => column),
    groupChannels: Int32Array.from({ length: groups }, (_, group) => group),
    groupMultipliers: null,
    sampleShift: 0,
    rule: 'closest',
    tolerance: 2 ** 23,
    bias: {
      elements: new Int32Array(0),
      values: new Int32Array(0),
      sampleShift: 0,
      ownScale: 1,
      interceptScale: 0,
      tolerance: 2 ** 24,
    },
  };
}

/** 50 rows of 100 blocks with targets on the whole range. */
function tileOf(index) {
  const rows = 50;
  return {
    id: `${index}`,
    sourceLayer: 2,
    pass: 0,
    neurons: [{ neuron: 0, firstRow: rows * index, rowCount: rows, wanted: rows }],
    targets: Int32Array.from({ length: groups }, (_, group) => ((group * 0x9e3779b1) | 0) >> 8),
    biasTargets: Float64Array.of(0),
  };
}
