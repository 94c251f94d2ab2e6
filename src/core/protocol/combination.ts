/**
 * Subsets of one size k of n ≤ 40 samples, numbered (combinatorial number system, Lehmer 1964): the subset of samples
 * c_1 < … < c_k has the rank Σ C(c_j, j) in [0, C(n, k)). Ranks order the masks of one size as integers.
 */
import { exactBlockSizeMax } from '../limits.ts';
import { orBits, readBits } from './bits.ts';

/** Numbers per row of {@link binomials}. */
const stride = exactBlockSizeMax + 1;
/** Bits of a mask that are looked at together. */
const half = 20;

/** C(n, k) at [n · 41 + k], as float64: the largest is below 2^38. */
const binomials = pascal();
/** Subsets that a table gives: of at most so many samples, all among the first so many, which one write of bits takes. */
const listedCountMax = 4;
const listedSize = 25;
/** [k][rank]: the subset of k samples with that rank, whatever n is. */
const listed = Array.from({ length: listedCountMax + 1 }, (_, count) => subsetsByRank(count));

/** Returns C(n, k) for n, k ≤ 40. */
export function binomial(n: number, k: number): number {
  return binomials[n * stride + k] ?? 0;
}

/** Returns how many of the `size` ≤ 40 bits from position `bit` on are set. */
export function countSubset(masks: Uint8Array, bit: number, size: number): number {
  if (size <= half) return ones(readBits(masks, bit, size));
  return ones(readBits(masks, bit, half)) + ones(readBits(masks, bit + half, size - half));
}

/** Returns the rank of the `size` ≤ 40 bits from position `bit` on; C(size, k) has to be below 2^31. */
export function rankSubset(masks: Uint8Array, bit: number, size: number): number {
  let rank = 0;
  let cell = 1;
  let left = readBits(masks, bit, size < half ? size : half);
  for (; left !== 0; left &= left - 1, cell++)
    rank += binomials[(31 - Math.clz32(left & -left)) * stride + cell] as number;
  if (size <= half) return rank;
  left = readBits(masks, bit + half, size - half);
  for (; left !== 0; left &= left - 1, cell++)
    rank += binomials[(31 + half - Math.clz32(left & -left)) * stride + cell] as number;
  return rank;
}

/** Sets, from position `bit` on, the subset of `count` of `size` samples that has this rank. */
export function setSubset(
  masks: Uint8Array,
  bit: number,
  { size, count, rank }: { size: number; count: number; rank: number },
): void {
  const known = count <= listedCountMax ? (listed[count] as Uint32Array)[rank] : undefined;
  if (known !== undefined) {
    orBits(masks, bit, known);
    return;
  }
  let left = rank;
  let cell = (size - 1) * stride + count;
  let window = 0;
  let at = size - 1;
  // From the last sample down: sample c is the j-th and last of the subset if C(c, j) fits into what is left of the rank.
  for (; at >= half; at--, cell -= stride) {
    const below = binomials[cell] as number;
    if (left < below) continue;
    left -= below;
    cell--;
    window |= 1 << (at - half);
  }
  if (window !== 0) orBits(masks, bit + half, window);
  window = 0;
  for (; at >= 0; at--, cell -= stride) {
    const below = binomials[cell] as number;
    if (left < below) continue;
    left -= below;
    cell--;
    window |= 1 << at;
  }
  orBits(masks, bit, window);
}

function ones(window: number): number {
  let left = window - ((window >>> 1) & 0x55555555);
  left = (left & 0x33333333) + ((left >>> 2) & 0x33333333);
  left = (left + (left >>> 4)) & 0x0f0f0f0f;
  return Math.imul(left, 0x01010101) >>> 24;
}

/** Ranks ascend as the masks do: the next larger number with as many bits (Gosper 1972) has the next rank. */
function subsetsByRank(count: number): Uint32Array {
  const subsets = new Uint32Array(binomial(listedSize, count));
  let subset = (1 << count) - 1;
  for (let rank = 0; rank < subsets.length; rank++) {
    subsets[rank] = subset;
    const lowest = subset & -subset;
    const carried = subset + lowest;
    if (lowest !== 0) subset = carried | (((subset ^ carried) / lowest) >>> 2);
  }
  return subsets;
}

function pascal(): Float64Array {
  const table = new Float64Array(stride * stride);
  for (let n = 0; n < stride; n++) {
    table[n * stride] = 1;
    for (let k = 1; k <= n; k++)
      table[n * stride + k] = (table[(n - 1) * stride + k - 1] ?? 0) + (table[(n - 1) * stride + k] ?? 0);
  }
  return table;
}
