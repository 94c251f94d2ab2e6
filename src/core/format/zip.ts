/**
 * Reader of zip archives (PKWARE APPNOTE 6.3), as NumPy and PyTorch write them.
 *
 *   local header (50 4b 03 04 …) + data, per entry │ central directory: one record (50 4b 01 02 …) per entry │
 *   [Zip64 end record (50 4b 06 06 …) + its locator (50 4b 06 07 …)] │ end record (50 4b 05 06 …, 22 bytes + comment)
 *
 * The central directory is what counts; of a local header only the two lengths in front of the data are read. All numbers are
 * little endian. Sizes of 0xFFFFFFFF stand in the record's Zip64 extra field (tag 1). Methods: 0 stored, 8 deflated.
 * Refused: encryption, several disks, other methods, names that are no UTF-8 or come twice, more than zipEntryCountMax
 * entries, more than unpackedBytesMax bytes in all. Every entry's CRC-32 is checked when it is unpacked.
 */
import { failure } from '../errors.ts';
import { unpackedBytesMax, zipEntryCountMax } from '../limits.ts';
import { checkCrc, inflateExactly } from './inflate.ts';
import { decodeUtf8 } from './utf8.ts';

/** One file of an archive, by its record in the central directory. */
export interface ZipEntry {
  readonly name: string;
  readonly method: number;
  readonly crc: number;
  readonly packedSize: number;
  readonly size: number;
  readonly headerOffset: number;
}

/** An archive: its bytes and its entries by name, in directory order. */
export interface ZipArchive {
  readonly bytes: Uint8Array;
  readonly entries: ReadonlyMap<string, ZipEntry>;
}

const endSignature = 0x06054b50;
const endBytes = 22;
const commentBytesMax = 0xffff;

/** Tells whether the bytes begin like a zip archive with at least one entry. */
export function isZip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x50 && bytes[1] === 0x4b && bytes[2] === 3 && bytes[3] === 4;
}

/**
 * Returns the directory of an archive; nothing is unpacked yet.
 * @throws TombolaError (failure) when the archive is damaged, or beyond a limit.
 */
export function readZip(bytes: Uint8Array): ZipArchive {
  const view = viewOf(bytes);
  const directory = findDirectory(bytes, view);
  const entries = new Map<string, ZipEntry>();
  let position = directory.offset;
  let unpackedSum = 0;
  for (let index = 0; index < directory.count; index++) {
    const { entry, next } = readRecord(bytes, view, { position, end: directory.end });
    if (entries.has(entry.name)) throw failure(`Cannot read zip archive: it holds ${entry.name} twice`);
    unpackedSum += entry.size;
    if (unpackedSum > unpackedBytesMax)
      throw failure(`Cannot read zip archive: it unpacks to more than ${unpackedBytesMax} bytes`);
    entries.set(entry.name, entry);
    position = next;
  }
  return { bytes, entries };
}

/**
 * Returns the bytes of one entry: a view into the archive when it is stored, else bytes of its own.
 * @throws TombolaError (failure) when the entry is damaged.
 */
export function unpackEntry(archive: ZipArchive, entry: ZipEntry): Uint8Array {
  const { bytes } = archive;
  const view = viewOf(bytes);
  const { headerOffset, packedSize } = entry;
  if (headerOffset + 30 > bytes.length || view.getUint32(headerOffset, true) !== 0x04034b50)
    throw damaged(`entry ${entry.name} has no header at byte ${headerOffset}`);
  const start =
    headerOffset + 30 + view.getUint16(headerOffset + 26, true) + view.getUint16(headerOffset + 28, true);
  if (start + packedSize > bytes.length)
    throw damaged(`entry ${entry.name} reaches beyond the end of the file`);
  const packed = bytes.subarray(start, start + packedSize);
  const claim = { size: entry.size, crc: entry.crc, what: `zip entry ${entry.name}` };
  if (entry.method === 8) return inflateExactly(packed, claim);
  if (entry.method !== 0)
    throw failure(
      `Cannot unpack zip entry ${entry.name}: compression method ${entry.method}, expected 0 or 8`,
    );
  if (packedSize !== entry.size) throw damaged(`entry ${entry.name} is stored, but has two sizes`);
  checkCrc(packed, claim);
  return packed;
}

interface Directory {
  readonly offset: number;
  readonly end: number;
  readonly count: number;
}

