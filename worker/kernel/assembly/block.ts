/** One block: the subset that the rule prefers (src/core/subset-sum/problem.ts). */
import { extendTable, leastOfSize, smallestMaskOfSize } from './enumerate';
import {
  clearTies, fewestMaskOfSum, smallestMaskOfSum, sortedHigh, sortedLow, sortHalves, sortHalvesBySize, tieCount,
  tiesOverflowed, walk, walkHalves,
} from './halves';
import { choose, enumerationMax, naturalHigh, naturalLow, samples, ties } from './scratch';

/** Rules, as the loader passes them. */
export const fewestRule: i32 = 0;
export const closestRule: i32 = 1;

/** The subset found by the last call of solveBlock that returned true. */
export let chosenMask: u64 = 0;

/**
 * Solves the block of the first `count` ≤ 40 samples, Σ|samples| < 2^30; the lanes up to the next multiple of four are 0.
 * Returns false when no subset is within tolerance.
 */
export function solveBlock(count: i32, target: i64, tolerance: i64, rule: i32): bool {
  let positive = i32x4.splat(0);
  let negative = i32x4.splat(0);
  const zero = i32x4.splat(0);
  const end = samples + (<usize>((count + 3) & ~3) << 2);
  for (let at = samples; at != end; at += 16) {
    const four = v128.load(at);
    positive = i32x4.add(positive, i32x4.max_s(four, zero));
    negative = i32x4.add(negative, i32x4.min_s(four, zero));
  }
  // Beyond the reach of all sums every residual has one sign: moving the target to the end of the reach and taking the
  // move off the tolerance changes neither which subsets are within tolerance nor their order.
  const most = <i64>sumLanes(positive);
  const least = <i64>sumLanes(negative);
  if (target > most) {
    tolerance -= target - most;
    target = most;
  } else if (target < least) {
    tolerance -= least - target;
    target = least;
  }
  if (tolerance < 0) return false;
  const wanted = <i32>target;
  const bound = <u32>min<i64>(tolerance, 0x7ffffffe);
  chosenMask = 0;
  if (rule == fewestRule) {
    if (<u32>abs(wanted) <= bound) return true;
    return solveFewest(count, wanted, bound);
  }
  if (wanted == 0) return true;
  // Few bits make exact hits, of few samples, likely. An exact hit of the fewest samples is the closest subset.
  const spread = <i32>(most - least);
  if (choose(count, 4) > spread && enumerateSizes(1, count, wanted, 0, min(enumerationLimit(count), 4 * spread)) == 0) {
    return true;
  }
  return solveClosest(count, wanted, bound);
}

function sumLanes(x: v128): i32 {
  const y = i32x4.add(x, v128.shuffle<u32>(x, x, 2, 3, 0, 1));
  return i32x4.extract_lane(y, 0) + i32x4.extract_lane(y, 1);
}

/** Subsets of one size up to which enumeration beats the halves (measured). */
// @ts-ignore: decorator
@inline
function enumerationLimit(count: i32): i32 {
  return min(enumerationMax, 64 << (count >> 1));
}

/** Subsets of one size from which it pays to ask first whether any subset at all is within bound (measured). */
// @ts-ignore: decorator
@inline
function doubtLimit(count: i32): i32 {
  return min(enumerationMax, 32 << (count >> 1));
}

/** The table of the sums of one size less than the size tried last. */
let table: usize = 0;

/**
 * Tries the sizes from `size` on as long as none has more than `limit` subsets; returns 0 when one has a subset within
 * bound, else the size after the last one tried.
 */
function enumerateSizes(size: i32, count: i32, target: i32, bound: u32, limit: i32): i32 {
  if (size == 1) table = samples;
  for (; size <= count && choose(count, size) <= limit; size++) {
    // The topmost sample is added last, so the tables need the others only.
    if (size > 2) table = extendTable(size - 1, count - 1, table);
    const least = leastOfSize(size, count, target, table);
    if (least <= bound) {
      chosenMask = smallestMaskOfSize(size, target, table, least);
      return 0;
    }
  }
  return size;
}

