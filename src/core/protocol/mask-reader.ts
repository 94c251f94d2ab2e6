/** Reads the blocks of rows from a body that may be anybody's (mask-code.ts). */
import { BitReader, type BitWriter, bitsAtOnce, padded } from './bits.ts';
import { countOf, findSubset, halfBits, listedSize, listedSubset } from './combination.ts';
import { classCodeLengths, lengthBits, type MaskLayout, symbolStride } from './mask-layout.ts';
import { codeLengthMax, fillDecodeTable, isCompleteCode } from './prefix-code.ts';
import { ProtocolError } from './protocol-error.ts';

/** Reads a body: the codes at once, what follows as it is asked. All methods throw ProtocolError 1002 for what no body has. */
export class MaskReader {
  private readonly layout: MaskLayout;
  private readonly body: BitReader;
  private readonly bitCount: number;
  private readonly lengths: Uint8Array[] = [];
  private readonly table: Uint16Array;
  private readonly counts: Float64Array;
  /** Halves of a subset. */
  private readonly halves = new Int32Array(2);

  constructor(layout: MaskLayout, body: Uint8Array) {
    this.layout = layout;
    this.body = new BitReader(padded(body));
    this.bitCount = body.length * 8;
    this.counts = new Float64Array(layout.classSizes.length * symbolStride);
    this.table = new Uint16Array(layout.classSizes.length << codeLengthMax);
    layout.symbolCounts.forEach((symbols, index) => {
      const lengths = new Uint8Array(symbols);
      for (let symbol = 0; symbol < symbols; symbol++) {
        lengths[symbol] = this.body.read(lengthBits);
        this.expectNotBeyondEnd();
      }
      if (!isCompleteCode(lengths)) refuse('code lengths of no complete code');
      fillDecodeTable(this.table, index << codeLengthMax, lengths);
      this.lengths.push(lengths);
    });
  }

  /** Reads the blocks of a row into its mask. */
  readRow(mask: BitWriter): void {
    const { groupSizes, groupClasses, taps, biasSize, biasClass } = this.layout;
    for (let group = 0; group < groupSizes.length; group++) {
      const size = groupSizes[group] as number;
      const index = groupClasses[group] as number;
      for (let tap = 0; tap < taps; tap++) this.readBlock(mask, size, index);
    }
    if (biasClass >= 0) this.readBlock(mask, biasSize, biasClass);
    else this.readRaw(mask, biasSize);
    mask.align();
  }

  /** Returns a number below `limit` ≤ 2^30. */
  readNumber(limit: number): number {
    const width = 31 - Math.clz32(limit);
    const short = 2 * 2 ** width - limit;
    const lower = Math.min(width, halfBits);
    let value = this.body.read(lower);
    if (width > lower) value |= this.body.read(width - lower) << lower;
    return value < short ? value : 2 * value + this.body.read(1) - short;
  }

  /** Returns `count` ≤ 24 bits; zeros beyond the end. */
  readBits(count: number): number {
    return this.body.read(count);
  }

  /** Refuses if more was read than there is. */
  expectNotBeyondEnd(): void {
    if (this.body.bit > this.bitCount) refuse('the body ends early');
  }

  /** Refuses bytes too many, filling bits that are not 0, and codes that are not those of what was found. */
  expectEnd(): void {
    const left = this.bitCount - this.body.bit;
    if (left < 0 || left > 7 || this.body.read(left) !== 0) refuse('the body does not end where it should');
    this.lengths.forEach((lengths, index) => {
      const expected = classCodeLengths(this.layout, this.counts, index);
      if (!lengths.every((length, symbol) => length === expected[symbol]))
        refuse('codes that are not those of the subsets found');
    });
  }

  private readBlock(mask: BitWriter, size: number, index: number): void {
    const { body, counts } = this;
    const { escapes, ranks } = this.layout;
    if (body.bit > this.bitCount) refuse('the body ends early');
    let window = body.peek();
    const entry = this.table[(index << codeLengthMax) + (window & ((1 << codeLengthMax) - 1))] as number;
    const cost = entry & 15;
    const symbol = entry >>> 4;
    const cell = index * symbolStride + symbol;
    counts[cell] = (counts[cell] as number) + 1;
    body.bit += cost;
    if (symbol === (escapes[index] as number)) {
      this.readEscaped(mask, size, symbol);
      return;
    }
    // As readNumber, without a branch: which of the two lengths a rank has is as good as random.
    const width = ranks.widths[cell] as number;
    const short = ranks.shorts[cell] as number;
    window = cost + width < bitsAtOnce ? window >>> cost : body.peek();
    const value = window & ((1 << width) - 1);
    const isLong = (short - 1 - value) >>> 31;
    const rank = value + ((value + ((window >>> width) & 1) - short) & -isLong);
    body.bit += width + isLong;
    this.writeSubset(mask, size, symbol, rank);
  }

  private writeSubset(mask: BitWriter, size: number, count: number, rank: number): void {
    const subset = listedSubset(count, rank);
    if (subset < 0) {
      findSubset(this.halves, { size, count, rank });
      mask.write(this.halves[0] as number, Math.min(size, halfBits));
      if (size > halfBits) mask.write(this.halves[1] as number, size - halfBits);
      return;
    }
    mask.write(subset, Math.min(size, listedSize));
    if (size > listedSize) mask.write(0, size - listedSize);
  }

  /** Reads a block of at most 40 bits as they are. */
  private readEscaped(mask: BitWriter, size: number, escape: number): void {
    const low = this.body.read(Math.min(size, halfBits));
    const high = size > halfBits ? this.body.read(size - halfBits) : 0;
    if (countOf(low) + countOf(high) < escape) refuse('an escape for a subset that has a rank');
    mask.write(low, Math.min(size, halfBits));
    if (size > halfBits) mask.write(high, size - halfBits);
  }

  private readRaw(mask: BitWriter, size: number): void {
    for (let left = size; left > 0; left -= halfBits) {
      this.expectNotBeyondEnd();
      const count = Math.min(halfBits, left);
      mask.write(this.body.read(count), count);
    }
  }
}

function refuse(found: string): never {
  throw new ProtocolError(1002, `Cannot read a result: ${found}`);
}
