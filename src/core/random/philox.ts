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
  private readonly keys: Int32Array;
  private readonly block = new Int32Array(numbersPerBlock);
  private blockIndex = -1;

  /** @param stream a whole number below 2^32. */
  constructor(seed: bigint, stream: number) {
    this.keys = roundKeys(seed, BigInt(stream));
  }

  /** Returns number `position` (0 ≤ position < 2^53) of the stream as a signed 32-bit integer. */
  at(position: number): number {
    const blockIndex = Math.floor(position / numbersPerBlock);
    if (blockIndex !== this.blockIndex) {
      const counter = blockIndex + 1;
      fillBlock(this.block, counter | 0, Math.floor(counter * perWord) | 0, this.keys);
      this.blockIndex = blockIndex;
    }
    return this.block[position - blockIndex * numbersPerBlock] as number;
  }
}

const m0l = Number(multiplier0 & 0xffffffffn);
const m0h = Number(multiplier0 >> 32n);
const m1l = Number(multiplier1 & 0xffffffffn);
const m1h = Number(multiplier1 >> 32n);
const perWord = 2 ** -32;

/** Returns the round keys, four 32-bit numbers a round; they are the same for all blocks of a stream. */
function roundKeys(seed: bigint, stream: bigint): Int32Array {
  const keys = new Int32Array(4 * roundCount);
  for (let round = 0; round < roundCount; round++) {
    const key0 = (seed + BigInt(round) * keyStep0) & word64;
    const key1 = (stream + BigInt(round) * keyStep1) & word64;
    keys.set(
      [key0, key0 >> 32n, key1, key1 >> 32n].map((key) => Number(key & 0xffffffffn)),
      4 * round,
    );
  }
  return keys;
}

/**
 * Writes the eight 32-bit numbers of one block. Each of the 20 products of 64 × 64 bits is four of 32 × 32 bits; all sums stay
 * below 2^53. About 0.15 µs a block in V8.
 */
function fillBlock(out: Int32Array, counterLow: number, counterHigh: number, keys: Int32Array): void {
  let x0l = counterLow;
  let x0h = counterHigh;
  let x1l = 0;
  let x1h = 0;
  let x2l = 0;
  let x2h = 0;
  let x3l = 0;
  let x3h = 0;
  for (let key = 0; key < 4 * roundCount; key += 4) {
    const a = x0l >>> 0;
    const b = x0h >>> 0;
    const c = x2l >>> 0;
    const d = x2h >>> 0;
    const a0 = Math.imul(m0l, a) >>> 0;
    const b0 = Math.imul(m0l, b) >>> 0;
    const a1 = Math.imul(m0h, a) >>> 0;
    const b1 = Math.imul(m0h, b) >>> 0;
    const middle0 = highWord(m0l * a, a0) + b0 + a1;
    const third0 = highWord(m0l * b, b0) + highWord(m0h * a, a1) + b1 + Math.floor(middle0 * perWord);
    const top0 = highWord(m0h * b, b1) + Math.floor(third0 * perWord);
    const c0 = Math.imul(m1l, c) >>> 0;
    const d0 = Math.imul(m1l, d) >>> 0;
    const c1 = Math.imul(m1h, c) >>> 0;
    const d1 = Math.imul(m1h, d) >>> 0;
    const middle1 = highWord(m1l * c, c0) + d0 + c1;
    const third1 = highWord(m1l * d, d0) + highWord(m1h * c, c1) + d1 + Math.floor(middle1 * perWord);
    const top1 = highWord(m1h * d, d1) + Math.floor(third1 * perWord);
    x0l = (third1 | 0) ^ x1l ^ (keys[key] as number);
    x0h = (top1 | 0) ^ x1h ^ (keys[key + 1] as number);
    x2l = (third0 | 0) ^ x3l ^ (keys[key + 2] as number);
    x2h = (top0 | 0) ^ x3h ^ (keys[key + 3] as number);
    x1l = c0 | 0;
    x1h = middle1 | 0;
    x3l = a0 | 0;
    x3h = middle0 | 0;
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

/**
 * Returns the upper 32 bits of a product of two unsigned 32-bit numbers, from the product in float64 and its lower 32 bits.
 * Product and difference are each rounded by at most 2^10, so the quotient is less than 2^-20 off a whole number.
 */
function highWord(product: number, low: number): number {
  return Math.floor((product - low) * perWord + 0.5);
}
