/** Reads the blocks of rows from a body that may be anybody's (mask-code.ts). */
import { orBits, padded, readBits } from './bits.ts';
import { countSubset, setSubset } from './combination.ts';
import { classCodeLengths, lengthBits, type MaskLayout, rawBits, symbolStride } from './mask-layout.ts';
import { codeLengthMax, fillDecodeTable, isCompleteCode } from './prefix-code.ts';
import { ProtocolError } from './protocol-error.ts';

/** Reads a body: the codes at once, what follows as it is asked. All methods throw ProtocolError 1002 for what no body has. */
export class MaskReader {
  private readonly layout: MaskLayout;
  private readonly bytes: Uint8Array;
  private readonly bitCount: number;
  private readonly lengths: Uint8Array[] = [];
  private readonly table: Uint16Array;
  private readonly counts: Float64Array;
  private bit = 0;

  constructor(layout: MaskLayout, body: Uint8Array) {
    this.layout = layout;
    this.bytes = padded(body);
    this.bitCount = body.length * 8;
    this.counts = new Float64Array(layout.classSizes.length * symbolStride);
    this.table = new Uint16Array(layout.classSizes.length << codeLengthMax);
    layout.symbolCounts.forEach((symbols, index) => {
      const lengths = new Uint8Array(symbols);
      for (let symbol = 0; symbol < symbols; symbol++) lengths[symbol] = this.readBits(lengthBits);
      this.expectNotBeyondEnd();
      if (!isCompleteCode(lengths)) refuse('code lengths of no complete code');
      fillDecodeTable(this.table, index << codeLengthMax, lengths);
      this.lengths.push(lengths);
    });
  }

  /** Reads the blocks of a row into its mask, which starts at bit `to` and is zero. */
  readRow(masks: Uint8Array, to: number): void {
    const { groupSizes, groupClasses, taps, biasSize, biasClass } = this.layout;
    let at = to;
    for (let group = 0; group < groupSizes.length; group++) {
      const size = groupSizes[group] as number;
      const index = groupClasses[group] as number;
      for (let tap = 0; tap < taps; tap++, at += size) this.readBlock(masks, { at, size, index });
      if (this.bit > this.bitCount) refuse('the body ends early');
    }
    if (biasClass >= 0) this.readBlock(masks, { at, size: biasSize, index: biasClass });
    else this.readRaw(masks, at, biasSize);
  }

  /** Returns a number below `count`. */
  readNumber(count: number): number {
    const width = 31 - Math.clz32(count);
    const short = (2 << width) - count;
    const value = this.readBits(width);
    return value < short ? value : 2 * value + this.readBits(1) - short;
  }

  /** Returns `count` ≤ 25 bits; zeros beyond the end. */
  readBits(count: number): number {
    const value = readBits(this.bytes, this.bit, count);
    this.bit += count;
    return value;
  }

  /** Refuses if more was read than there is. */
  expectNotBeyondEnd(): void {
    if (this.bit > this.bitCount) refuse('the body ends early');
  }

  /** Refuses bytes too many, filling bits that are not 0, and codes that are not those of what was found. */
  expectEnd(): void {
    const left = this.bitCount - this.bit;
    if (left < 0 || left > 7 || this.readBits(left) !== 0) refuse('the body does not end where it should');
    this.lengths.forEach((lengths, index) => {
      const expected = classCodeLengths(this.layout, this.counts, index);
      if (!lengths.every((length, symbol) => length === expected[symbol]))
        refuse('codes that are not those of the subsets found');
    });
  }

  private readBlock(
    masks: Uint8Array,
    { at, size, index }: { at: number; size: number; index: number },
  ): void {
    const { escapes, subsetCounts } = this.layout;
    const entry = this.table[
      (index << codeLengthMax) + readBits(this.bytes, this.bit, codeLengthMax)
    ] as number;
    this.bit += entry & 15;
    const symbol = entry >>> 4;
    const cell = index * symbolStride + symbol;
    this.counts[cell] = (this.counts[cell] as number) + 1;
    if (symbol === (escapes[index] as number)) {
      this.readRaw(masks, at, size);
      if (countSubset(masks, at, size) < symbol) refuse('an escape for a subset that has a rank');
      return;
    }
    const rank = this.readNumber(subsetCounts[cell] as number);
    if (symbol > 0) setSubset(masks, at, { size, count: symbol, rank });
  }

  private readRaw(masks: Uint8Array, at: number, size: number): void {
    for (let done = 0; done < size; done += rawBits)
      orBits(masks, at + done, this.readBits(Math.min(rawBits, size - done)));
  }
}

function refuse(found: string): never {
  throw new ProtocolError(1002, `Cannot read a result: ${found}`);
}
