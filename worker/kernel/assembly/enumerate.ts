/**
 * Subsets of one size by enumeration, four at a time.
 *
 * The sums of all subsets of size k lie in one table in ascending order of their masks, so those of the first e samples are
 * its first choose(e, k) entries: the subsets of size k+1 whose topmost sample is e are exactly these, plus sample e. About
 * one cycle per four subsets; the innermost loop only takes minima, and the smallest mask is looked up once, at the end.
 */
import {
  binomials, choose, leastLane, pairMasks, rowMinima, samples, tableA, tableB, tailMasks,
} from './scratch';

/** Returns the least |sum − target| over the subsets of `size` ≥ 1 of `count` samples; `table` holds size − 1 (unused for 1). */
export function leastOfSize(size: i32, count: i32, target: i32, table: usize): u32 {
  if (size == 1) return leastOfSize1(count, target);
  if (size == 2) return leastOfPairs(count, target);
  return leastOfLargerSize(size, count, target, table);
}

/** In place of a sample beyond the last one: further from every target than any sum is, also twice over (mod 2^32). */
const absent: i32 = 1395864371;

/**
 * All pairs between four samples and four others are the four sums of the one with the other turned by 0 to 3 lanes; the
 * pairs within four are those of two turns. So there are neither tails nor rows: n·n/8 vectors, 3 instructions each.
 */
function leastOfPairs(count: i32, target: i32): u32 {
  const targets = i32x4.splat(target);
  let least = i32x4.splat(-1);
  let other = least;
  const last = samples + (<usize>((count - 1) & ~3) << 2);
  for (let at = samples; at <= last; at += 16) {
    let four = v128.load(at);
    if (at == last) four = v128.bitselect(i32x4.splat(absent), four, v128.load(tailMasks + (<usize>(count & 3) << 4)));
    const turn0 = i32x4.sub(four, targets);
    const turn1 = v128.shuffle<u32>(turn0, turn0, 1, 2, 3, 0);
    const turn2 = v128.shuffle<u32>(turn0, turn0, 2, 3, 0, 1);
    const turn3 = v128.shuffle<u32>(turn0, turn0, 3, 0, 1, 2);
    least = i32x4.min_u(least, i32x4.abs(i32x4.add(four, turn1)));
    other = i32x4.min_u(other, i32x4.abs(i32x4.add(four, turn2)));
    for (let before = samples; before != at; before += 16) {
      const others = v128.load(before);
      least = i32x4.min_u(least, i32x4.abs(i32x4.add(others, turn0)));
      other = i32x4.min_u(other, i32x4.abs(i32x4.add(others, turn1)));
      least = i32x4.min_u(least, i32x4.abs(i32x4.add(others, turn2)));
      other = i32x4.min_u(other, i32x4.abs(i32x4.add(others, turn3)));
    }
  }
  return leastLane(i32x4.min_u(least, other));
}

/** Returns the smallest mask of a pair whose |sum − target| is `least`; there is one. */
function smallestPair(target: i32, least: v128): u64 {
  let top = 1;
  while (true) {
    const wanted = i32x4.splat(target - load<i32>(samples + (<usize>top << 2)));
    for (let first = 0; first < top; first += 4) {
      const four = v128.load(samples + (<usize>first << 2));
      const equal = i32x4.bitmask(i32x4.eq(i32x4.abs(i32x4.sub(four, wanted)), least));
      const second = first + ctz(equal);
      if (equal != 0 && second < top) return ((<u64>1) << top) | ((<u64>1) << second);
    }
    top++;
  }
}

function leastOfSize1(count: i32, target: i32): u32 {
  const wanted = i32x4.splat(target);
  let least = i32x4.splat(-1);
  const full = samples + (<usize>(count & ~3) << 2);
  for (let at = samples; at != full; at += 16) {
    least = i32x4.min_u(least, i32x4.abs(i32x4.sub(v128.load(at), wanted)));
  }
  const rest = count & 3;
  if (rest != 0) {
    const tail = i32x4.abs(i32x4.sub(v128.load(full), wanted));
    least = i32x4.min_u(least, v128.or(tail, v128.load(tailMasks + (<usize>rest << 4))));
  }
  return leastLane(least);
}

