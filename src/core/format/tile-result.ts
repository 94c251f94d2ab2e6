/**
 * A tile's result as bytes, for a store that may be damaged.
 *
 *   bytes 0 … 3    "TTR1"
 *   bytes 4 … 7    CRC-32 of all bytes from 8 on
 *   bytes 8 … 27   five U32: bytes of the tile id, neurons, copies, bytes of the masks, numbers in the misses
 *   then           the tile id in UTF-8; I32 copyCounts [neurons]; I32 copyRows [copies]; I32 misses; the masks
 *
 * All numbers are little-endian. The lengths have to add up to the size of the value exactly.
 */
import type { TileResult } from '../plan/tile.ts';
import { crc32 } from './crc32.ts';
import { decodeUtf8, encodeUtf8 } from './utf8.ts';

const magic = 0x31525454;
const checkedFrom = 8;
const headerBytes = 28;

/** Returns the bytes of a result; equal results give equal bytes. */
export function encodeTileResult(result: TileResult): Uint8Array {
  const { copyCounts, copyRows, misses, masks } = result;
  const id = encodeUtf8(result.tileId);
  const numbers = [copyCounts, copyRows, misses];
  const numberCount = numbers.reduce((sum, array) => sum + array.length, 0);
  const bytes = new Uint8Array(headerBytes + id.length + 4 * numberCount + masks.length);
  const view = new DataView(bytes.buffer);
  [id.length, copyCounts.length, copyRows.length, masks.length, misses.length].forEach((length, k) => {
    view.setUint32(checkedFrom + 4 * k, length, true);
  });
  bytes.set(id, headerBytes);
  let offset = headerBytes + id.length;
  for (const array of numbers)
    for (const value of array) {
      view.setInt32(offset, value, true);
      offset += 4;
    }
  bytes.set(masks, offset);
  view.setUint32(0, magic, true);
  view.setUint32(4, crc32(bytes.subarray(checkedFrom)), true);
  return bytes;
}

/**
 * Returns the result that the bytes hold, in arrays of its own, or undefined if they are damaged or something else. Nothing is
 * allocated before the lengths have been found to fit. What a result claims is checked elsewhere (verify/verify-tile.ts).
 */
export function decodeTileResult(bytes: Uint8Array): TileResult | undefined {
  if (bytes.length < headerBytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = (k: number): number => view.getUint32(checkedFrom + 4 * k, true);
  const [idBytes, neurons, copies, maskBytes, missNumbers] = [
    length(0),
    length(1),
    length(2),
    length(3),
    length(4),
  ];
  const size = headerBytes + idBytes + 4 * (neurons + copies + missNumbers) + maskBytes;
  if (view.getUint32(0, true) !== magic || size !== bytes.length) return undefined;
  if (view.getUint32(4, true) !== crc32(bytes.subarray(checkedFrom))) return undefined;
  const tileId = decodeUtf8(bytes.subarray(headerBytes, headerBytes + idBytes));
  if (tileId === undefined) return undefined;
  // One allocation for all arrays: a layer may have 100,000 results. Not slice: Node's Buffer, which looks like a Uint8Array,
  // shares its memory there.
  const whole = new Uint8Array(size - headerBytes - idBytes);
  whole.set(bytes.subarray(headerBytes + idBytes));
  swapUnlessLittleEndian(whole, neurons + copies + missNumbers);
  const numbers = (first: number, count: number): Int32Array =>
    new Int32Array(whole.buffer, 4 * first, count);
  return {
    tileId,
    copyCounts: numbers(0, neurons),
    copyRows: numbers(neurons, copies),
    misses: numbers(neurons + copies, missNumbers),
    masks: whole.subarray(4 * (neurons + copies + missNumbers)),
  };
}

const isLittleEndian = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

/** Brings the first `count` numbers, little-endian, into this machine's order. */
function swapUnlessLittleEndian(bytes: Uint8Array, count: number): void {
  if (isLittleEndian) return;
  for (let index = 0; index < count; index++) bytes.subarray(4 * index, 4 * index + 4).reverse();
}
