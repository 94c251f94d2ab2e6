/**
 * Philox4x64-10 (Salmon, Moraes, Dror, Shaw 2011), the counter-based generator, arranged as NumPy arranges it:
 * block c = 1, 2, … of the stream with key [seed, stream] is philox([c, 0, 0, 0], key), four 64-bit words, each used as
 * two 32-bit numbers, low half first. So number e of a stream is half (e mod 2) of word ((e mod 8) >> 1) of block ⌊e/8⌋ + 1.
 *
 * {@link philoxBlock} is the readable definition. {@link PhiloxStream} is the same in 32-bit arithmetic, about 30 times faster,
 * and shares no code with the solver's kernel: it is what verification stands on.
 */

const multiplier0 = 0xd2e7470ee14c6c93n;
const multiplier1 = 0xca5a826395121157n;
const keyStep0 = 0x9e3779b97f4a7c15n;
const keyStep1 = 0xbb67ae8584caa73bn;
const roundCount = 10;
const word64 = (1n << 64n) - 1n;

/** Numbers that one block gives. */
export const numbersPerBlock = 8;

/** Returns the four 64-bit words of block `counter` (< 2^64) under the key [seed, stream]. */
export function philoxBlock(seed: bigint, stream: bigint, counter: bigint): [bigint, bigint, bigint, bigint] {
  let state: [bigint, bigint, bigint, bigint] = [counter & word64, 0n, 0n, 0n];
  let key0 = seed & word64;
  let key1 = stream & word64;
  for (let round = 0; round < roundCount; round++) {
    const product0 = state[0] * multiplier0;
    const product1 = state[2] * multiplier1;
    state = [
      (product1 >> 64n) ^ state[1] ^ key0,
      product1 & word64,
      (product0 >> 64n) ^ state[3] ^ key1,
      product0 & word64,
    ];
    key0 = (key0 + keyStep0) & word64;
    key1 = (key1 + keyStep1) & word64;
  }
  return state;
}

/** One stream, read by position. Keeps the last block, so neighbouring positions cost one block. */
export class PhiloxStream {
  private readonly seedLow: number;
  private readonly seedHigh: number;
  private readonly stream: number;
  private readonly block = new Int32Array(numbersPerBlock);
  private blockIndex = -1;

  /** @param stream a whole number below 2^32. */
  constructor(seed: bigint, stream: number) {
    this.seedLow = Number(seed & 0xffffffffn) | 0;
    this.seedHigh = Number((seed >> 32n) & 0xffffffffn) | 0;
    this.stream = stream | 0;
  }

  /** Returns number `position` (0 ≤ position < 2^53) of the stream as a signed 32-bit integer. */
  at(position: number): number {
    const blockIndex = Math.floor(position / numbersPerBlock);
    if (blockIndex !== this.blockIndex) {
      const counter = blockIndex + 1;
      fillBlock(this.block, counter | 0, Math.floor(counter / 4294967296) | 0, [
        this.seedLow,
        this.seedHigh,
        this.stream,
      ]);
      this.blockIndex = blockIndex;
    }
    return this.block[position - blockIndex * numbersPerBlock] as number;
  }
}

const m0l = Number(multiplier0 & 0xffffffffn);
const m0h = Number(multiplier0 >> 32n);
const m1l = Number(multiplier1 & 0xffffffffn);
const m1h = Number(multiplier1 >> 32n);
const step0l = Number(keyStep0 & 0xffffffffn);
const step0h = Number(keyStep0 >> 32n);
const step1l = Number(keyStep1 & 0xffffffffn);
const step1h = Number(keyStep1 >> 32n);

/**
 * Writes the eight 32-bit numbers of one block. Each of the 20 products of 64 × 64 bits is four of 32 × 32 bits, whose high
 * halves come from 16-bit parts: all intermediate sums stay below 2^53. About 0.15 µs a block in V8.
 */
function fillBlock(
  out: Int32Array,
  counterLow: number,
  counterHigh: number,
  key: readonly [number, number, number],
): void {
  let x0l = counterLow;
  let x0h = counterHigh;
  let x1l = 0;
  let x1h = 0;
  let x2l = 0;
  let x2h = 0;
  let x3l = 0;
  let x3h = 0;
  let [k0l, k0h, k1l] = key;
  let k1h = 0;
  for (let round = 0; round < roundCount; round++) {
    const middle0 = mulHigh(m0l, x0l) + (Math.imul(m0l, x0h) >>> 0) + (Math.imul(m0h, x0l) >>> 0);
    const d0 = mulHigh(m0l, x0h) + mulHigh(m0h, x0l) + (Math.imul(m0h, x0h) >>> 0) + upper(middle0);
    const top0 = mulHigh(m0h, x0h) + upper(d0);
    const middle1 = mulHigh(m1l, x2l) + (Math.imul(m1l, x2h) >>> 0) + (Math.imul(m1h, x2l) >>> 0);
    const d1 = mulHigh(m1l, x2h) + mulHigh(m1h, x2l) + (Math.imul(m1h, x2h) >>> 0) + upper(middle1);
    const top1 = mulHigh(m1h, x2h) + upper(d1);
    const bottom0 = Math.imul(m0l, x0l);
    const bottom1 = Math.imul(m1l, x2l);
    x0l = toInt32(d1) ^ x1l ^ k0l;
    x0h = toInt32(top1) ^ x1h ^ k0h;
    x1l = bottom1;
    x1h = toInt32(middle1);
    x2l = toInt32(d0) ^ x3l ^ k1l;
    x2h = toInt32(top0) ^ x3h ^ k1h;
    x3l = bottom0;
    x3h = toInt32(middle0);
    const nextK0 = (k0l >>> 0) + step0l;
    k0h = toInt32((k0h >>> 0) + step0h + upper(nextK0));
    k0l = toInt32(nextK0);
    const nextK1 = (k1l >>> 0) + step1l;
    k1h = toInt32((k1h >>> 0) + step1h + upper(nextK1));
    k1l = toInt32(nextK1);
  }
  out[0] = x0l;
  out[1] = x0h;
  out[2] = x1l;
  out[3] = x1h;
  out[4] = x2l;
  out[5] = x2h;
  out[6] = x3l;
  out[7] = x3h;
}

/** Returns the high 32 bits of the product of two unsigned 32-bit numbers. */
function mulHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const low = aHigh * bLow + (Math.imul(aLow, bLow) >>> 16);
  const middle = aLow * bHigh + (low & 0xffff);
  return aHigh * bHigh + (low >>> 16) + (middle >>> 16);
}

/** Returns the bits above the lower 32 of a whole number below 2^53. */
function upper(value: number): number {
  return Math.floor(value / 4294967296);
}

/** Returns the lower 32 bits of a whole number below 2^53, as a signed integer. */
function toInt32(value: number): number {
  return value | 0;
}
