/**
 * The body of a result: what a worker found for a tile, at about 9.5 bits a block (n = 20, ε = 0.01, fewest).
 *
 * The body is a string of bits, little bit order, filled up with zeros to whole bytes:
 *
 *   for each class of blocks (mask-layout.ts), for each of its symbols: the length of its code, 4 bits (prefix-code.ts)
 *   for each neuron of the tile, for each row from firstRow on, until `wanted` copies are found or rowCount rows tried:
 *     1 and the row's blocks, if the row is a copy
 *     0 and the first block without a subset, a number below blocksPerRow, if it was missed
 *
 *   block of n ≤ 40: the code of its symbol, which is the size k of its subset; then its rank among the subsets of that size
 *            (combination.ts), a number below C(n, k). From the first k with C(n, k) > 2^24 on, the symbol is the escape
 *            and the n bits of the mask follow as they are
 *   longer bias block: its bits as they are
 *   a number below N ("truncated binary"): let b = ⌊log2 N⌋, u = 2^(b+1) − N. v < u is b bits of v; else v + u is
 *            sent as its upper b bits, then its lowest bit. Every string of bits is a number below N
 *
 * A result has one body. Decoding refuses any other: codes that are not those of the counts found, an escape for a subset that has
 * a rank, bits beyond the end. So a body that decodes is a result of legal shape; whether it is right is verified elsewhere.
 */
import { invariant } from '../errors.ts';
import {
  blocksPerRow,
  type LayerProblem,
  rowMaskBits,
  rowMaskBytes,
  type Tile,
  type TileResult,
} from '../plan/tile.ts';
import { bitPaddingBytes, orBits, padded, readBits } from './bits.ts';
import { countSubset, rankSubset, setSubset } from './combination.ts';
import { type MaskLayout, maskLayout, symbolStride } from './mask-layout.ts';
import {
  codeLengthMax,
  codeLengths,
  codesOf,
  costsOf,
  fillDecodeTable,
  isCompleteCode,
} from './prefix-code.ts';
import { ProtocolError } from './protocol-error.ts';

/** Bits that are copied at a time where they travel as they are. */
const rawBits = 20;
const lengthBits = 4;

/**
 * Returns the body of a tile's result.
 * @throws Error when the result has not the shape that its tile asks for: ours always have.
 */
export function encodeResultBody(problem: LayerProblem, tile: Tile, result: TileResult): Uint8Array {
  const layout = maskLayout(problem);
  const rowBytes = rowMaskBytes(problem);
  const masks = padded(result.masks);
  const copies = result.copyRows.length;
  invariant(result.masks.length === copies * rowBytes, 'the masks of a result have the length of its copies');
  const counts = countSymbols(layout, masks, { copies, rowBytes });
  const writer = new BlockWriter(layout, counts, masks);
  const blocks = blocksPerRow(problem);
  const spare = rowBytes * 8 - rowMaskBits(problem);
  let copy = 0;
  let miss = 0;
  tile.neurons.forEach(({ firstRow, rowCount, wanted }, index) => {
    let found = 0;
    for (let row = firstRow; row < firstRow + rowCount && found < wanted; row++) {
      writer.reserve(rowBytes);
      if (
        result.misses[miss] === row &&
        !(found < (result.copyCounts[index] ?? 0) && result.copyRows[copy] === row)
      ) {
        writer.writeBits(0, 1);
        writer.writeNumber(result.misses[miss + 1] ?? 0, blocks);
        miss += 2;
        continue;
      }
      invariant(result.copyRows[copy] === row, 'every row of a result is a copy or missed, in order');
      invariant(
        spare === 0 || readBits(masks, (copy + 1) * rowBytes * 8 - spare, spare) === 0,
        'spare bits are 0',
      );
      writer.writeBits(1, 1);
      writer.writeRow(copy * rowBytes * 8);
      copy++;
      found++;
    }
    invariant(found === result.copyCounts[index], 'a neuron has the copies that are counted');
  });
  invariant(copy === copies && miss === result.misses.length, 'a result has no rows beyond those to try');
  return writer.finish();
}

