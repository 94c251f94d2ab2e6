/**
 * Philox4x64-10 as NumPy arranges it (src/core/random/philox.ts says how), two blocks at a time in the two 64-bit lanes.
 *
 * A product of 64 × 64 bits is four of 32 × 32. The first round's second product is that of 0, and the second round's first
 * product is that of the key: so 18 products are computed instead of 20. About 24 instructions per two products.
 */

const m0: u64 = 0xd2e7470ee14c6c93;
const m1: u64 = 0xca5a826395121157;
const keyStep0: u64 = 0x9e3779b97f4a7c15;
const keyStep1: u64 = 0xbb67ae8584caa73b;

/** Bytes of a key schedule: the product of the first key (high, low), then 10 rounds of two keys, each in both lanes. */
export const scheduleBytes: u32 = 32 + 320;

/** Writes the key schedule of a stream. */
export function writeSchedule(at: usize, seed: u64, stream: u64): void {
  const low = (seed & 0xffffffff) * (m0 & 0xffffffff);
  const middle = (seed >> 32) * (m0 & 0xffffffff) + (low >> 32);
  const other = (seed & 0xffffffff) * (m0 >> 32) + (middle & 0xffffffff);
  const high = (seed >> 32) * (m0 >> 32) + (middle >> 32) + (other >> 32);
  v128.store(at, i64x2.splat(high));
  v128.store(at, i64x2.splat(seed * m0), 16);
  let key0 = seed;
  let key1 = stream;
  for (let round: usize = 0; round < 10; round++) {
    v128.store(at + (round << 5), i64x2.splat(key0), 32);
    v128.store(at + (round << 5), i64x2.splat(key1), 48);
    key0 += keyStep0;
    key1 += keyStep1;
  }
}

/** Low and high words of the two products of x: two 32-bit words of each lane side by side, for the widening products. */
// @ts-ignore: decorator
@inline
function sortWords(x: v128): v128 {
  return v128.shuffle<u32>(x, x, 0, 2, 1, 3);
}

/**
 * Writes the grid integers of `pairs` · 16 positions of a stream, from position 8 · `block` on.
 * @param shift 32 − b, @param half 2^(b−1): the grid integer of a number u is (u >>> shift) − half.
 */
export function generate(schedule: usize, block: u64, pairs: i32, out: usize, shift: i32, half: i32): void {
  const low32 = i64x2.splat(0xffffffff);
  const m0Low = i32x4.splat(<i32>m0);
  const m0High = i32x4.splat(<i32>(m0 >> 32));
  const m1Low = i32x4.splat(<i32>m1);
  const m1High = i32x4.splat(<i32>(m1 >> 32));
  const halves = i32x4.splat(half);
  const keyHigh = v128.load(schedule);
  const keyLow = v128.load(schedule, 16);
  let counter = i64x2.add(i64x2.splat(block + 1), i64x2(0, 1));
  for (; pairs > 0; pairs--) {
    // Round 1: only the first word is not 0.
    let sorted = sortWords(counter);
    let ll = i64x2.extmul_low_i32x4_u(sorted, m0Low);
    let t = i64x2.add(i64x2.extmul_high_i32x4_u(sorted, m0Low), i64x2.shr_u(ll, 32));
    let u = i64x2.add(i64x2.extmul_low_i32x4_u(sorted, m0High), v128.and(t, low32));
    let high0 = i64x2.add(i64x2.extmul_high_i32x4_u(sorted, m0High), i64x2.add(i64x2.shr_u(t, 32), i64x2.shr_u(u, 32)));
    let low0 = v128.or(i64x2.shl(u, 32), v128.and(ll, low32));
    let x2 = v128.xor(high0, v128.load(schedule, 48));
    // Round 2: the first word is the key.
    sorted = sortWords(x2);
    ll = i64x2.extmul_low_i32x4_u(sorted, m1Low);
    t = i64x2.add(i64x2.extmul_high_i32x4_u(sorted, m1Low), i64x2.shr_u(ll, 32));
    u = i64x2.add(i64x2.extmul_low_i32x4_u(sorted, m1High), v128.and(t, low32));
    let high1 = i64x2.add(i64x2.extmul_high_i32x4_u(sorted, m1High), i64x2.add(i64x2.shr_u(t, 32), i64x2.shr_u(u, 32)));
    let x1 = v128.or(i64x2.shl(u, 32), v128.and(ll, low32));
    let x0 = v128.xor(high1, v128.load(schedule, 64));
    x2 = v128.xor(v128.xor(keyHigh, low0), v128.load(schedule, 80));
    let x3 = keyLow;
    for (let key = schedule + 96, end = schedule + 352; key != end; key += 32) {
      sorted = sortWords(x0);
      ll = i64x2.extmul_low_i32x4_u(sorted, m0Low);
      t = i64x2.add(i64x2.extmul_high_i32x4_u(sorted, m0Low), i64x2.shr_u(ll, 32));
      u = i64x2.add(i64x2.extmul_low_i32x4_u(sorted, m0High), v128.and(t, low32));
      high0 = i64x2.add(i64x2.extmul_high_i32x4_u(sorted, m0High), i64x2.add(i64x2.shr_u(t, 32), i64x2.shr_u(u, 32)));
      low0 = v128.or(i64x2.shl(u, 32), v128.and(ll, low32));
      sorted = sortWords(x2);
      ll = i64x2.extmul_low_i32x4_u(sorted, m1Low);
      t = i64x2.add(i64x2.extmul_high_i32x4_u(sorted, m1Low), i64x2.shr_u(ll, 32));
      u = i64x2.add(i64x2.extmul_low_i32x4_u(sorted, m1High), v128.and(t, low32));
      high1 = i64x2.add(i64x2.extmul_high_i32x4_u(sorted, m1High), i64x2.add(i64x2.shr_u(t, 32), i64x2.shr_u(u, 32)));
      x0 = v128.xor(high1, v128.xor(x1, v128.load(key)));
      x1 = v128.or(i64x2.shl(u, 32), v128.and(ll, low32));
      x2 = v128.xor(high0, v128.xor(x3, v128.load(key, 16)));
      x3 = low0;
    }
    v128.store(out, i32x4.sub(i32x4.shr_u(v128.shuffle<u64>(x0, x1, 0, 2), shift), halves));
    v128.store(out, i32x4.sub(i32x4.shr_u(v128.shuffle<u64>(x2, x3, 0, 2), shift), halves), 16);
    v128.store(out, i32x4.sub(i32x4.shr_u(v128.shuffle<u64>(x0, x1, 1, 3), shift), halves), 32);
    v128.store(out, i32x4.sub(i32x4.shr_u(v128.shuffle<u64>(x2, x3, 1, 3), shift), halves), 48);
    counter = i64x2.add(counter, i64x2.splat(2));
    out += 64;
  }
}
