/**
 * Meet in the middle. The samples are cut into a low half (⌊n/2⌋) and a high half; the sums of each half are sorted by
 * merging (sort-sums.ts), and two pointers walk them. Only sums are sorted: masks are looked up afterwards, for the few
 * pairs of sums that attain the least |residual|.
 */
import {
  fours, leastLane, naturalHigh, naturalLow, samples, sortedHighA, sortedHighB, sortedLowA, sortedLowB, tieCountMax, ties,
} from './scratch';
import { sortSums, sortSumsBySize, writeNaturalSums } from './sort-sums';

/** Pairs listed in `ties`. */
export let tieCount: i32 = 0;
/** More pairs than fit were met, so the list is of no use. */
export let tiesOverflowed: bool = false;

/** Fours noted in `fours`. */
let fourCount: i32 = 0;

/** Where the sorted sums of the low and the high half are. */
export let sortedLow: usize = 0;
export let sortedHigh: usize = 0;

/** Empties the list of ties. */
export function clearTies(): void {
  tieCount = 0;
  tiesOverflowed = false;
}

/**
 * Walks two sorted lists and returns the least of `bound` + 1 and |high + low − target|; lists the pairs of sums that attain
 * it where it is ≤ bound. Every such pair of sums lies on the walk: for each high sum, the walk meets the largest low
 * sum that is not too large, and the smallest that is, unless an equal high sum has met it before.
 */
export function walk(high: usize, countHigh: i32, low: usize, countLow: i32, target: i32, bound: u32): u32 {
  const endHigh = high + (<usize>countHigh << 2);
  let at = low + (<usize>(countLow - 1) << 2);
  let least = bound;
  let isFound = false;
  while (high != endHigh && at >= low) {
    const distance = load<i32>(high) + load<i32>(at) - target;
    const size = <u32>abs(distance);
    if (size <= least) {
      if (size < least) clearTies();
      least = size;
      isFound = true;
      addTie(load<i32>(high), load<i32>(at));
    }
    const isAbove = <usize>(distance > 0);
    at -= isAbove << 2;
    high += (isAbove ^ 1) << 2;
  }
  return isFound ? least : bound + 1;
}

/** The least |residual| of the 16 sums of four high sums and four low sums. */
// @ts-ignore: decorator
@inline
function nearestOf16(high: usize, low: usize, targets: v128): v128 {
  const wanted = i32x4.sub(targets, v128.load(high));
  const lows = v128.load(low);
  const near0 = i32x4.abs(i32x4.sub(lows, wanted));
  const near1 = i32x4.abs(i32x4.sub(v128.shuffle<u32>(lows, lows, 1, 2, 3, 0), wanted));
  const near2 = i32x4.abs(i32x4.sub(v128.shuffle<u32>(lows, lows, 2, 3, 0, 1), wanted));
  const near3 = i32x4.abs(i32x4.sub(v128.shuffle<u32>(lows, lows, 3, 0, 1, 2), wanted));
  return i32x4.min_u(i32x4.min_u(near0, near1), i32x4.min_u(near2, near3));
}

/**
 * The same four by four and from both ends, for lists whose lengths are multiples of four. Undecided is the rectangle of
 * highs from `high` to `lastHigh` and lows from `firstLow` to `low`. All 16 sums at a corner are looked at: if the largest
 * high there with the smallest low is above the target, then so is every other sum of these lows with highs of the
 * rectangle, and further off, so the lows leave it; else the same holds of the highs. Likewise at the opposite corner. Two
 * independent chains of about 10 cycles a step, a quarter of the entries in steps.
 */
export function walkByFours(high: usize, countHigh: i32, low: usize, countLow: i32, target: i32, bound: u32): u32 {
  let lastHigh = high + (<usize>(countHigh - 4) << 2);
  let firstLow = low;
  low += <usize>(countLow - 4) << 2;
  const targets = i32x4.splat(target);
  let least = bound;
  let leasts = i32x4.splat(bound);
  fourCount = 0;
  while (high <= lastHigh && firstLow <= low) {
    const nearest = nearestOf16(high, low, targets);
    const nearestBack = nearestOf16(lastHigh, firstLow, targets);
    if (v128.any_true(i32x4.le_u(i32x4.min_u(nearest, nearestBack), leasts))) {
      least = noteFours(high, low, leastLane(nearest), least);
      least = noteFours(lastHigh, firstLow, leastLane(nearestBack), least);
      leasts = i32x4.splat(least);
    }
    const isAbove = <usize>(load<i32>(high, 12) + load<i32>(low) > target);
    const isBackAbove = <usize>(load<i32>(lastHigh) + load<i32>(firstLow, 12) > target);
    low -= isAbove << 4;
    high += (isAbove ^ 1) << 4;
    lastHigh -= isBackAbove << 4;
    firstLow += (isBackAbove ^ 1) << 4;
  }
  if (fourCount == 0) return bound + 1;
  for (let k = 0; k < fourCount; k++) {
    const place = fours + (<usize>k << 3);
    takeTies(load<usize>(place), load<usize>(place, 4), target, least);
  }
  return least;
}

