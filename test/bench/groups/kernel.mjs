/**
 * The kernel against the native baseline on the same blocks: rule × samples × tolerance, plain samples and products. The masks of
 * all instances are compared first: a rate of wrong answers is worth nothing.
 */
import { loadKernel } from '../../../dist/worker/kernel/kernel.js';
import { makeInstances, masksOf } from '../instances.mjs';
import { callsPerSecond, interleaved } from '../measure.mjs';
import { openNative } from '../native.mjs';

/** Samples in a block. */
const sizes = [10, 15, 20, 24, 30, 36];
const tolerances = [
  { name: '1e-2', bits: 24, epsilon: 1e-2 },
  { name: '1e-3', bits: 24, epsilon: 1e-3 },
  { name: '1e-4', bits: 24, epsilon: 1e-4 },
  { name: 'exact int8', bits: 8, epsilon: 0 },
];

/** Runs the group; `quick` measures every row for a shorter time. */
export async function kernel({ quick, note, pattern }) {
  const { exports } = await loadKernel();
  const native = await openNative();
  if (native.reason !== undefined) note(native.reason);
  const rows = [];
  try {
    for (const setting of settings())
      if (pattern === undefined || setting.name.includes(pattern))
        rows.push(await row(exports, native, { ...setting, quick, note }));
  } finally {
    await native.close?.();
  }
  return rows;
}

function settings() {
  return ['fewest', 'closest'].flatMap((rule) =>
    [false, true].flatMap((products) =>
      sizes.flatMap((size) =>
        tolerances.map(({ name, bits, epsilon }) => ({
          name: `${rule}, ${products ? 'products' : 'plain'}, n = ${size}, ε = ${name}`,
          rule: rule === 'fewest' ? 0 : 1,
          products,
          size,
          bits,
          tolerance: Math.floor(epsilon * 2 ** (bits - 1)),
          count: instanceCount(rule, size),
        })),
      ),
    ),
  );
}

/** So many that neither side learns them by heart, as few as a slow row needs to end. */
function instanceCount(rule, size) {
  if (rule === 'fewest') return size <= 24 ? 2048 : 512;
  return { 10: 2048, 15: 2048, 20: 1024, 24: 256, 30: 64, 36: 16 }[size];
}

async function row(exports, native, setting) {
  const { name, rule, products, size, bits, tolerance, count, quick, note } = setting;
  const place = makeInstances(exports, { bits, products, size, count });
  const masks = masksOf(exports, place, { size, count, tolerance, rule });
  if (native.ask !== undefined) {
    await native.ask(`set ${rule} ${bits} ${products ? 1 : 0} ${size} ${count} ${tolerance}`);
    compare(name, masks, (await native.ask('masks')).trim().split(' '));
  }
  const milliseconds = quick ? 10 : 40;
  const { samples, targets } = place;
  // Whole passes: a few blocks may cost as much as all others together.
  const pass = () => exports.solveMany(samples, size, targets, count, tolerance, rule);
  const ours = () => callsPerSecond(pass, milliseconds) * count;
  const theirs = async () => 1e9 / Number(await native.ask(`time ${milliseconds}`));
  ours();
  const measurers = native.ask === undefined ? [ours] : [ours, theirs];
  const [value, baseline] = await interleaved(measurers, quick ? 1 : 5);
  note(name);
  const missed = masks.filter((mask) => mask === '-').length / count;
  return { name, value, unit: 'blocks/s', baseline, missed };
}

function compare(name, masks, expected) {
  const wrong = masks.findIndex((mask, instance) => mask !== expected[instance]);
  if (wrong >= 0 || masks.length !== expected.length)
    throw new Error(
      `${name}: kernel and native baseline differ at instance ${wrong}: ${masks[wrong]} and ${expected[wrong]}`,
    );
}
