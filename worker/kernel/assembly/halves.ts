/**
 * Meet in the middle. The samples are cut into a low half (⌊n/2⌋) and a high half; the sums of each half are sorted by
 * merging (a sorted list, and the same list plus a sample), and two pointers walk them. Only sums are sorted: masks are
 * looked up afterwards, for the few pairs of sums that attain the least |residual|.
 */
import {
  choose, fours, leastLane, naturalHigh, naturalLow, samples, sortedHighA, sortedHighB, sortedLowA, sortedLowB, tieCountMax, ties,
} from './scratch';

/** Pairs listed in `ties`. */
export let tieCount: i32 = 0;
/** More pairs than fit were met, so the list is of no use. */
export let tiesOverflowed: bool = false;

/** Fours noted in `fours`. */
let fourCount: i32 = 0;

/** Where the sorted sums of the low and the high half are. */
export let sortedLow: usize = 0;
export let sortedHigh: usize = 0;

/** Writes the sums of all subsets of `count` samples, at the index that is their mask. */
export function writeNaturalSums(out: usize, from: usize, count: i32): void {
  store<i32>(out, 0);
  for (let bit = 0; bit < count; bit++) {
    const sample = load<i32>(from + (<usize>bit << 2));
    const length = (<usize>4) << bit;
    if (bit < 2) {
      for (let at: usize = 0; at < length; at += 4) store<i32>(out + length + at, load<i32>(out + at) + sample);
    } else {
      const addend = i32x4.splat(sample);
      for (let at: usize = 0; at < length; at += 16) {
        v128.store(out + length + at, i32x4.add(v128.load(out + at), addend));
      }
    }
  }
}

/** Sorts the sums of all subsets of `count` samples; returns which of the two buffers holds them. */
export function sortSums(bufferA: usize, bufferB: usize, from: usize, count: i32): usize {
  let source = bufferA;
  let other = bufferB;
  store<i32>(source, 0);
  for (let bit = 0; bit < count; bit++) {
    mergeShifted(source, (<usize>4) << bit, load<i32>(from + (<usize>bit << 2)), other);
    const held = source;
    source = other;
    other = held;
  }
  return source;
}

/**
 * Merges a sorted list with itself plus `shift`, from both ends at once: two lists of one length never run dry before half
 * of the result is written from each side, so there are no bounds to test and no branch to mispredict.
 */
function mergeShifted(list: usize, bytes: usize, shift: i32, out: usize): void {
  if (bytes >= 64) mergeShiftedByFours(list, bytes, shift, out);
  else mergeShiftedOneByOne(list, bytes, shift, out);
}

function mergeShiftedOneByOne(list: usize, bytes: usize, shift: i32, out: usize): void {
  let a = list;
  let b = list;
  let lastA = list + bytes - 4;
  let lastB = lastA;
  let back = out + bytes + bytes - 4;
  for (const end = out + bytes; out != end; out += 4, back -= 4) {
    const x = load<i32>(a);
    const y = load<i32>(b) + shift;
    const first = <usize>(x <= y);
    store<i32>(out, min(x, y));
    a += first << 2;
    b += (first ^ 1) << 2;
    const z = load<i32>(lastA);
    const w = load<i32>(lastB) + shift;
    const last = <usize>(z > w);
    store<i32>(back, max(z, w));
    lastA -= last << 2;
    lastB -= (last ^ 1) << 2;
  }
}

/** Lanes 0, 1 of both, and lanes 2, 3 of both, side by side. */
// @ts-ignore: decorator
@inline
function interleaveLow(x: v128, y: v128): v128 {
  return v128.shuffle<u32>(x, y, 0, 4, 1, 5);
}

// @ts-ignore: decorator
@inline
function interleaveHigh(x: v128, y: v128): v128 {
  return v128.shuffle<u32>(x, y, 2, 6, 3, 7);
}

// @ts-ignore: decorator
@inline
function reverse(x: v128): v128 {
  return v128.shuffle<u32>(x, x, 3, 2, 1, 0);
}

/**
 * Four at a time by Batcher's bitonic merge (1968): the four smallest of the four kept and the four next ones of the list
 * whose head is smaller are the next four of the result; the other four are kept. From the back likewise. About 1.5 cycles
 * per entry of the result, against 4 one by one. A side takes at most bytes/16 fours of one list, so no head is beyond it.
 */