/** Notes where 16 sums attain the least |residual| so far, which it returns; their pairs are listed after the walk. */
function noteFours(high: usize, low: usize, size: u32, least: u32): u32 {
  if (size > least) return least;
  if (size < least) {
    fourCount = 0;
    clearTies();
  }
  if (fourCount == tieCountMax) {
    tiesOverflowed = true;
    return size;
  }
  const place = fours + (<usize>fourCount << 3);
  store<usize>(place, high);
  store<usize>(place, low, 4);
  fourCount++;
  return size;
}

/** Lists those of 16 pairs whose |residual| is `least`. */
function takeTies(high: usize, low: usize, target: i32, least: u32): void {
  for (let i: usize = 0; i < 16; i += 4) {
    for (let j: usize = 0; j < 16; j += 4) {
      const distance = load<i32>(high + i) + load<i32>(low + j) - target;
      if (<u32>abs(distance) == least) addTie(load<i32>(high + i), load<i32>(low + j));
    }
  }
}

function addTie(highSum: i32, lowSum: i32): void {
  const at = ties + (<usize>tieCount << 3);
  if (tieCount > 0 && load<i32>(at - 8) == highSum && load<i32>(at - 4) == lowSum) return;
  if (tieCount == tieCountMax) {
    tiesOverflowed = true;
    return;
  }
  store<i32>(at, highSum);
  store<i32>(at, lowSum, 4);
  tieCount++;
}

/** Returns, among the masks of a half with this sum, the one with the fewest samples, then the smallest. */
export function fewestMaskOfSum(table: usize, count: i32, sum: i32): u32 {
  let best: u32 = 0xffffffff;
  let bestSize = 64;
  const length = (<u32>1) << count;
  const sums = i32x4.splat(sum);
  for (let first: u32 = 0; first < length; first += 4) {
    let equal = i32x4.bitmask(i32x4.eq(v128.load(table + (<usize>first << 2)), sums));
    for (; equal != 0; equal &= equal - 1) {
      const mask = first + <u32>ctz(equal);
      if (mask < length && <i32>popcnt(mask) < bestSize) {
        best = mask;
        bestSize = popcnt(mask);
      }
    }
  }
  return best;
}

/** Returns the smallest mask of a half with this sum and size; there is one. */
export function smallestMaskOfSum(table: usize, sum: i32, size: i32): u32 {
  const sums = i32x4.splat(sum);
  for (let first: u32 = 0; first < 0x80000000; first += 4) {
    let equal = i32x4.bitmask(i32x4.eq(v128.load(table + (<usize>first << 2)), sums));
    for (; equal != 0; equal &= equal - 1) {
      const mask = first + <u32>ctz(equal);
      if (<i32>popcnt(mask) == size) return mask;
    }
  }
  return unreachable();
}

/** Walks the sorted sums of both halves of `count` samples (see walk). */
export function walkHalves(count: i32, target: i32, bound: u32): u32 {
  const lowCount = count >> 1;
  const countHigh = 1 << (count - lowCount);
  const countLow = 1 << lowCount;
  clearTies();
  return lowCount < 2
    ? walk(sortedHigh, countHigh, sortedLow, countLow, target, bound)
    : walkByFours(sortedHigh, countHigh, sortedLow, countLow, target, bound);
}

/** Sorts the sums of both halves of `count` samples and writes them by mask, too. */
export function sortHalves(count: i32): void {
  const lowCount = count >> 1;
  const highSamples = samples + (<usize>lowCount << 2);
  writeNaturalSums(naturalLow, samples, lowCount);
  writeNaturalSums(naturalHigh, highSamples, count - lowCount);
  sortedLow = sortSums(sortedLowA, sortedLowB, samples, lowCount);
  sortedHigh = sortSums(sortedHighA, sortedHighB, highSamples, count - lowCount);
}

/** Sorts the sums of both halves by size; the tables by mask must be there already. */
export function sortHalvesBySize(count: i32): void {
  const lowCount = count >> 1;
  sortedLow = sortSumsBySize(sortedLowA, sortedLowB, samples, lowCount);
  sortedHigh = sortSumsBySize(sortedHighA, sortedHighB, samples + (<usize>lowCount << 2), count - lowCount);
}
