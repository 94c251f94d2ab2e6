/** Where the blocks of a row's mask lie, and how the masks of each size are coded (mask-code.ts). */
import { exactBlockSizeMax } from '../limits.ts';
import { biasBlockSize, type LayerProblem } from '../plan/tile.ts';
import { binomial } from './combination.ts';
import { codeLengths } from './prefix-code.ts';

/** Symbols that one class of blocks can have, and the distance between two classes in the tables: sizes 0 … 40 and the escape. */
export const symbolStride = 64;
/** Bits of a code's length. */
export const lengthBits = 4;
/** Ranks stay below this, so that one read of bits.ts takes one. */
const rankCountMax = 2 ** 24;

/**
 * The blocks of every row of a layer, as runs of blocks of one size, and their classes: blocks of one size share a prefix code. The
 * bias block has a class of its own, and is the last run, unless it is too long for either.
 */
export interface MaskLayout {
  /** Shape [runs]: samples in each block of the run. */
  readonly runSizes: Uint8Array;
  /** Shape [runs]: their class. */
  readonly runClasses: Uint8Array;
  /** Shape [runs]: how many blocks. */
  readonly runBlocks: Int32Array;
  /** Samples of a bias block that is in no run; 0 where it is. */
  readonly longBiasSize: number;
  /** Shape [classes]: samples in a block; ascending, but that the bias block's comes last. */
  readonly classSizes: Uint8Array;
  /** Symbols of each class: subset sizes that are coded, from 0 on, then the escape where there is one. */
  readonly symbolCounts: Uint8Array;
  /** The escape symbol of each class: subsets larger than those coded, bit by bit. 255: none. */
  readonly escapes: Uint8Array;
  /** How the rank of a subset of k travels, at [class · symbolStride + k]. */
  readonly ranks: NumberCode;
}

/** How numbers below some N travel ("truncated binary", mask-code.ts); one entry for each N. */
export interface NumberCode {
  /** b = ⌊log2 N⌋. */
  readonly widths: Uint8Array;
  /** u = 2^(b+1) − N: from here on a number takes b + 1 bits. */
  readonly shorts: Int32Array;
}

/** Returns the layout of a layer's masks. */
export function maskLayout(problem: LayerProblem): MaskLayout {
  const { groupOffsets, taps } = problem;
  const groupSizes = Uint8Array.from(
    problem.groupChannels,
    (_, group) => (groupOffsets[group + 1] ?? 0) - (groupOffsets[group] ?? 0),
  );
  const biasSize = biasBlockSize(problem.bias);
  const isBiasCoded = biasSize <= exactBlockSizeMax;
  const sizes = [...new Set(groupSizes)].sort((a, b) => a - b);
  const classOfSize = new Map(sizes.map((size, index) => [size, index]));
  const classSizes = Uint8Array.from(isBiasCoded ? [...sizes, biasSize] : sizes);
  const runs = runsOf(groupSizes).map(({ size, count }) => ({
    size,
    index: classOfSize.get(size) ?? 0,
    blocks: count * taps,
  }));
  if (isBiasCoded) runs.push({ size: biasSize, index: classSizes.length - 1, blocks: 1 });
  const coded = Array.from(classSizes, codedSizes);
  const subsetCounts = new Float64Array(classSizes.length * symbolStride).fill(1);
  coded.forEach((count, index) => {
    for (let k = 0; k < count; k++)
      subsetCounts[index * symbolStride + k] = binomial(classSizes[index] ?? 0, k);
  });
  return {
    runSizes: Uint8Array.from(runs, ({ size }) => size),
    runClasses: Uint8Array.from(runs, ({ index }) => index),
    runBlocks: Int32Array.from(runs, ({ blocks }) => blocks),
    longBiasSize: isBiasCoded ? 0 : biasSize,
    classSizes,
    symbolCounts: Uint8Array.from(
      coded,
      (count, index) => count + (count <= (classSizes[index] ?? 0) ? 1 : 0),
    ),
    escapes: Uint8Array.from(coded, (count, index) => (count <= (classSizes[index] ?? 0) ? count : 255)),
    ranks: numberCode(subsetCounts),
  };
}

/** Returns equal neighbours together. */
function runsOf(sizes: Uint8Array): { readonly size: number; count: number }[] {
  const runs: { readonly size: number; count: number }[] = [];
  for (const size of sizes) {
    const last = runs.at(-1);
    if (last?.size === size) last.count++;
    else runs.push({ size, count: 1 });
  }
  return runs;
}

/** Returns how numbers below each of the limits travel. */
export function numberCode(limits: ArrayLike<number>): NumberCode {
  const widths = Uint8Array.from(limits, (limit) => 31 - Math.clz32(limit));
  return { widths, shorts: Int32Array.from(limits, (limit, index) => 2 * 2 ** (widths[index] ?? 0) - limit) };
}

/** Returns how many subset sizes, from 0 on, have few enough subsets to be coded by rank. */
function codedSizes(size: number): number {
  let count = 0;
  while (count <= size && binomial(size, count) <= rankCountMax) count++;
  return count;
}

/**
 * Returns the code lengths of a class's symbols.
 * @param counts how often each occurs, at [class · symbolStride + symbol].
 */
export function classCodeLengths(layout: MaskLayout, counts: Uint32Array, index: number): Uint8Array {
  const from = index * symbolStride;
  return codeLengths(counts.subarray(from, from + (layout.symbolCounts[index] ?? 0)));
}
