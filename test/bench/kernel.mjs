/**
 * Blocks per second of the kernel on one core: rule × samples × tolerance, and Philox numbers per second.
 * Run after `npm run build`: node test/bench/kernel.mjs [milliseconds per row]. "with numbers" adds the cost of drawing the
 * samples; targets are uniform on the samples' own range, the least favourable choice.
 */
import { loadKernel } from '../../dist/worker/kernel/kernel.js';

const { exports } = await loadKernel();
const milliseconds = Number(process.argv[2] ?? 200);
const blockCount = 2048;
const largest = 40;

const numbersPerSecond = measureNumbers();
process.stdout.write(`philox ${(numbersPerSecond / 1e6).toFixed(0)} M numbers/s\n\n`);
process.stdout.write(
  '| rule | source | n | ε | blocks/s | with numbers | ns/block | hit |\n|---|---|---|---|---|---|---|---|\n',
);
for (const count of [10, 15, 20, 24, 30]) {
  for (const epsilon of [0.01, 0.001, 0.0001]) row({ rule: 'fewest', bits: 24, count, epsilon });
  row({ rule: 'fewest', bits: 8, count, epsilon: 0 });
}
for (const bits of [24, 8]) {
  for (const count of [10, 15, 20, 24, 30]) row({ rule: 'closest', bits, count, epsilon: 1 });
}
const tile = await measureTile();
process.stdout.write(
  `\nwhole rows, 300 blocks of 15, ε 0.01, fewest: ${(tile / 1e6).toFixed(2)} M blocks/s\n`,
);

function row({ rule, bits, count, epsilon }) {
  exports.allocateLayer(0, 0, 0, 0, 0, 0, 0, 0, largest);
  const samples = exports.numbersOf(99n, 2n, 0n, Math.ceil((blockCount * count) / 16) + 1, bits);
  const targets = exports.numbersOf(7n, 3n, 0n, blockCount / 16, bits);
  const tolerance = Math.floor(epsilon * 2 ** (bits - 1));
  const number = rule === 'fewest' ? 0 : 1;
  const solve = () => {
    let solved = 0;
    let done = 0;
    // Reading the clock costs as much as several blocks, so it is read once in 8 slow or 512 fast ones.
    let batch = 8;
    const start = process.cpuUsage();
    for (let spent = 0; spent < milliseconds; spent = elapsed(start)) {
      const block = done % blockCount;
      solved += exports.solveMany(
        samples + block * count * 4,
        count,
        targets + block * 4,
        batch,
        tolerance,
        number,
      );
      done += batch;
      if (spent < 1 && batch < 512 && done % (2 * batch) === 0) batch *= 2;
    }
    return { nanoseconds: (elapsed(start) * 1e6) / done, hit: solved / done };
  };
  solve();
  const { nanoseconds, hit } = solve();
  const withNumbers = 1e9 / (nanoseconds + (count * 1e9) / numbersPerSecond);
  const cells = [
    rule,
    bits === 8 ? 'int8' : '24 bit',
    count,
    epsilon,
    rate(1e9 / nanoseconds),
    rate(withNumbers),
  ];
  process.stdout.write(`| ${[...cells, nanoseconds.toFixed(0), hit.toFixed(4)].join(' | ')} |\n`);
}

/** Processor time, not wall time: the machine may be busy with other things. */
function elapsed(start) {
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e3;
}

function rate(perSecond) {
  return perSecond > 1e6 ? `${(perSecond / 1e6).toFixed(2)} M` : `${(perSecond / 1e3).toFixed(1)} k`;
}

function measureNumbers() {
  const pairs = 1024;
  const draw = () => {
    let numbers = 0;
    const start = process.cpuUsage();
    while (elapsed(start) < milliseconds) {
      exports.allocateLayer(0, 0, 0, 0, 0, 0, 0, 0, 10);
      for (let k = 0; k < 32; k++) {
        exports.numbersOf(1n, 2n, BigInt(numbers), pairs, 24);
        numbers += pairs * 16;
      }
    }
    return (numbers * 1e3) / elapsed(start);
  };
  draw();
  return draw();
}

async function measureTile() {
  const kernel = await loadKernel();
  const [groups, size] = [300, 15];
  const cols = groups * size;
  const problem = {
    seed: 5n,
    gridBits: 24,
    sourceLayer: 2,
    rows: 1e6,
    cols,
    taps: 1,
    channels: groups,
    groupOffsets: Int32Array.from({ length: groups + 1 }, (_, g) => g * size),
    groupColumns: Int32Array.from({ length: cols }, (_, c) => c),
    groupChannels: Int32Array.from({ length: groups }, (_, g) => g),
    groupMultipliers: null,
    sampleShift: 0,
    rule: 'fewest',
    tolerance: Math.floor(0.01 * 2 ** 23),
    bias: {
      elements: new Int32Array(0),
      values: new Int32Array(0),
      sampleShift: 0,
      ownScale: 1,
      interceptScale: 0,
      tolerance: 2 ** 24,
    },
  };
  const targets = Int32Array.from({ length: groups }, (_, g) => ((g * 0x9e3779b1) | 0) >> 8);
  const tile = {
    id: '',
    sourceLayer: 2,
    pass: 0,
    neurons: [{ neuron: 0, firstRow: 0, rowCount: 2000, wanted: 2000 }],
    targets,
    biasTargets: Float64Array.of(0),
  };
  const solve = () => {
    const start = process.cpuUsage();
    const { misses, copyRows } = kernel.solveTile(problem, tile);
    let blocks = copyRows.length * groups;
    for (let at = 1; at < misses.length; at += 2) blocks += misses[at];
    return (blocks * 1e3) / elapsed(start);
  };
  solve();
  return solve();
}