function findDirectory(bytes: Uint8Array, view: DataView): Directory {
  const end = findEnd(bytes, view);
  const zip64 = end >= 20 && view.getUint32(end - 20, true) === 0x07064b50;
  const directory = zip64
    ? readZip64End(bytes, view, end)
    : {
        count: view.getUint16(end + 10, true),
        size: view.getUint32(end + 12, true),
        offset: view.getUint32(end + 16, true),
        end,
      };
  if (directory.count > zipEntryCountMax)
    throw failure(
      `Cannot read zip archive: ${directory.count} entries, expected at most ${zipEntryCountMax}`,
    );
  if (directory.offset + directory.size > directory.end) throw damaged('its directory overlaps its end');
  return { offset: directory.offset, end: directory.offset + directory.size, count: directory.count };
}

/** The end record is searched from the back: the one whose comment reaches exactly to the end of the file. */
function findEnd(bytes: Uint8Array, view: DataView): number {
  const first = Math.max(0, bytes.length - endBytes - commentBytesMax);
  for (let at = bytes.length - endBytes; at >= first; at--)
    if (
      view.getUint32(at, true) === endSignature &&
      at + endBytes + view.getUint16(at + 20, true) === bytes.length
    )
      return at;
  throw damaged('it has no end record, so it was cut off or is no zip archive');
}

function readZip64End(bytes: Uint8Array, view: DataView, end: number) {
  const at = readU64(view, end - 20 + 8);
  if (at + 56 > bytes.length || view.getUint32(at, true) !== 0x06064b50)
    throw damaged('it has no Zip64 end record');
  return {
    count: readU64(view, at + 32),
    size: readU64(view, at + 40),
    offset: readU64(view, at + 48),
    end: at,
  };
}

function readRecord(
  bytes: Uint8Array,
  view: DataView,
  { position, end }: { readonly position: number; readonly end: number },
): { entry: ZipEntry; next: number } {
  if (position + 46 > end || view.getUint32(position, true) !== 0x02014b50)
    throw damaged(`its directory has no record at byte ${position}`);
  const nameEnd = position + 46 + view.getUint16(position + 28, true);
  const extraEnd = nameEnd + view.getUint16(position + 30, true);
  const next = extraEnd + view.getUint16(position + 32, true);
  if (next > end) throw damaged(`its directory's record at byte ${position} is cut off`);
  const name = decodeUtf8(bytes.subarray(position + 46, nameEnd));
  if (name === undefined) throw damaged(`the name at byte ${position + 46} is no UTF-8`);
  if (view.getUint16(position + 8, true) & 1)
    throw failure(`Cannot read zip archive: entry ${name} is encrypted`);
  const sizes = readSizes(view, position, { from: nameEnd, to: extraEnd });
  const entry = {
    name,
    method: view.getUint16(position + 10, true),
    crc: view.getUint32(position + 16, true),
    ...sizes,
  };
  return { entry, next };
}

function readSizes(view: DataView, position: number, extra: { readonly from: number; readonly to: number }) {
  let wide = findWideSizes(view, extra);
  const widen = (narrow: number): number => {
    if (narrow !== 0xffffffff) return narrow;
    if (wide === undefined || wide.from + 8 > wide.to) throw damaged('a Zip64 size is missing');
    const value = readU64(view, wide.from);
    wide = { from: wide.from + 8, to: wide.to };
    return value;
  };
  const size = widen(view.getUint32(position + 24, true));
  const packedSize = widen(view.getUint32(position + 20, true));
  const headerOffset = widen(view.getUint32(position + 42, true));
  return { size, packedSize, headerOffset };
}

function findWideSizes(view: DataView, extra: { readonly from: number; readonly to: number }) {
  let at = extra.from;
  while (at + 4 <= extra.to) {
    const to = at + 4 + view.getUint16(at + 2, true);
    if (to > extra.to) break;
    if (view.getUint16(at, true) === 1) return { from: at + 4, to };
    at = to;
  }
  return undefined;
}

function readU64(view: DataView, at: number): number {
  const value = view.getUint32(at, true) + 2 ** 32 * view.getUint32(at + 4, true);
  if (!Number.isSafeInteger(value)) throw damaged(`a size of ${value} bytes`);
  return value;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function damaged(why: string): Error {
  return failure(`Cannot read zip archive: ${why}; fetch or export it again`);
}
