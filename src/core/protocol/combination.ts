/**
 * Subsets of one size k of n ≤ 40 samples, numbered (combinatorial number system, Lehmer 1964): the subset of samples
 * c_1 < … < c_k has the rank Σ C(c_j, j) in [0, C(n, k)). Ranks order the masks of one size as integers.
 *
 * A mask is handled in two halves of {@link halfBits} bits. Its rank is a sum of four terms, one for each ten bits: what ten bits
 * add depends on them and on how many samples lie below them, 64 · 1024 cases in all, so a rank is four table look-ups.
 */
import { exactBlockSizeMax } from '../limits.ts';

/** Bits of half a mask. */
export const halfBits = 20;
/** Bits of a mask that one look-up takes. */
const chunkBits = 10;
/** Lowest bits of a {@link subsetNumber}, which hold the count; above them is the rank. */
export const subsetCountBits = 6;
/** The count in a {@link subsetNumber}. */
export const subsetCountMask = (1 << subsetCountBits) - 1;

/** Numbers per row of {@link binomials}. */
const stride = exactBlockSizeMax + 1;
/** C(n, k) at [n · 41 + k], as float64: the largest is below 2^38. */
const binomials = pascal();

/** Where the terms of the second, third and fourth ten bits begin: 1 + 10 · chunk counts may lie below a chunk. */
const secondChunk = 1 << chunkBits;
const thirdChunk = 12 << chunkBits;
const fourthChunk = 33 << chunkBits;
/** [chunk, samples below, ten bits]: what they add to rank · 64 + count, modulo 2^32. */
const terms = chunkTerms();

/** Subsets that a table gives: of at most so many samples, all among the first so many. */
const listedCountMax = 4;
/** Samples that a subset of the table may have. */
export const listedSize = 24;
/** [k][rank]: the subset of k samples with that rank, whatever n is. */
const listed = Array.from({ length: listedCountMax + 1 }, (_, count) => subsetsByRank(count));

/** Returns C(n, k) for n, k ≤ 40. */
export function binomial(n: number, k: number): number {
  return binomials[n * stride + k] ?? 0;
}

/** Returns how many of the 20 bits are set. */
export function countOf(bits: number): number {
  let left = bits - ((bits >>> 1) & 0x55555555);
  left = (left & 0x33333333) + ((left >>> 2) & 0x33333333);
  left = (left + (left >>> 4)) & 0x0f0f0f0f;
  return Math.imul(left, 0x01010101) >>> 24;
}

/**
 * Returns rank · 64 + count of the mask with these halves, as unsigned 32 bits. The count is always right; the rank where it is
 * below 2^26.
 */
export function subsetNumber(low: number, high: number): number {
  let number = terms[low & 1023] as number;
  number =
    (number +
      (terms[secondChunk + ((number & subsetCountMask) << chunkBits) + (low >>> chunkBits)] as number)) |
    0;
  if (high !== 0) {
    number =
      (number + (terms[thirdChunk + ((number & subsetCountMask) << chunkBits) + (high & 1023)] as number)) |
      0;
    number =
      (number +
        (terms[fourthChunk + ((number & subsetCountMask) << chunkBits) + (high >>> chunkBits)] as number)) |
      0;
  }
  return number >>> 0;
}

/** Returns the subset of `count` samples that has this rank if it is one of the first 24 samples, and in the table; −1 otherwise. */
export function listedSubset(count: number, rank: number): number {
  if (count > listedCountMax) return -1;
  const subsets = listed[count] as Int32Array;
  return rank < subsets.length ? (subsets[rank] as number) : -1;
}

/** Writes the halves of the subset of `count` of `size` samples that has this rank. */
export function findSubset(
  halves: Int32Array,
  { size, count, rank }: { readonly size: number; readonly count: number; readonly rank: number },
): void {
  let left = rank;
  let cell = (size - 1) * stride + count;
  let at = size - 1;
  let window = 0;
  // From the last sample down: sample c is the j-th and last of the subset if C(c, j) fits into what is left of the rank.
  for (; at >= halfBits; at--, cell -= stride) {
    const below = binomials[cell] as number;
    if (left < below) continue;
    left -= below;
    cell--;
    window |= 1 << (at - halfBits);
  }
  halves[1] = window;
  window = 0;
  for (; at >= 0; at--, cell -= stride) {
    const below = binomials[cell] as number;
    if (left < below) continue;
    left -= below;
    cell--;
    window |= 1 << at;
  }
  halves[0] = window;
}

/** Ranks ascend as the masks do: the next larger number with as many bits (Gosper 1972) has the next rank. */
function subsetsByRank(count: number): Int32Array {
  const subsets = new Int32Array(binomial(listedSize, count));
  let subset = (1 << count) - 1;
  for (let rank = 0; rank < subsets.length; rank++) {
    subsets[rank] = subset;
    const lowest = subset & -subset;
    const carried = subset + lowest;
    if (lowest !== 0) subset = carried | (((subset ^ carried) / lowest) >>> 2);
  }
  return subsets;
}

function chunkTerms(): Int32Array {
  const table = new Int32Array(64 << chunkBits);
  let at = 0;
  for (let first = 0; first < exactBlockSizeMax; first += chunkBits)
    for (let below = 0; below <= first; below++, at += 1 << chunkBits)
      for (let bits = 1; bits < 1 << chunkBits; bits++) {
        // The last sample is number `below + others + 1` of the subset; the others have been done.
        const last = 31 - Math.clz32(bits);
        const others = table[at + (bits ^ (1 << last))] as number;
        const rank = binomial(first + last, below + (others & subsetCountMask) + 1);
        table[at + bits] = others + 1 + (rank << subsetCountBits);
      }
  return table;
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
