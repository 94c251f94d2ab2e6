/**
 * Philox4x64-10 as random/philox.ts defines it, for four counters at a time that need not follow each other: one counter per
 * 32-bit lane, each 64-bit word of the state kept as a vector of its lower and one of its upper halves.
 *
 * A product of 64 × 64 bits is four of 32 × 32 in two vectors each: about 1,000 instructions for 32 numbers.
 */

const factorA: u64 = 0xd2e7470ee14c6c93;
const factorB: u64 = 0xca5a826395121157;
const incrementA: u64 = 0x9e3779b97f4a7c15;
const incrementB: u64 = 0xbb67ae8584caa73b;

/** Bytes of the keys of a stream: 10 rounds of two keys as lower and upper halves, each four times. */
export const keyBytes: usize = 10 * 64;

/** Writes the keys of the stream [seed, stream]. */
export function writeKeys(at: usize, seed: u64, stream: u64): void {
  for (let round: u64 = 0; round < 10; round++) {
    const place = at + <usize>(round << 6);
    writeHalves(place, seed + round * incrementA);
    writeHalves(place + 32, stream + round * incrementB);
  }
}

function writeHalves(at: usize, word: u64): void {
  v128.store(at, i32x4.splat(<i32>word));
  v128.store(at, i32x4.splat(<i32>(word >> 32)), 16);
}

/** Lower halves of the 64-bit lanes of two vectors. */
// @ts-ignore: decorator
@inline
function lowers(x: v128, y: v128): v128 {
  return v128.shuffle<u32>(x, y, 0, 2, 4, 6);
}

/** Upper halves of the 64-bit lanes of two vectors. */
// @ts-ignore: decorator
@inline
function uppers(x: v128, y: v128): v128 {
  return v128.shuffle<u32>(x, y, 1, 3, 5, 7);
}

/** Middle part of a product: upper half of x times the lower half of y, plus what the product of the lower halves carries. */
// @ts-ignore: decorator
@inline
function middle(product: v128, carrying: v128): v128 {
  return i64x2.add(product, i64x2.shr_u(carrying, 32));
}

/** The other middle part: lower half of x times the upper half of y, plus the lower half of the first middle part. */
// @ts-ignore: decorator
@inline
function other(product: v128, first: v128): v128 {
  return i64x2.add(product, v128.and(first, i64x2.splat(0xffffffff)));
}

/** Upper 64 bits of a product: that of the upper halves, plus what both middle parts carry. */
// @ts-ignore: decorator
@inline
function top(product: v128, first: v128, second: v128): v128 {
  return i64x2.add(i64x2.add(product, i64x2.shr_u(first, 32)), i64x2.shr_u(second, 32));
}

/**
 * Draws the blocks of `quads` · 4 counters (64 bits each) and writes their grid integers (u >>> shift) − half: for each four
 * counters 32 numbers, number e of the k-th of them at index 4·e + k.
 */
export function drawBlocks(keys: usize, counters: usize, quads: i32, out: usize, shift: i32, half: i32): void {
  const halves = i32x4.splat(half);
  const factorALow = i32x4.splat(<i32>factorA);
  const factorAHigh = i32x4.splat(<i32>(factorA >> 32));
  const factorBLow = i32x4.splat(<i32>factorB);
  const factorBHigh = i32x4.splat(<i32>(factorB >> 32));
  for (let quad = 0; quad < quads; quad++, counters += 32, out += 128) {
    let first = v128.load(counters);
    let second = v128.load(counters, 16);
    let aLow = lowers(first, second);
    let aHigh = uppers(first, second);
    let bLow = i64x2.splat(0);
    let bHigh = i64x2.splat(0);
    let cLow = i64x2.splat(0);
    let cHigh = i64x2.splat(0);
    let dLow = i64x2.splat(0);
    let dHigh = i64x2.splat(0);
    for (let key = keys, last = keys + keyBytes; key != last; key += 64) {
      let p = i64x2.extmul_low_i32x4_u(cLow, factorBLow);
      let q = i64x2.extmul_high_i32x4_u(cLow, factorBLow);
      let s = middle(i64x2.extmul_low_i32x4_u(cHigh, factorBLow), p);
      let t = middle(i64x2.extmul_high_i32x4_u(cHigh, factorBLow), q);
      let u = other(i64x2.extmul_low_i32x4_u(cLow, factorBHigh), s);
      let v = other(i64x2.extmul_high_i32x4_u(cLow, factorBHigh), t);
      first = top(i64x2.extmul_low_i32x4_u(cHigh, factorBHigh), s, u);
      second = top(i64x2.extmul_high_i32x4_u(cHigh, factorBHigh), t, v);
      const freshLow = v128.xor(v128.xor(lowers(first, second), bLow), v128.load(key));
      const freshHigh = v128.xor(v128.xor(uppers(first, second), bHigh), v128.load(key, 16));
      bLow = lowers(p, q);
      bHigh = lowers(u, v);
      p = i64x2.extmul_low_i32x4_u(aLow, factorALow);
      q = i64x2.extmul_high_i32x4_u(aLow, factorALow);
      s = middle(i64x2.extmul_low_i32x4_u(aHigh, factorALow), p);
      t = middle(i64x2.extmul_high_i32x4_u(aHigh, factorALow), q);
      u = other(i64x2.extmul_low_i32x4_u(aLow, factorAHigh), s);
      v = other(i64x2.extmul_high_i32x4_u(aLow, factorAHigh), t);
      first = top(i64x2.extmul_low_i32x4_u(aHigh, factorAHigh), s, u);
      second = top(i64x2.extmul_high_i32x4_u(aHigh, factorAHigh), t, v);
      cLow = v128.xor(v128.xor(lowers(first, second), dLow), v128.load(key, 32));
      cHigh = v128.xor(v128.xor(uppers(first, second), dHigh), v128.load(key, 48));
      dLow = lowers(p, q);
      dHigh = lowers(u, v);
      aLow = freshLow;
      aHigh = freshHigh;
    }
    v128.store(out, i32x4.sub(i32x4.shr_u(aLow, shift), halves));
    v128.store(out, i32x4.sub(i32x4.shr_u(aHigh, shift), halves), 16);
    v128.store(out, i32x4.sub(i32x4.shr_u(bLow, shift), halves), 32);
    v128.store(out, i32x4.sub(i32x4.shr_u(bHigh, shift), halves), 48);
    v128.store(out, i32x4.sub(i32x4.shr_u(cLow, shift), halves), 64);
    v128.store(out, i32x4.sub(i32x4.shr_u(cHigh, shift), halves), 80);
    v128.store(out, i32x4.sub(i32x4.shr_u(dLow, shift), halves), 96);
    v128.store(out, i32x4.sub(i32x4.shr_u(dHigh, shift), halves), 112);
  }
}
