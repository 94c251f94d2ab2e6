/**
 * The part of protobuf's wire format that ONNX uses (protobuf.dev, "Encoding").
 *
 * A message is a sequence of fields: a varint key = number·8 + wire type, then the value.
 *
 *     0 varint   little groups of 7 bits, the high bit says that more follow; at most 10 bytes, 64 bits two's complement
 *     1 fixed64  8 bytes, little endian
 *     2 bytes    varint length, then so many bytes: text (UTF-8), a message, or packed numbers
 *     5 fixed32  4 bytes, little endian
 *
 * Wire types 3 and 4 (groups) are obsolete and refused. Repeated numbers come packed or one field each; both are read.
 * Nothing here recurses: a caller descends only into the messages it knows, so the input cannot choose the depth.
 */
import { failure } from '../../errors.ts';
import { onnxIntegerCountMax } from '../../limits.ts';

/** One field of a message. `bytes` is a view into the message, not a copy. */
export type Field =
  | { readonly number: number; readonly kind: 'varint'; readonly value: number }
  | { readonly number: number; readonly kind: 'bytes' | 'fixed32' | 'fixed64'; readonly bytes: Uint8Array };

interface Cursor {
  readonly bytes: Uint8Array;
  position: number;
}

/**
 * Yields the fields of a message in their order.
 * @throws TombolaError (failure) when the bytes end inside a field or hold no protobuf.
 */
export function* fieldsOf(bytes: Uint8Array): Generator<Field, void, undefined> {
  const cursor: Cursor = { bytes, position: 0 };
  while (cursor.position < bytes.length) {
    const key = readVarint(cursor);
    const number = Math.floor(key / 8);
    if (key < 8 || number >= 2 ** 29) throw damaged('it holds a field without a number');
    yield readField(cursor, number, key % 8);
  }
}

function readField(cursor: Cursor, number: number, wireType: number): Field {
  switch (wireType) {
    case 0:
      return { number, kind: 'varint', value: readVarint(cursor) };
    case 1:
      return { number, kind: 'fixed64', bytes: take(cursor, 8) };
    case 2:
      return { number, kind: 'bytes', bytes: take(cursor, readVarint(cursor)) };
    case 5:
      return { number, kind: 'fixed32', bytes: take(cursor, 4) };
    default:
      throw damaged(`it holds a field of the unknown wire type ${wireType}`);
  }
}

/** Returns the content of a field of wire type `bytes`. @throws TombolaError (failure) for another wire type. */
export function messageOf(field: Field): Uint8Array {
  if (field.kind !== 'bytes') throw damaged(`field ${field.number} is a number, expected bytes`);
  return field.bytes;
}

/** Returns the text of a field; bytes that are no UTF-8 become U+FFFD. @throws TombolaError (failure) for a number. */
export function textOf(field: Field): string {
  return decodeUtf8(messageOf(field));
}

/** Returns the integer of a varint field, rounded beyond 2^53. @throws TombolaError (failure) for another wire type. */
export function integerOf(field: Field): number {
  if (field.kind !== 'varint') throw damaged(`field ${field.number} is not an integer`);
  return field.value;
}

/** Returns the float32 of a fixed32 field. @throws TombolaError (failure) for another wire type. */
export function floatOf(field: Field): number {
  if (field.kind !== 'fixed32') throw damaged(`field ${field.number} is not a 32-bit number`);
  return new DataView(field.bytes.buffer, field.bytes.byteOffset, 4).getFloat32(0, true);
}

/**
 * Appends the integers of one field, packed or single, to `list`.
 * @throws TombolaError (failure) for another wire type or beyond {@link onnxIntegerCountMax} entries.
 */
export function appendIntegers(list: number[], field: Field): void {
  if (field.kind === 'varint') list.push(field.value);
  else {
    const cursor: Cursor = { bytes: messageOf(field), position: 0 };
    while (cursor.position < cursor.bytes.length && list.length <= onnxIntegerCountMax)
      list.push(readVarint(cursor));
  }
  if (list.length > onnxIntegerCountMax)
    throw failure(
      `Cannot read the ONNX model: a list of more than ${onnxIntegerCountMax} integers, expected its tensor as raw data`,
    );
}

/**
 * Appends the bytes of fixed-size numbers, packed or single, to `chunks`.
 * @throws TombolaError (failure) for a varint, or when the bytes are no multiple of `size`.
 */
export function appendFixed(chunks: Uint8Array[], field: Field, size: 4 | 8): void {
  const single = size === 4 ? 'fixed32' : 'fixed64';
  if ((field.kind !== 'bytes' && field.kind !== single) || field.bytes.length % size !== 0)
    throw damaged(`field ${field.number} holds no whole ${size * 8}-bit numbers`);
  chunks.push(field.bytes);
}

function take(cursor: Cursor, count: number): Uint8Array {
  const left = cursor.bytes.length - cursor.position;
  if (count < 0 || count > left) throw damaged(`a field of ${count} bytes stands where ${left} are left`);
  const start = cursor.position;
  cursor.position += count;
  return cursor.bytes.subarray(start, cursor.position);
}

/** Reads a varint as a signed 64-bit integer. Up to 7 groups (49 bits) need no BigInt; longer ones are negative or huge. */
function readVarint(cursor: Cursor): number {
  let low = 0;
  let scale = 1;
  const start = cursor.position;
  for (let group = 0; group < 7; group++) {
    const byte = nextByte(cursor);
    low += (byte & 0x7f) * scale;
    if (byte < 0x80) return low;
    scale *= 128;
  }
  cursor.position = start;
  let value = 0n;
  for (let group = 0n; group < 10n; group++) {
    const byte = nextByte(cursor);
    value |= BigInt(byte & 0x7f) << (7n * group);
    if (byte < 0x80) return Number(BigInt.asIntN(64, value));
  }
  throw damaged('it holds an integer of more than 10 bytes');
}

function nextByte(cursor: Cursor): number {
  const byte = cursor.bytes[cursor.position];
  if (byte === undefined) throw damaged('it ends inside a field');
  cursor.position += 1;
  return byte;
}

function damaged(why: string): Error {
  return failure(
    `Cannot read the ONNX model: ${why}, expected a complete .onnx file (is it truncated or of another format?)`,
  );
}

/** Decodes UTF-8. The core knows no TextDecoder; names are short, so a plain loop does. */
function decodeUtf8(bytes: Uint8Array): string {
  let text = '';
  let position = 0;
  while (position < bytes.length) {
    const lead = bytes[position] as number;
    const extra = lead < 0x80 ? 0 : lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    let code = extra === 0 ? lead : lead & (0x3f >> extra);
    let valid = lead < 0x80 || (lead >= 0xc2 && lead < 0xf5);
    for (let index = 1; index <= extra && valid; index++) {
      const next = bytes[position + index] ?? 0;
      valid = (next & 0xc0) === 0x80;
      code = code * 64 + (next & 0x3f);
    }
    valid &&= code <= 0x10ffff;
    text += valid ? String.fromCodePoint(code) : '\ufffd';
    position += valid ? extra + 1 : 1;
  }
  return text;
}
