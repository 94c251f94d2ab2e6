/** Reads the blocks of rows from a body that may be anybody's (mask-code.ts). */
import { BitReader, type BitWriter, bitsAtOnce } from './bits.ts';
import { countOf, findSubset, halfBits, listedSize, listedSubset } from './combination.ts';
import { classCodeLengths, lengthBits, type MaskLayout, symbolStride } from './mask-layout.ts';
import { codeLengthMax, fillDecodeTable, isCompleteCode } from './prefix-code.ts';
import { ProtocolError } from './protocol-error.ts';

/** The bits that tell a code. */
const codeWindow = (1 << codeLengthMax) - 1;

/** Reads a body: the codes at once, what follows as it is asked. All methods throw ProtocolError 1002 for what no body has. */
export class MaskReader {
  private readonly layout: MaskLayout;
  private readonly body: BitReader;
  private readonly bitCount: number;
  private readonly lengths: Uint8Array[] = [];
  private readonly table: Uint16Array;
  private readonly counts: Uint32Array;
  /** Halves of a subset. */
  private readonly halves = new Int32Array(2);

  constructor(layout: MaskLayout, body: Uint8Array) {
    this.layout = layout;
    this.body = new BitReader(body);
    this.bitCount = body.length * 8;
    this.counts = new Uint32Array(layout.classSizes.length * symbolStride);
    this.table = new Uint16Array(layout.classSizes.length << codeLengthMax);
    layout.symbolCounts.forEach((symbols, index) => {
      const lengths = new Uint8Array(symbols);
      for (let symbol = 0; symbol < symbols; symbol++) {
        lengths[symbol] = this.body.read(lengthBits);
        this.expectNotBeyondEnd();
      }
      if (!isCompleteCode(lengths)) refuse('code lengths of no complete code');
      const from = index * symbolStride;
      fillDecodeTable(this.table, index << codeLengthMax, {
        lengths,
        widths: layout.ranks.widths.subarray(from, from + symbolStride),
      });
      this.lengths.push(lengths);
    });
  }

  /** Reads the blocks of a row into its mask; null: checks them and drops them. */
  readRow(mask: BitWriter | null): void {
    const { runSizes, longBiasSize } = this.layout;
    for (let run = 0; run < runSizes.length; run++) this.readRun(mask, run);
    this.readRaw(mask, longBiasSize);
    mask?.align();
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

  /** The hot loop of decoding: what it needs is taken out of `this` once, and what is rare is done elsewhere. */
  private readRun(mask: BitWriter | null, run: number): void {
    const { body, bitCount, counts, table, layout } = this;
    const { shorts } = layout.ranks;
    const size = layout.runSizes[run] as number;
    const index = layout.runClasses[run] as number;
    const escapeFrom = layout.escapes[index] as number;
    const from = index << codeLengthMax;
    let { bit } = body;
    for (let left = layout.runBlocks[run] as number; left > 0; left--) {
      if (bit > bitCount) refuse('the body ends early');
      const window = body.windowAt(bit);
      const entry = table[from + (window & codeWindow)] as number;
      const count = entry & 63;
      const cost = (entry >>> 6) & 15;
      const width = entry >>> 10;
      const cell = index * symbolStride + count;
      counts[cell] = (counts[cell] as number) + 1;
      bit += cost;
      if (count === escapeFrom) {
        body.bit = bit;
        this.readEscaped(mask, size, escapeFrom);
        bit = body.bit;
        continue;
      }
      // As readNumber, without a branch: which of its two lengths a rank has is as good as random.
      const short = shorts[cell] as number;
      const rest = cost + width < bitsAtOnce ? window >>> cost : body.windowAt(bit);
      const value = rest & ((1 << width) - 1);
      const isLong = (short - 1 - value) >>> 31;
      bit += width + isLong;
      if (mask === null) continue;
      const rank = value + ((value + ((rest >>> width) & 1) - short) & -isLong);
      const subset = size <= listedSize ? listedSubset(count, rank) : -1;
      if (subset >= 0) mask.write(subset, size);
      else this.writeSubset(mask, { size, count, rank });
    }
    body.bit = bit;
  }

  private writeSubset(mask: BitWriter, subset: { size: number; count: number; rank: number }): void {
    const { halves } = this;
    findSubset(halves, subset);
    mask.write(halves[0] as number, Math.min(subset.size, halfBits));
    if (subset.size > halfBits) mask.write(halves[1] as number, subset.size - halfBits);
  }

  /** Reads a block of at most 40 bits as they are. */
  private readEscaped(mask: BitWriter | null, size: number, escapeFrom: number): void {
    const low = this.body.read(Math.min(size, halfBits));
    const high = size > halfBits ? this.body.read(size - halfBits) : 0;
    if (countOf(low) + countOf(high) < escapeFrom) refuse('an escape for a subset that has a rank');
    mask?.write(low, Math.min(size, halfBits));
    if (size > halfBits) mask?.write(high, size - halfBits);
  }

  private readRaw(mask: BitWriter | null, size: number): void {
    for (let left = size; left > 0; left -= halfBits) {
      this.expectNotBeyondEnd();
      const count = Math.min(halfBits, left);
      const bits = this.body.read(count);
      mask?.write(bits, count);
    }
  }
}

function refuse(found: string): never {
  throw new ProtocolError(1002, `Cannot read a result: ${found}`);
}
