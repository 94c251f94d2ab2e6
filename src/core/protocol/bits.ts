/**
 * Bits in bytes, little bit order: bit p is bit (p mod 8) of byte ⌊p/8⌋. At most {@link bitsAtOnce} bits at a time, so that they lie
 * in the four bytes of one unaligned word; so an array to read or write needs {@link bitPaddingBytes} spare bytes at its end.
 * Positions stay below 2^31. Nothing here branches on the data: a mask's bits are as good as random.
 */

/** Spare bytes that an array needs behind its last bit: a word, and what a reader may take before it looks where it is. */
export const bitPaddingBytes = 16;
/** Bits that one call takes at most. */
export const bitsAtOnce = 24;

/** Reads bits, one after the other. */
export class BitReader {
  /** Position of the next bit. */
  bit = 0;
  private readonly view: DataView;

  /** @param bytes padded; kept, not copied. */
  constructor(bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Returns the bits from a position on: the lowest {@link bitsAtOnce} are right, those above may be anything. */
  windowAt(bit: number): number {
    return this.view.getInt32(bit >>> 3, true) >>> (bit & 7);
  }

  /** Returns the next `count` ≤ {@link bitsAtOnce} bits; the first one is the lowest. */
  read(count: number): number {
    const value = this.windowAt(this.bit) & ((1 << count) - 1);
    this.bit += count;
    return value;
  }
}

/** Writes bits, one after the other. Whatever was in the array before is overwritten, up to three bytes beyond the last bit. */
export class BitWriter {
  private readonly view: DataView;
  /** Whole bytes written. */
  private at: number;
  /** Bits of the byte after them, and how many. */
  private open = 0;
  private openCount = 0;

  /** @param bytes with padding; written to, not copied. */
  constructor(bytes: Uint8Array, fromByte = 0) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = fromByte;
  }

  /** Bytes that have been begun. */
  get byteCount(): number {
    return this.at + (this.openCount > 0 ? 1 : 0);
  }

  /** Writes the lowest `count` ≤ {@link bitsAtOnce} bits of a number that has no others. */
  write(value: number, count: number): void {
    const word = this.open | (value << this.openCount);
    this.view.setUint32(this.at, word, true);
    const end = this.openCount + count;
    this.at += end >>> 3;
    this.open = word >>> (end & 24);
    this.openCount = end & 7;
  }

  /** Leaves out whole bytes; to be called where one begins. */
  skip(byteCount: number): void {
    this.at += byteCount;
  }

  /** Goes on at the next whole byte; the bits left out are 0. */
  align(): void {
    this.at = this.byteCount;
    this.open = 0;
    this.openCount = 0;
  }
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
