/** Writes the blocks of rows into a body (mask-code.ts). */
import { BitReader, BitWriter, bitPaddingBytes, bitsAtOnce } from './bits.ts';
import { countOf, halfBits, subsetCountBits, subsetCountMask, subsetNumber } from './combination.ts';
import { classCodeLengths, lengthBits, type MaskLayout, symbolStride } from './mask-layout.ts';
import { codesOf, costsOf } from './prefix-code.ts';

/** What a body is made of. */
export interface MaskSource {
  /** Those of all copies; they are kept, not copied. */
  readonly masks: Uint8Array;
  readonly rowBytes: number;
  readonly copies: number;
  /** Rows that are no copies. */
  readonly missed: number;
}

/** Bits that a row takes beside its blocks: whether it is a copy, and the first block without a subset. */
const rowBitsMax = 33;

/** Writes a body from masks: the codes at once, what follows as it is told. */
export class MaskWriter {
  private readonly layout: MaskLayout;
  private readonly rowBytes: number;
  private readonly masks: BitReader;
  /** At class · symbolStride + k: the code of a subset of k, and its bits; the escape's where there is one. */
  private readonly codes: Uint16Array;
  private readonly costs: Uint8Array;
  private readonly bytes: Uint8Array;
  private readonly out: BitWriter;

  constructor(layout: MaskLayout, source: MaskSource) {
    this.layout = layout;
    this.rowBytes = source.rowBytes;
    this.masks = new BitReader(source.masks);
    this.codes = new Uint16Array(layout.classSizes.length * symbolStride);
    this.costs = new Uint8Array(layout.classSizes.length * symbolStride);
    const counts = countSymbols(layout, source);
    const lengths = Array.from(layout.classSizes, (_, index) => classCodeLengths(layout, counts, index));
    lengths.forEach((own, index) => {
      this.setCodes(index, own);
    });
    this.bytes = new Uint8Array(this.bytesMax(counts, source));
    this.out = new BitWriter(this.bytes);
    for (const own of lengths) for (const length of own) this.out.write(length, lengthBits);
  }

  /** Writes the blocks of a copy. */
  writeRow(copy: number): void {
    const { runSizes, longBiasSize } = this.layout;
    this.masks.bit = 8 * this.rowBytes * copy;
    for (let run = 0; run < runSizes.length; run++) this.writeRun(run);
    this.writeRaw(longBiasSize);
  }

  /** Writes a number below `limit` ≤ 2^30. */
  writeNumber(value: number, limit: number): void {
    const width = 31 - Math.clz32(limit);
    const short = 2 * 2 ** width - limit;
    if (value < short) {
      this.writeLong(value, width);
      return;
    }
    const long = value + short;
    this.writeLong(long >>> 1, width);
    this.writeBits(long & 1, 1);
  }

  /** Writes the lowest `count` ≤ 24 bits of a number that has no others. */
  writeBits(value: number, count: number): void {
    this.out.write(value, count);
  }

  /** Returns the body. */
  finish(): Uint8Array {
    return this.bytes.slice(0, this.out.byteCount);
  }

  private setCodes(index: number, lengths: Uint8Array): void {
    const from = index * symbolStride;
    const escapeFrom = this.layout.escapes[index] as number;
    const codes = codesOf(lengths);
    const costs = costsOf(lengths);
    for (let count = 0; count < symbolStride; count++) {
      const symbol = Math.min(count, escapeFrom);
      this.codes[from + count] = codes[symbol] ?? 0;
      this.costs[from + count] = costs[symbol] ?? 0;
    }
  }

  /** Returns how long the body may be, from how often each symbol occurs. */
  private bytesMax(counts: Uint32Array, { copies, missed }: MaskSource): number {
    const { classSizes, symbolCounts, escapes, ranks, longBiasSize } = this.layout;
    let bits = (copies + missed) * rowBitsMax + copies * longBiasSize;
    classSizes.forEach((size, index) => {
      for (let symbol = 0; symbol < (symbolCounts[index] ?? 0); symbol++) {
        const cell = index * symbolStride + symbol;
        const rest = symbol === escapes[index] ? size : (ranks.widths[cell] ?? 0) + 1;
        bits += lengthBits + (counts[cell] ?? 0) * ((this.costs[cell] ?? 0) + rest);
      }
    });
    return Math.ceil(bits / 8) + bitPaddingBytes;
  }