function mergeShiftedByFours(list: usize, bytes: usize, shift: i32, out: usize): void {
  const shifts = i32x4.splat(shift);
  let a = list + 16;
  let b = list + 16;
  const lastFour = list + bytes - 16;
  let lastA = lastFour - 16;
  let lastB = lastFour - 16;
  let back = out + bytes + bytes - 16;
  let kept = v128.load(list);
  let next = i32x4.add(kept, shifts);
  let keptBack = v128.load(lastFour);
  let nextBack = i32x4.add(keptBack, shifts);
  const end = out + bytes;
  while (true) {
    next = reverse(next);
    let low = i32x4.min_s(kept, next);
    let high = i32x4.max_s(kept, next);
    let x = v128.shuffle<u64>(low, high, 0, 2);
    let y = v128.shuffle<u64>(low, high, 1, 3);
    low = i32x4.min_s(x, y);
    high = i32x4.max_s(x, y);
    x = interleaveLow(low, high);
    y = interleaveHigh(low, high);
    low = v128.shuffle<u64>(x, y, 0, 2);
    high = v128.shuffle<u64>(x, y, 1, 3);
    x = i32x4.min_s(low, high);
    y = i32x4.max_s(low, high);
    v128.store(out, interleaveLow(x, y));
    kept = interleaveHigh(x, y);

    nextBack = reverse(nextBack);
    low = i32x4.min_s(keptBack, nextBack);
    high = i32x4.max_s(keptBack, nextBack);
    x = v128.shuffle<u64>(low, high, 0, 2);
    y = v128.shuffle<u64>(low, high, 1, 3);
    low = i32x4.min_s(x, y);
    high = i32x4.max_s(x, y);
    x = interleaveLow(low, high);
    y = interleaveHigh(low, high);
    low = v128.shuffle<u64>(x, y, 0, 2);
    high = v128.shuffle<u64>(x, y, 1, 3);
    x = i32x4.min_s(low, high);
    y = i32x4.max_s(low, high);
    v128.store(back, interleaveHigh(x, y));
    keptBack = interleaveLow(x, y);

    out += 16;
    back -= 16;
    if (out == end) return;
    const isFirst = load<i32>(a) <= load<i32>(b) + shift;
    next = i32x4.add(v128.load(isFirst ? a : b), i32x4.splat(isFirst ? 0 : shift));
    a += (<usize>isFirst) << 4;
    b += (<usize>!isFirst) << 4;
    const isLast = load<i32>(lastA, 12) > load<i32>(lastB, 12) + shift;
    nextBack = i32x4.add(v128.load(isLast ? lastA : lastB), i32x4.splat(isLast ? 0 : shift));
    lastA -= (<usize>isLast) << 4;
    lastB -= (<usize>!isLast) << 4;
  }
}

/** Writes the sums of the high half by size, each size sorted, the sizes one after the other; returns where they are. */
export function sortSumsBySize(bufferA: usize, bufferB: usize, from: usize, count: i32): usize {
  let source = bufferA;
  let other = bufferB;
  store<i32>(source, 0);
  for (let bit = 0; bit < count; bit++) {
    const sample = load<i32>(from + (<usize>bit << 2));
    let at: usize = 0;
    let below: usize = 0;
    for (let size = 0; size <= bit + 1; size++) {
      mergeLists(source + at, choose(bit, size), source + below, size == 0 ? 0 : choose(bit, size - 1), sample, other + at);
      below = at;
      at += <usize>choose(count, size) << 2;
    }
    const held = source;
    source = other;
    other = held;
  }
  return source;
}

/** Merges a sorted list with another one plus `shift`. */
function mergeLists(a: usize, countA: i32, b: usize, countB: i32, shift: i32, out: usize): void {
  const endA = a + (<usize>countA << 2);
  const endB = b + (<usize>countB << 2);
  while (a != endA && b != endB) {
    const x = load<i32>(a);
    const y = load<i32>(b) + shift;
    const first = <usize>(x <= y);
    store<i32>(out, min(x, y));
    a += first << 2;
    b += (first ^ 1) << 2;
    out += 4;
  }
  for (; a != endA; a += 4, out += 4) store<i32>(out, load<i32>(a));
  for (; b != endB; b += 4, out += 4) store<i32>(out, load<i32>(b) + shift);
}

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
