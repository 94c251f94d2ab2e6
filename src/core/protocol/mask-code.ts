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
import { BitWriter, bitPaddingBytes, grown } from './bits.ts';
import { maskLayout } from './mask-layout.ts';
import { MaskReader } from './mask-reader.ts';
import { MaskWriter } from './mask-writer.ts';

/** A body usually unpacks to a little less than so many times its size; to more it may, but not before it has been read so far. */
const unpackedFactor = 4;

/**
 * Returns the body of a tile's result.
 * @throws Error when the result has not the shape that its tile asks for: ours always have.
 */
export function encodeResultBody(problem: LayerProblem, tile: Tile, result: TileResult): Uint8Array {
  const layout = maskLayout(problem);
  const rowBytes = rowMaskBytes(problem);
  const copies = result.copyRows.length;
  invariant(result.masks.length === copies * rowBytes, 'the masks of a result have the length of its copies');
  const missed = result.misses.length / 2;
  const writer = new MaskWriter(layout, { masks: result.masks, rowBytes, copies, missed });
  const blocks = blocksPerRow(problem);
  const spare = rowBytes * 8 - rowMaskBits(problem);
  let copy = 0;
  let miss = 0;
  tile.neurons.forEach(({ firstRow, rowCount, wanted }, index) => {
    let found = 0;
    for (let row = firstRow; row < firstRow + rowCount && found < wanted; row++) {
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
        spare === 0 || (result.masks[(copy + 1) * rowBytes - 1] ?? 0) >>> (8 - spare) === 0,
        'spare bits are 0',
      );
      writer.writeBits(1, 1);
      writer.writeRow(copy);
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
 * @param isWanted which copies' masks are wanted, by their index: those of the others are left 0, all else is checked as ever.
 * @throws ProtocolError 1002 when it holds none.
 */
export function decodeResultBody(
  problem: LayerProblem,
  tile: Tile,
  body: Uint8Array,
  isWanted: (copy: number) => boolean = () => true,
): TileResult {
  const reader = new MaskReader(maskLayout(problem), body);
  const rowBytes = rowMaskBytes(problem);
  const blocks = blocksPerRow(problem);
  // A copy costs a bit at least, so a short body cannot make us hold much.
  const copiesMax = Math.min(mostCopies(tile), body.length * 8);
  const likely = Math.max(16, Math.ceil((unpackedFactor * body.length) / Math.max(1, rowBytes)));
  let masks = new Uint8Array(bitPaddingBytes + rowBytes * Math.min(copiesMax, likely));
  let writer = new BitWriter(masks);
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
        if (at + rowBytes + bitPaddingBytes > masks.length) {
          masks = grown(masks, bitPaddingBytes + rowBytes * Math.min(copiesMax, 2 * copyRows.length + 1));
          writer = new BitWriter(masks, at);
        }
        if (isWanted(copyRows.length)) reader.readRow(writer);
        else {
          reader.readRow(null);
          writer.skip(rowBytes);
        }
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
    masks: exactly(masks, copyRows.length * rowBytes),
    misses: Int32Array.from(misses),
  };
}

/** Returns the first bytes: a view where hardly any more are kept by it, and else a copy. */
function exactly(bytes: Uint8Array, length: number): Uint8Array {
  return bytes.length <= length + bitPaddingBytes ? bytes.subarray(0, length) : bytes.slice(0, length);
}

function mostCopies(tile: Tile): number {
  return tile.neurons.reduce((sum, { rowCount, wanted }) => sum + Math.min(rowCount, wanted), 0);
}
