/** Writes the blocks of rows into a body (mask-code.ts). */
import { grown, orBits, readBits } from './bits.ts';
import { countSubset, rankSubset } from './combination.ts';
import { classCodeLengths, lengthBits, type MaskLayout, rawBits, symbolStride } from './mask-layout.ts';
import { codesOf, costsOf } from './prefix-code.ts';

/** Writes a body from masks: the codes at once, what follows as it is told. */
export class MaskWriter {
  private readonly layout: MaskLayout;
  private readonly masks: Uint8Array;
  private readonly codes: Uint16Array;
  private readonly costs: Uint8Array;
  private bytes: Uint8Array;
  private bit = 0;

  /** `masks` are those of all copies, padded (bits.ts); they are kept, not copied. */
  constructor(
    layout: MaskLayout,
    masks: Uint8Array,
    { copies, rowBytes }: { readonly copies: number; readonly rowBytes: number },
  ) {
    this.layout = layout;
    this.masks = masks;
    this.codes = new Uint16Array(layout.subsetCounts.length);
    this.costs = new Uint8Array(layout.subsetCounts.length);
    const counts = countSymbols(layout, masks, { copies, rowBytes });
    this.bytes = new Uint8Array(masks.length + layout.classSizes.length * 32 + 64);
    layout.classSizes.forEach((_, index) => {
      const lengths = classCodeLengths(layout, counts, index);
      this.codes.set(codesOf(lengths), index * symbolStride);
      this.costs.set(costsOf(lengths), index * symbolStride);
      for (const length of lengths) this.writeBits(length, lengthBits);
    });
  }

  /** Makes room for one more row: no block takes more bits than its code's and, rank or raw, two more than it has samples. */
  reserve(rowBytes: number): void {
    const { groupSizes, taps } = this.layout;
    const needed = (this.bit >>> 3) + rowBytes + 2 * (groupSizes.length * taps + 8);
    if (needed > this.bytes.length) this.bytes = grown(this.bytes, 2 * needed);
  }

  /** Writes the blocks of the row whose mask starts at bit `from`. */
  writeRow(from: number): void {
    const { groupSizes, groupClasses, taps, biasSize, biasClass } = this.layout;
    let at = from;
    for (let group = 0; group < groupSizes.length; group++) {
      const size = groupSizes[group] as number;
      const index = groupClasses[group] as number;
      for (let tap = 0; tap < taps; tap++, at += size) this.writeBlock(at, size, index);
    }
    if (biasClass >= 0) this.writeBlock(at, biasSize, biasClass);
    else this.writeRaw(at, biasSize);
  }

  /** Writes a number below `count`. */
  writeNumber(value: number, count: number): void {
    const width = 31 - Math.clz32(count);
    const short = (2 << width) - count;
    if (value < short) {
      this.writeBits(value, width);
      return;
    }
    const long = value + short;
    this.writeBits(long >>> 1, width);
    this.writeBits(long & 1, 1);
  }

  /** Writes the lowest `count` ≤ 25 bits of a number that has no others. */
  writeBits(value: number, count: number): void {
    orBits(this.bytes, this.bit, value);
    this.bit += count;
  }

  /** Returns the body. */
  finish(): Uint8Array {
    return this.bytes.slice(0, Math.ceil(this.bit / 8));
  }

  private writeBlock(at: number, size: number, index: number): void {
    const { escapes, subsetCounts } = this.layout;
    const count = countSubset(this.masks, at, size);
    const raw = escapes[index] as number;
    const cell = index * symbolStride + (count < raw ? count : raw);
    this.writeBits(this.codes[cell] as number, this.costs[cell] as number);
    if (count < raw) this.writeNumber(rankSubset(this.masks, at, size), subsetCounts[cell] as number);
    else this.writeRaw(at, size);
  }

  private writeRaw(at: number, size: number): void {
    for (let done = 0; done < size; done += rawBits) {
      const count = Math.min(rawBits, size - done);
      this.writeBits(readBits(this.masks, at + done, count), count);
    }
  }
}

function countSymbols(
  layout: MaskLayout,
  masks: Uint8Array,
  { copies, rowBytes }: { copies: number; rowBytes: number },
): Float64Array {
  const { groupSizes, groupClasses, escapes, taps, biasSize, biasClass } = layout;
  const counts = new Float64Array(layout.classSizes.length * symbolStride);
  const add = (at: number, size: number, index: number): void => {
    const cell = index * symbolStride + Math.min(countSubset(masks, at, size), escapes[index] as number);
    counts[cell] = (counts[cell] as number) + 1;
  };
  for (let copy = 0; copy < copies; copy++) {
    let at = copy * rowBytes * 8;
    for (let group = 0; group < groupSizes.length; group++) {
      const size = groupSizes[group] as number;
      for (let tap = 0; tap < taps; tap++, at += size) add(at, size, groupClasses[group] as number);
    }
    if (biasClass >= 0) add(at, biasSize, biasClass);
  }
  return counts;
}
