/**
 * Bits in bytes, little bit order: bit p is bit (p mod 8) of byte ⌊p/8⌋. At most 25 bits at a time, so that they lie in four
 * bytes; so an array to read or write needs {@link bitPaddingBytes} spare bytes at its end. Positions stay below 2^31.
 */

/** Spare bytes that an array needs behind its last bit. */
export const bitPaddingBytes = 4;

/** Returns `count` ≤ 25 bits from position `bit` on; the first one is the lowest. */
export function readBits(bytes: Uint8Array, bit: number, count: number): number {
  const at = bit >>> 3;
  const window =
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24);
  return (window >>> (bit & 7)) & ((1 << count) - 1);
}

/** Sets the bits of `value` < 2^25 from position `bit` on; what it covers has to be zero before. */
export function orBits(bytes: Uint8Array, bit: number, value: number): void {
  const at = bit >>> 3;
  const window = value << (bit & 7);
  bytes[at] = (bytes[at] as number) | window;
  bytes[at + 1] = (bytes[at + 1] as number) | (window >>> 8);
  bytes[at + 2] = (bytes[at + 2] as number) | (window >>> 16);
  bytes[at + 3] = (bytes[at + 3] as number) | (window >>> 24);
}

/** Returns the bytes and some padding, zeros, in memory of its own. */
export function padded(bytes: Uint8Array): Uint8Array {
  return grown(bytes, bytes.length + bitPaddingBytes);
}

/** Returns the bytes and zeros up to the length, in memory of its own. */
export function grown(bytes: Uint8Array, length: number): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(length);
  copy.set(bytes);
  return copy;
}