function leastOfLargerSize(size: i32, count: i32, target: i32, table: usize): u32 {
  let least = i32x4.splat(-1);
  const lengths = binomials + (<usize>(size - 1) << 8);
  for (let top = size - 1; top < count; top++) {
    const length = load<i32>(lengths + (<usize>top << 2));
    const wanted = i32x4.splat(target - load<i32>(samples + (<usize>top << 2)));
    let row = i32x4.splat(-1);
    let at = table;
    for (const end = table + (<usize>(length & ~15) << 2); at != end; at += 64) {
      row = i32x4.min_u(row, i32x4.abs(i32x4.sub(v128.load(at), wanted)));
      row = i32x4.min_u(row, i32x4.abs(i32x4.sub(v128.load(at, 16), wanted)));
      row = i32x4.min_u(row, i32x4.abs(i32x4.sub(v128.load(at, 32), wanted)));
      row = i32x4.min_u(row, i32x4.abs(i32x4.sub(v128.load(at, 48), wanted)));
    }
    if (length & 8) {
      row = i32x4.min_u(row, i32x4.abs(i32x4.sub(v128.load(at), wanted)));
      row = i32x4.min_u(row, i32x4.abs(i32x4.sub(v128.load(at, 16), wanted)));
      at += 32;
    }
    if (length & 4) {
      row = i32x4.min_u(row, i32x4.abs(i32x4.sub(v128.load(at), wanted)));
      at += 16;
    }
    const tail = i32x4.abs(i32x4.sub(v128.load(at), wanted));
    const rest = length & 3;
    if (rest != 0) row = i32x4.min_u(row, v128.or(tail, v128.load(tailMasks + (<usize>rest << 4))));
    v128.store(rowMinima + (<usize>top << 4), row);
    least = i32x4.min_u(least, row);
    // Nothing is smaller than 0, and later subsets have larger masks.
    if (!i32x4.all_true(row)) return 0;
  }
  return leastLane(least);
}

/** Returns the smallest mask of `size` whose |sum − target| is `least`, which leastOfSize has just returned. */
export function smallestMaskOfSize(size: i32, target: i32, table: usize, least: u32): u64 {
  const wantedLeast = i32x4.splat(<i32>least);
  if (size == 1) return (<u64>1) << indexOf(samples, target, wantedLeast);
  if (size == 2) return smallestPair(target, wantedLeast);
  let top = size - 1;
  while (!v128.any_true(i32x4.eq(v128.load(rowMinima + (<usize>top << 4)), wantedLeast))) top++;
  let index = indexOf(table, target - load<i32>(samples + (<usize>top << 2)), wantedLeast);
  let mask = (<u64>1) << top;
  for (let k = size - 1; k > 2; k--) {
    do top--;
    while (choose(top, k) > index);
    mask |= (<u64>1) << top;
    index -= choose(top, k);
  }
  return mask | load<u64>(pairMasks + (<usize>index << 3));
}

/** Returns the first index with |entry − wanted| = least; there is one. */
function indexOf(table: usize, wanted: i32, least: v128): i32 {
  const wanteds = i32x4.splat(wanted);
  let at = table;
  while (true) {
    const equal = i32x4.bitmask(i32x4.eq(i32x4.abs(i32x4.sub(v128.load(at), wanteds)), least));
    if (equal != 0) return <i32>((at - table) >> 2) + ctz(equal);
    at += 16;
  }
}

/** Writes the table of `size` ≥ 2 for the first `count` samples from that of size − 1, and returns where it is. */
export function extendTable(size: i32, count: i32, table: usize): usize {
  const extended = table == tableA ? tableB : tableA;
  let out = extended;
  const lengths = binomials + (<usize>(size - 1) << 8);
  for (let top = size - 1; top < count; top++) {
    const length = <usize>load<i32>(lengths + (<usize>top << 2)) << 2;
    const sample = i32x4.splat(load<i32>(samples + (<usize>top << 2)));
    // The last vector may write past its row; the next row overwrites that.
    for (let at: usize = 0; at < length; at += 16) {
      v128.store(out + at, i32x4.add(v128.load(table + at), sample));
    }
    out += length;
  }
  return extended;
}