/**
 * Returns the result that a body holds, in arrays of its own.
 * @throws ProtocolError 1002 when it holds none.
 */
export function decodeResultBody(problem: LayerProblem, tile: Tile, body: Uint8Array): TileResult {
  const reader = new BlockReader(maskLayout(problem), body);
  const rowBytes = rowMaskBytes(problem);
  const blocks = blocksPerRow(problem);
  // A copy costs a bit at least, so a short body cannot make us hold much.
  const copiesMax = Math.min(mostCopies(tile), body.length * 8);
  let masks = new Uint8Array(bitPaddingBytes + rowBytes * Math.min(copiesMax, 16));
  const copyCounts = new Int32Array(tile.neurons.length);
  const copyRows: number[] = [];
  const misses: number[] = [];
  tile.neurons.forEach(({ firstRow, rowCount, wanted }, index) => {
    let found = 0;
    for (let row = firstRow; row < firstRow + rowCount && found < wanted; row++) {
      if (reader.readBits(1) === 0) {
        misses.push(row, reader.readNumber(blocks));
      } else {
        const at = copyRows.length * rowBytes;
        if (at + rowBytes + bitPaddingBytes > masks.length)
          masks = grown(masks, bitPaddingBytes + rowBytes * Math.min(copiesMax, 2 * copyRows.length + 1));
        reader.readRow(masks, at * 8);
        copyRows.push(row);
        found++;
      }
      reader.expectNotBeyondEnd();
    }
    copyCounts[index] = found;
  });
  reader.expectEnd();
  return {
    tileId: tile.id,
    copyCounts,
    copyRows: Int32Array.from(copyRows),
    masks: masks.slice(0, copyRows.length * rowBytes),
    misses: Int32Array.from(misses),
  };
}

function mostCopies(tile: Tile): number {
  return tile.neurons.reduce((sum, { rowCount, wanted }) => sum + Math.min(rowCount, wanted), 0);
}

function grown(bytes: Uint8Array, length: number): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(length);
  copy.set(bytes);
  return copy;
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

function lengthsOf(layout: MaskLayout, counts: Float64Array, index: number): Uint8Array {
  const from = index * symbolStride;
  return codeLengths(counts.subarray(from, from + (layout.symbolCounts[index] ?? 0)));
}

/** Writes a body from the masks. */
class BlockWriter {
  private readonly layout: MaskLayout;
  private readonly masks: Uint8Array;
  private readonly codes: Uint16Array;
  private readonly costs: Uint8Array;
  private bytes: Uint8Array;
  private bit = 0;

  constructor(layout: MaskLayout, counts: Float64Array, masks: Uint8Array) {
    this.layout = layout;
    this.masks = masks;
    this.codes = new Uint16Array(layout.subsetCounts.length);
    this.costs = new Uint8Array(layout.subsetCounts.length);
    this.bytes = new Uint8Array(masks.length + layout.classSizes.length * 32 + 64);
    layout.classSizes.forEach((_, index) => {
      const lengths = lengthsOf(layout, counts, index);
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

  writeBits(value: number, count: number): void {
    orBits(this.bytes, this.bit, value);
    this.bit += count;
  }

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

/** Reads a body into masks. */
class BlockReader {
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

  readNumber(count: number): number {
    const width = 31 - Math.clz32(count);
    const short = (2 << width) - count;
    const value = this.readBits(width);
    return value < short ? value : 2 * value + this.readBits(1) - short;
  }

  readBits(count: number): number {
    const value = readBits(this.bytes, this.bit, count);
    this.bit += count;
    return value;
  }

  expectNotBeyondEnd(): void {
    if (this.bit > this.bitCount) refuse('the body ends early');
  }

  /** Refuses bytes too many, filling bits that are not 0, and codes that are not those of what was found. */
  expectEnd(): void {
    const left = this.bitCount - this.bit;
    if (left < 0 || left > 7 || this.readBits(left) !== 0) refuse('the body does not end where it should');
    this.lengths.forEach((lengths, index) => {
      const expected = lengthsOf(this.layout, this.counts, index);
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
