/** Working memory of the block solvers, made once per layer for its largest block. */
import { allocate } from './memory';

/** Samples of the block at hand: 40, and zeros up to the next multiple of four. */
export let samples: usize = 0;
/** The mask of each pair of samples, in ascending order: entry choose(i, 2) + j has the bits i > j. */
export let pairMasks: usize = 0;
/** choose(e, k) at binomials + 4·(64·k + e), at most 2^31 − 1. */
export let binomials: usize = 0;
/** Four vectors: lanes from the index on are all ones (index 0: none are). */
export let tailMasks: usize = 0;
/** One vector of least |residual| per topmost sample. */
export let rowMinima: usize = 0;
/** Two tables of the sums of all subsets of one size, in ascending order of masks. */
export let tableA: usize = 0;
export let tableB: usize = 0;
/** Sums of a half by mask, and two buffers each for sorting them. */
export let naturalLow: usize = 0;
export let naturalHigh: usize = 0;
export let sortedLowA: usize = 0;
export let sortedLowB: usize = 0;
export let sortedHighA: usize = 0;
export let sortedHighB: usize = 0;
/** Pairs (high sum, low sum) with the least |residual|. */
export let ties: usize = 0;
/** Places (high, low) of fours of sums among which the least |residual| is. */
export let fours: usize = 0;
/** Ties, and fours, kept at a time. */
export const tieCountMax: i32 = 64;

/** Subsets of one size up to which enumeration can be worth it, whatever n is. */
export const enumerationMax: i32 = 600000;

/** Allocates everything for blocks of up to `count` samples. */
export function allocateScratch(count: i32): void {
  samples = allocate(256);
  pairMasks = allocate(780 * 8);
  binomials = allocate(48 * 64 * 4);
  tailMasks = allocate(64);
  rowMinima = allocate(64 * 16);
  ties = allocate(<u32>tieCountMax * 8);
  fours = allocate(<u32>tieCountMax * 8);
  const tableCount: u32 = count < 20 ? (<u32>1) << count : <u32>enumerationMax;
  tableA = allocate(tableCount * 4 + 256);
  tableB = allocate(tableCount * 4 + 256);
  const lowBytes: u32 = ((<u32>1) << (count >> 1)) * 4 + 256;
  const highBytes: u32 = ((<u32>1) << (count - (count >> 1))) * 4 + 256;
  naturalLow = allocate(lowBytes);
  naturalHigh = allocate(highBytes);
  sortedLowA = allocate(lowBytes);
  sortedLowB = allocate(lowBytes);
  sortedHighA = allocate(highBytes);
  sortedHighB = allocate(highBytes);
  fillBinomials();
  fillPairMasks();
  v128.store(tailMasks, i32x4(0, 0, 0, 0));
  v128.store(tailMasks, i32x4(0, -1, -1, -1), 16);
  v128.store(tailMasks, i32x4(0, 0, -1, -1), 32);
  v128.store(tailMasks, i32x4(0, 0, 0, -1), 48);
}

/** Returns choose(e, k), at most 2^31 − 1; 0 ≤ k ≤ 40, 0 ≤ e ≤ 40. */
// @ts-ignore: decorator
@inline
export function choose(e: i32, k: i32): i32 {
  return load<i32>(binomials + (<usize>((k << 6) + e) << 2));
}

function fillBinomials(): void {
  for (let k = 0; k <= 41; k++) {
    for (let e = 0; e <= 41; e++) {
      let value: u64 = k == 0 ? 1 : 0;
      if (e > 0 && k > 0) value = <u64>choose(e - 1, k) + <u64>choose(e - 1, k - 1);
      store<i32>(binomials + (<usize>((k << 6) + e) << 2), <i32>min<u64>(value, 0x7fffffff));
    }
  }
}

function fillPairMasks(): void {
  let at = pairMasks;
  for (let i = 1; i < 40; i++) {
    for (let j = 0; j < i; j++, at += 8) store<u64>(at, ((<u64>1) << i) | ((<u64>1) << j));
  }
}

/** Returns the least of the four unsigned lanes. */
// @ts-ignore: decorator
@inline
export function leastLane(x: v128): u32 {
  const y = i32x4.min_u(x, v128.shuffle<u32>(x, x, 2, 3, 0, 1));
  const z = i32x4.min_u(y, v128.shuffle<u32>(y, y, 1, 0, 3, 2));
  return <u32>i32x4.extract_lane(z, 0);
}
