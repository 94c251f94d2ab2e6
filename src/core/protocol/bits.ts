/**
 * Bits in bytes, little bit order: bit p is bit (p mod 8) of byte ⌊p/8⌋. At most {@link bitsAtOnce} bits at a time, so that they lie
 * in the four bytes of one unaligned word. Positions stay below 2^31. Nothing here branches on the bits: those of a mask are as
 * good as random.
 */

/** Spare bytes that an array to write to needs behind its last bit. */
export const bitPaddingBytes = 4;
/** Bits that one call takes at most. */
export const bitsAtOnce = 24;

/** Reads bits, one after the other; zeros beyond the end. */
export class BitReader {
  /** Position of the next bit. */
  bit = 0;
  private readonly view: DataView;
  /** Where the last whole word begins. */
  private readonly lastWord: number;

  /** @param bytes kept, not copied. */
  constructor(bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.lastWord = bytes.byteLength - 4;
  }

  /** Returns the bits from a position on: the lowest {@link bitsAtOnce} are right, those above may be anything. */
  windowAt(bit: number): number {
    const at = bit >>> 3;
    return (at <= this.lastWord ? this.view.getInt32(at, true) : this.endAt(at)) >>> (bit & 7);
  }

  /** Returns the next `count` ≤ {@link bitsAtOnce} bits; the first one is the lowest. */
  read(count: number): number {
    const value = this.windowAt(this.bit) & ((1 << count) - 1);
    this.bit += count;
    return value;
  }

  private endAt(at: number): number {
    let word = 0;
    for (let byte = this.view.byteLength - 1; byte >= at; byte--)
      word = (word << 8) | this.view.getUint8(byte);
    return word;
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

/** Returns the bytes and zeros up to the length, in memory of its own. */
export function grown(bytes: Uint8Array, length: number): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(length);
  copy.set(bytes);
  return copy;
}
