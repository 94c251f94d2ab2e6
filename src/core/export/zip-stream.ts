/**
 * Writes a zip archive (PKWARE APPNOTE 6.3; format/zip.ts shows its parts) as a stream: entries are stored, their sizes known before and
 * their CRC-32 after, so it stands in a data descriptor (flag 8) behind the data. Entries or places beyond 32 bits take the Zip64
 * records; times are 1980-01-01, so that equal contents give equal bytes.
 */
import { crc32 } from '../format/crc32.ts';
import { joined } from '../format/joined.ts';
import { encodeUtf8 } from '../format/utf8.ts';

/** One file of the archive. */
export interface ZipSource {
  readonly name: string;
  readonly size: number;
  /** Returns the bytes from the first; each chunk may be overwritten when the next is asked for. */
  readonly chunks: () => Iterable<Uint8Array>;
}

interface Placed {
  readonly name: Uint8Array;
  readonly size: number;
  readonly crc: number;
  readonly offset: number;
}

const descriptorFlag = 8;
const plainVersion = 20;
const wideVersion = 45;
const firstDay = 0x21;
const narrowMax = 0xffffffff;

/**
 * Returns the bytes of the archive in order.
 * @param wideFrom size or offset from which on Zip64 is used; lower only in tests.
 */
export function* zipStream(sources: readonly ZipSource[], wideFrom = narrowMax): Generator<Uint8Array> {
  const placed: Placed[] = [];
  let offset = 0;
  for (const source of sources) {
    const name = encodeUtf8(source.name);
    const isWide = source.size >= wideFrom;
    const header = localHeader(name, isWide);
    yield header;
    let crc = 0;
    for (const chunk of source.chunks()) {
      crc = crc32(chunk, crc);
      yield chunk;
    }
    const descriptor = [u32(0x08074b50), u32(crc), ...[0, 1].map(() => (isWide ? u64 : u32)(source.size))];
    yield joined(descriptor);
    placed.push({ name, size: source.size, crc, offset });
    offset += header.length + source.size + (isWide ? 24 : 16);
  }
  const directory = joined(placed.map((entry) => record(entry, wideFrom)));
  yield directory;
  yield endOf({ count: placed.length, offset, size: directory.length }, wideFrom);
}

function localHeader(name: Uint8Array, isWide: boolean): Uint8Array {
  const extra = isWide ? joined([u16(1), u16(16), u64(0), u64(0)]) : new Uint8Array(0);
  const sizes = isWide ? u32(narrowMax) : u32(0);
  return joined([
    u32(0x04034b50),
    u16(isWide ? wideVersion : plainVersion),
    ...[descriptorFlag, 0, 0, firstDay].map(u16),
    u32(0),
    sizes,
    sizes,
    u16(name.length),
    u16(extra.length),
    name,
    extra,
  ]);
}

function record({ name, size, crc, offset }: Placed, wideFrom: number): Uint8Array {
  const wideSize = size >= wideFrom;
  const wideOffset = offset >= wideFrom;
  const wide = [...(wideSize ? [u64(size), u64(size)] : []), ...(wideOffset ? [u64(offset)] : [])];
  const extra = wide.length === 0 ? [] : [u16(1), u16(8 * wide.length), ...wide];
  const narrow = u32(wideSize ? narrowMax : size);
  return joined([
    u32(0x02014b50),
    ...[wideVersion, wide.length === 0 ? plainVersion : wideVersion].map(u16),
    ...[descriptorFlag, 0, 0, firstDay].map(u16),
    u32(crc),
    narrow,
    narrow,
    u16(name.length),
    u16(wide.length === 0 ? 0 : 4 + 8 * wide.length),
    ...[0, 0, 0].map(u16),
    u32(0),
    u32(wideOffset ? narrowMax : offset),
    name,
    ...extra,
  ]);
}

function endOf(
  directory: { readonly count: number; readonly offset: number; readonly size: number },
  wideFrom: number,
): Uint8Array {
  const { count, offset, size } = directory;
  const isWide = offset >= wideFrom;
  const wide = [
    u32(0x06064b50),
    u64(44),
    u16(wideVersion),
    u16(wideVersion),
    u32(0),
    u32(0),
    ...[count, count, size, offset].map(u64),
    ...[u32(0x07064b50), u32(0), u64(offset + size), u32(1)],
  ];
  return joined([
    ...(isWide ? wide : []),
    u32(0x06054b50),
    ...[0, 0, count, count].map(u16),
    u32(size),
    u32(isWide ? narrowMax : offset),
    u16(0),
  ]);
}

function u16(value: number): Uint8Array {
  return Uint8Array.of(value & 255, value >>> 8);
}

function u32(value: number): Uint8Array {
  return Uint8Array.of(value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24);
}

function u64(value: number): Uint8Array {
  return joined([u32(value >>> 0), u32(Math.floor(value / 2 ** 32))]);
}
