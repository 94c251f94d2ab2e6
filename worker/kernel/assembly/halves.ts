/**
 * Meet in the middle. The samples are cut into a low half (⌊n/2⌋) and a high half; the sums of each half are sorted by
 * merging (a sorted list, and the same list plus a sample), and two pointers walk them. Only sums are sorted: masks are
 * looked up afterwards, for the few pairs of sums that attain the least |residual|.
 */
import {
  choose, naturalHigh, naturalLow, samples, sortedHighA, sortedHighB, sortedLowA, sortedLowB, tieCountMax, ties,
} from './scratch';

/** Pairs listed in `ties`. */
export let tieCount: i32 = 0;
/** More pairs than fit were met, so the list is of no use. */
export let tiesOverflowed: bool = false;

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
    // On equal values the front takes from the first list, so the back takes from the second.
    const last = <usize>(z > w);
    store<i32>(back, max(z, w));
    lastA -= last << 2;
    lastB -= (last ^ 1) << 2;
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
  for (let mask: u32 = 0; mask < length; mask++) {
    if (load<i32>(table + (<usize>mask << 2)) == sum && <i32>popcnt(mask) < bestSize) {
      best = mask;
      bestSize = popcnt(mask);
    }
  }
  return best;
}

/** Returns the smallest mask of a half with this sum and size. */
export function smallestMaskOfSum(table: usize, sum: i32, size: i32): u32 {
  let mask: u32 = 0;
  while (load<i32>(table + (<usize>mask << 2)) != sum || <i32>popcnt(mask) != size) mask++;
  return mask;
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
