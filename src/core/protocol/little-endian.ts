/** Typed arrays as the bytes that travel: little-endian, which is what every machine with WebAssembly has in memory. */
import { ProtocolError } from './protocol-error.ts';

/** Returns the array's bytes, in memory of their own. */
export function bytesOf(array: Int32Array | Float64Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength).slice();
}

/**
 * Returns the numbers in the bytes, in memory of their own.
 * @throws ProtocolError 1002 when there are not `count` of them.
 */
export function int32Of(bytes: Uint8Array, count: number, what: string): Int32Array {
  return new Int32Array(exactly(bytes, 4 * count, what));
}

/**
 * Returns the numbers in the bytes, in memory of their own.
 * @throws ProtocolError 1002 when there are not `count` of them.
 */
export function float64Of(bytes: Uint8Array, count: number, what: string): Float64Array {
  return new Float64Array(exactly(bytes, 8 * count, what));
}

function exactly(bytes: Uint8Array, length: number, what: string): ArrayBuffer {
  if (bytes.length !== length)
    throw new ProtocolError(1002, `Cannot accept ${what}: ${bytes.length} bytes, expected ${length}`);
  const copy = new Uint8Array(length);
  copy.set(bytes);
  return copy.buffer;
}
