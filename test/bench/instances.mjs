/**
 * The blocks that kernel and native baseline both solve, by their places in Philox streams, so that each side makes them itself.
 *
 *     plain     sample k of instance i: grid integer i·n + k of stream (seed 99, 2)
 *     products  that times grid integer i·n + k of stream (seed 99, 0), brought back to the grid as plan/tile.ts has it
 *     targets   grid integer i of stream (seed 7, 3): uniform on the samples' own range, the least favourable choice
 *
 * With int8 products stay whole, as large as 2^14, and the targets small against them, as exact plans have it.
 */

/** Shift that brings products of two grid integers back to the grid. */
export function productShift(bits) {
  return bits <= 12 ? 0 : bits - 1;
}

/**
 * Writes the instances to the kernel's memory. Whatever the kernel was set up for is forgotten.
 * @returns where its samples and targets lie, in bytes.
 */
export function makeInstances(exports, { bits, products, size, count }) {
  exports.allocateLayer(0, 0, 0, 0, 0, 0, 0, 0, 40);
  const pairs = Math.ceil((size * count) / 16);
  const samples = exports.numbersOf(99n, 2n, 0n, pairs, bits);
  const targets = exports.numbersOf(7n, 3n, 0n, Math.ceil(count / 16), bits);
  if (products) {
    const at = exports.numbersOf(99n, 0n, 0n, pairs, bits);
    const factors = new Int32Array(exports.memory.buffer, at, size * count);
    const values = new Int32Array(exports.memory.buffer, samples, size * count);
    const shift = productShift(bits);
    const half = shift === 0 ? 0 : 2 ** (shift - 1);
    for (let k = 0; k < values.length; k++)
      values[k] = Math.floor((values[k] * factors[k] + half) / 2 ** shift);
  }
  return { samples, targets };
}

/** Returns the kernel's mask of every instance in hexadecimal, "-" where it finds none. */
export function masksOf(exports, { samples, targets }, { size, count, tolerance, rule }) {
  const { buffer } = exports.memory;
  const block = new Int32Array(buffer, exports.samples.value, size);
  const wanted = new Int32Array(buffer, targets, count);
  return Array.from(wanted, (target, instance) => {
    block.set(new Int32Array(buffer, samples + instance * size * 4, size));
    if (exports.solveOne(size, target, tolerance, rule) === 0) return '-';
    const high = BigInt(exports.chosenMaskHigh() >>> 0) << 32n;
    return (high | BigInt(exports.chosenMaskLow() >>> 0)).toString(16);
  });
}
