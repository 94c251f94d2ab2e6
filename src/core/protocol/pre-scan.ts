/**
 * Walks over MessagePack bytes before anything is made of them, so that what the decoder then reads is small and plain.
 *
 * Refused: nesting, values, strings and binaries beyond the limits; extensions (fixext, ext: with them records, timestamps,
 * references and typed arrays); 0xc1; map keys that are not strings; strings that are not UTF-8; lengths beyond the frame; bytes
 * after the value; and nil, which no message contains. Costs one step per value, whatever its size (strings: one per byte).
 */
import { messageDepthMax, messageItemCountMax, messageStringBytesMax } from '../limits.ts';
import { ProtocolError } from './protocol-error.ts';

/**
 * Returns if the bytes are one MessagePack value within the limits.
 * @throws ProtocolError 1007 otherwise.
 */
export function preScan(bytes: Uint8Array): void {
  const end = scanValue(new Scan(bytes), 0, 0);
  if (end !== bytes.length) refuse(`${bytes.length - end} bytes after the message`);
}

/** The bytes and how many values were met so far. */
class Scan {
  readonly bytes: Uint8Array;
  items = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
}

/** Returns the offset behind the value at `at`. */
function scanValue(scan: Scan, at: number, depth: number): number {
  if (++scan.items > messageItemCountMax) refuse(`more than ${messageItemCountMax} values`);
  const { bytes } = scan;
  const token = bytes[at];
  if (token === undefined) return refuse('the message ends early');
  if (token < 0x80 || token >= 0xe0) return at + 1;
  if (token < 0x90) return scanMap(scan, at + 1, { count: token & 15, depth });
  if (token < 0xa0) return scanArray(scan, at + 1, { count: token & 15, depth });
  if (token < 0xc0) return scanString(bytes, at + 1, token & 31);
  switch (token) {
    case 0xc2:
    case 0xc3:
      return at + 1;
    case 0xc4:
    case 0xc5:
    case 0xc6: {
      const width = 1 << (token - 0xc4);
      return skip(bytes, at + 1 + width, readLength(bytes, at + 1, width));
    }
    case 0xca:
    case 0xce:
    case 0xd2:
      return skip(bytes, at + 1, 4);
    case 0xcb:
    case 0xcf:
    case 0xd3:
      return skip(bytes, at + 1, 8);
    case 0xcc:
    case 0xd0:
      return skip(bytes, at + 1, 1);
    case 0xcd:
    case 0xd1:
      return skip(bytes, at + 1, 2);
    case 0xd9:
    case 0xda:
    case 0xdb: {
      const width = 1 << (token - 0xd9);
      return scanString(bytes, at + 1 + width, readLength(bytes, at + 1, width));
    }
    case 0xdc:
    case 0xdd: {
      const width = token === 0xdc ? 2 : 4;
      return scanArray(scan, at + 1 + width, { count: readLength(bytes, at + 1, width), depth });
    }
    case 0xde:
    case 0xdf: {
      const width = token === 0xde ? 2 : 4;
      return scanMap(scan, at + 1 + width, { count: readLength(bytes, at + 1, width), depth });
    }
    default:
      return refuse(`byte 0x${token.toString(16)}, expected no nil and no extension`);
  }
}

function scanArray(scan: Scan, at: number, { count, depth }: { count: number; depth: number }): number {
  if (depth >= messageDepthMax) refuse(`nesting deeper than ${messageDepthMax}`);
  if (count > messageItemCountMax) refuse(`an array of ${count} values`);
  let offset = at;
  for (let index = 0; index < count; index++) offset = scanValue(scan, offset, depth + 1);
  return offset;
}

function scanMap(scan: Scan, at: number, { count, depth }: { count: number; depth: number }): number {
  if (depth >= messageDepthMax) refuse(`nesting deeper than ${messageDepthMax}`);
  if (count > messageItemCountMax) refuse(`a map of ${count} entries`);
  let offset = at;
  for (let index = 0; index < count; index++) {
    offset = scanKey(scan.bytes, offset);
    offset = scanValue(scan, offset, depth + 1);
  }
  return offset;
}

function scanKey(bytes: Uint8Array, at: number): number {
  const token = bytes[at];
  if (token === undefined) return refuse('the message ends early');
  if (token < 0xa0 || token >= 0xc0) return refuse('a key that is no string below 32 bytes');
  return scanString(bytes, at + 1, token & 31);
}

function readLength(bytes: Uint8Array, at: number, width: number): number {
  if (at + width > bytes.length) refuse('the message ends early');
  let length = 0;
  for (let index = 0; index < width; index++) length = length * 256 + (bytes[at + index] ?? 0);
  return length;
}

function skip(bytes: Uint8Array, at: number, length: number): number {
  if (at + length > bytes.length) refuse('the message ends early');
  return at + length;
}

function scanString(bytes: Uint8Array, at: number, length: number): number {
  if (length > messageStringBytesMax) refuse(`a string of ${length} bytes`);
  const end = skip(bytes, at, length);
  for (let index = at; index < end; ) {
    const lead = bytes[index] ?? 0;
    index = lead < 0x80 ? index + 1 : scanCharacter(bytes, index, end);
  }
  return end;
}

/** Returns the offset behind a character of two to four bytes: shortest form, no surrogates, at most U+10FFFF. */
function scanCharacter(bytes: Uint8Array, at: number, end: number): number {
  const lead = bytes[at] ?? 0;
  const length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || at + length > end) refuse('a string that is not UTF-8');
  const second = bytes[at + 1] ?? 0;
  const low = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
  const high = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  if (second < low || second > high) refuse('a string that is not UTF-8');
  for (let index = at + 2; index < at + length; index++)
    if (((bytes[index] ?? 0) & 0xc0) !== 0x80) refuse('a string that is not UTF-8');
  return at + length;
}

function refuse(found: string): never {
  throw new ProtocolError(1007, `Cannot read a message: ${found}`);
}
