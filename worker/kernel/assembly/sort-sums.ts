/** The sums of all subsets of a half: by mask, sorted, or sorted size by size. Sorted by merging, never by comparing freely. */
import { choose } from './scratch';

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

/** Writes the sums of all subsets of `count` samples by size, each size sorted, the sizes one after the other; returns where they are. */
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
