/**
 * Writes protobuf messages as ONNX needs them: a message is its fields one after the other, a field a key (number·8 + wire type) and a
 * value. Wire types: 0 a varint, 2 a length and that many bytes (a text, raw data or a message), 5 four bytes.
 */
import { joined } from '../joined.ts';
import { encodeUtf8 } from '../utf8.ts';

/** Returns a field that holds a whole number from 0 to 2^53. */
export function integerField(field: number, value: number): Uint8Array {
  return Uint8Array.from([...varint(field * 8), ...varint(value)]);
}

/** Returns a field that holds a text. */
export function textField(field: number, text: string): Uint8Array {
  return messageField(field, encodeUtf8(text));
}

/** Returns a field that holds bytes or a message. */
export function messageField(field: number, bytes: Uint8Array): Uint8Array {
  return joined([fieldStart(field, bytes.length), bytes]);
}

/** Returns what stands in front of the bytes of a field, for whoever writes these later. */
export function fieldStart(field: number, length: number): Uint8Array {
  return Uint8Array.from([...varint(field * 8 + 2), ...varint(length)]);
}

/** Returns a field that holds a float32. */
export function floatField(field: number, value: number): Uint8Array {
  const bytes = new Uint8Array(5);
  bytes[0] = field * 8 + 5;
  new DataView(bytes.buffer).setFloat32(1, value, true);
  return bytes;
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return [...bytes, rest];
}