  /** The hot loop of coding, about 13 ns a block: what it needs is taken out of `this` once, and what is rare is done elsewhere. */
  private writeRun(run: number): void {
    const { masks, out, codes, costs, layout } = this;
    const { widths, shorts } = layout.ranks;
    const size = layout.runSizes[run] as number;
    const index = layout.runClasses[run] as number;
    const escapeFrom = layout.escapes[index] as number;
    const lowSize = Math.min(size, halfBits);
    const highSize = size - lowSize;
    for (let left = layout.runBlocks[run] as number; left > 0; left--) {
      const low = masks.read(lowSize);
      const high = highSize > 0 ? masks.read(highSize) : 0;
      const number = subsetNumber(low, high);
      const count = number & subsetCountMask;
      const cell = index * symbolStride + count;
      const code = codes[cell] as number;
      const cost = costs[cell] as number;
      if (count >= escapeFrom) {
        out.write(code, cost);
        out.write(low, lowSize);
        out.write(high, highSize);
        continue;
      }
      // As writeNumber, without a branch: which of its two lengths a rank has is as good as random.
      const rank = number >>> subsetCountBits;
      const width = widths[cell] as number;
      const short = shorts[cell] as number;
      const isLong = (short - 1 - rank) >>> 31;
      const long = rank + (short & -isLong);
      const value = (long >>> isLong) | ((long & isLong) << width);
      if (cost + width < bitsAtOnce) {
        out.write(code | (value << cost), cost + width + isLong);
      } else {
        out.write(code, cost);
        out.write(value, width + isLong);
      }
    }
  }

  private writeRaw(size: number): void {
    for (let left = size; left > 0; left -= halfBits) {
      const count = Math.min(halfBits, left);
      this.out.write(this.masks.read(count), count);
    }
  }

  private writeLong(value: number, count: number): void {
    const lower = Math.min(count, halfBits);
    this.out.write(value & ((1 << lower) - 1), lower);
    if (count > lower) this.out.write(value >>> lower, count - lower);
  }
}

/** Returns how often each symbol occurs, at [class · symbolStride + symbol]. */
function countSymbols(layout: MaskLayout, { masks, rowBytes, copies }: MaskSource): Uint32Array {
  const counts = new Uint32Array(layout.classSizes.length * symbolStride);
  const reader = new BitReader(masks);
  for (let copy = 0; copy < copies; copy++) {
    reader.bit = 8 * rowBytes * copy;
    for (let run = 0; run < layout.runSizes.length; run++) countRun(counts, reader, { layout, run });
  }
  foldEscapes(layout, counts);
  return counts;
}

function countRun(
  counts: Uint32Array,
  reader: BitReader,
  { layout, run }: { readonly layout: MaskLayout; readonly run: number },
): void {
  const size = layout.runSizes[run] as number;
  const from = (layout.runClasses[run] as number) * symbolStride;
  const lowSize = Math.min(size, halfBits);
  const highSize = size - lowSize;
  for (let left = layout.runBlocks[run] as number; left > 0; left--) {
    const count = countOf(reader.read(lowSize)) + (highSize > 0 ? countOf(reader.read(highSize)) : 0);
    counts[from + count] = (counts[from + count] as number) + 1;
  }
}

/** Subsets too large to have a rank are all one symbol. */
function foldEscapes({ classSizes, escapes }: MaskLayout, counts: Uint32Array): void {
  classSizes.forEach((size, index) => {
    const from = index * symbolStride;
    const escapeFrom = escapes[index] as number;
    for (let count = escapeFrom + 1; count <= size; count++) {
      counts[from + escapeFrom] = (counts[from + escapeFrom] ?? 0) + (counts[from + count] ?? 0);
      counts[from + count] = 0;
    }
  });
}