/** The first size that has a subset within bound. */
function solveFewest(count: i32, target: i32, bound: u32): bool {
  let size = enumerateSizes(1, count, target, bound, doubtLimit(count));
  if (size == 0) return true;
  if (size > count) return false;
  // A block without any subset within bound would cost all sizes; finding out costs less than one.
  sortHalves(count);
  if (walkHalves(count, target, bound) > bound) return false;
  size = enumerateSizes(size, count, target, bound, enumerationLimit(count));
  return size == 0 || fewestBySize(size, count, target, bound);
}

/** Sizes from `size` on, by the halves; naturalLow and naturalHigh hold their sums. */
function fewestBySize(size: i32, count: i32, target: i32, bound: u32): bool {
  sortHalvesBySize(count);
  for (; size <= count; size++) if (fewestOfSize(size, count, target, bound)) return true;
  return false;
}

function fewestOfSize(size: i32, count: i32, target: i32, bound: u32): bool {
  const lowCount = count >> 1;
  const highCount = count - lowCount;
  let high = sortedHigh;
  let isFound = false;
  for (let highSize = 0; highSize <= highCount && highSize <= size; highSize++) {
    const lowSize = size - highSize;
    if (lowSize <= lowCount) {
      let low = sortedLow;
      for (let k = 0; k < lowSize; k++) low += <usize>choose(lowCount, k) << 2;
      clearTies();
      const least = walk(high, choose(highCount, highSize), low, choose(lowCount, lowSize), target, bound);
      if (least <= bound) {
        const mask = tiesOverflowed
          ? smallestMaskByScan(highSize, lowSize, count, target, least)
          : smallestMaskOfTies(highSize, lowSize, lowCount);
        chosenMask = isFound && least == bound ? min(chosenMask, mask) : mask;
        isFound = true;
        bound = least;
      }
    }
    high += <usize>choose(highCount, highSize) << 2;
  }
  return isFound;
}

function smallestMaskOfTies(highSize: i32, lowSize: i32, lowCount: i32): u64 {
  let best: u64 = 0xffffffffffffffff;
  for (let tie = 0; tie < tieCount; tie++) {
    const at = ties + (<usize>tie << 3);
    const high = <u64>smallestMaskOfSum(naturalHigh, load<i32>(at), highSize) << lowCount;
    if (high > best) continue;
    best = min(best, high | <u64>smallestMaskOfSum(naturalLow, load<i32>(at, 4), lowSize));
  }
  return best;
}

/** Returns the smallest mask of these sizes with |residual| = least: high masks in ascending order, the first with a partner. */
function smallestMaskByScan(highSize: i32, lowSize: i32, count: i32, target: i32, least: u32): u64 {
  const lowCount = count >> 1;
  const lowLength = (<u32>1) << lowCount;
  const highLength = (<u32>1) << (count - lowCount);
  for (let high: u32 = 0; high < highLength; high++) {
    if (<i32>popcnt(high) != highSize) continue;
    const wanted = target - load<i32>(naturalHigh + (<usize>high << 2));
    for (let low: u32 = 0; low < lowLength; low++) {
      const distance = load<i32>(naturalLow + (<usize>low << 2)) - wanted;
      if (<u32>abs(distance) == least && <i32>popcnt(low) == lowSize) return (<u64>high << lowCount) | low;
    }
  }
  return unreachable();
}

/** The least |residual| of all, then the fewest samples that attain it. */
function solveClosest(count: i32, target: i32, bound: u32): bool {
  const lowCount = count >> 1;
  sortHalves(count);
  const least = walkHalves(count, target, bound);
  if (least > bound) return false;
  // Subsets that attain the least |residual| differ in size and mask only: with it as the bound, both rules agree.
  if (<u32>abs(target) == least) return true;
  if (tiesOverflowed) return solveFewest(count, target, least);
  let bestSize = 64;
  chosenMask = 0xffffffffffffffff;
  for (let tie = 0; tie < tieCount; tie++) {
    const at = ties + (<usize>tie << 3);
    const high = <u64>fewestMaskOfSum(naturalHigh, count - lowCount, load<i32>(at));
    const mask = (high << lowCount) | <u64>fewestMaskOfSum(naturalLow, lowCount, load<i32>(at, 4));
    const size = <i32>popcnt(mask);
    if (size < bestSize || (size == bestSize && mask < chosenMask)) {
      bestSize = size;
      chosenMask = mask;
    }
  }
  return true;
}
