/**
 * CRC-32 as in zip and gzip (ISO 3309): reflected polynomial 0xEDB88320, start and end value inverted.
 *
 * Eight bytes at a time ("slicing by 8", Kounavis and Berry 2005): table k tells what a byte does to the value when k more bytes
 * follow it, so the eight look-ups of a step do not wait for each other.
 */

/** Shape [8, 256]. */
const tables = slicingTables();

/** Returns the CRC-32 of the bytes, in [0, 2^32), or of bytes behind others whose CRC-32 is `before`. O(n). */
export function crc32(bytes: Uint8Array, before = 0): number {
  const { length } = bytes;
  const sliced = length - (length % 8);
  let value = ~before;
  let i = 0;
  for (; i < sliced; i += 8) {
    const low =
      value ^
      (byteAt(bytes, i) |
        (byteAt(bytes, i + 1) << 8) |
        (byteAt(bytes, i + 2) << 16) |
        (byteAt(bytes, i + 3) << 24));
    value =
      entry(1792 | (low & 255)) ^
      entry(1536 | ((low >>> 8) & 255)) ^
      entry(1280 | ((low >>> 16) & 255)) ^
      entry(1024 | (low >>> 24)) ^
      entry(768 | byteAt(bytes, i + 4)) ^
      entry(512 | byteAt(bytes, i + 5)) ^
      entry(256 | byteAt(bytes, i + 6)) ^
      entry(byteAt(bytes, i + 7));
  }
  for (; i < length; i++) value = (value >>> 8) ^ entry((value ^ byteAt(bytes, i)) & 255);
  return ~value >>> 0;
}

function byteAt(bytes: Uint8Array, index: number): number {
  return bytes[index] as number;
}

function entry(index: number): number {
  return tables[index] as number;
}

function slicingTables(): Int32Array {
  const all = new Int32Array(8 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
    all[byte] = value;
  }
  for (let index = 256; index < all.length; index++) {
    const before = all[index - 256] as number;
    all[index] = (before >>> 8) ^ (all[before & 255] as number);
  }
  return all;
}
