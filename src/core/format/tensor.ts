/**
 * A tensor as it lies in a file: element type, shape and bytes, little endian, row-major.
 */
import { failure } from '../errors.ts';
import { tensorRankMax } from '../limits.ts';

/** Bytes per element of each element type (safetensors' names). */
export const dtypeBytes = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U64: 8,
  U32: 4,
  U16: 2,
  U8: 1,
  BOOL: 1,
} as const;

/** An element type. BF16 is the upper half of a float32; BOOL is one byte, 0 or 1. */
export type Dtype = keyof typeof dtypeBytes;

/** A tensor of a file. */
export interface Tensor {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** Little endian, row-major, {@link dtypeBytes} per element; usually a view into the file's bytes: never written to. */
  readonly data: Uint8Array;
}

/** Tells whether a text names an element type. */
export function isDtype(text: string): text is Dtype {
  return Object.hasOwn(dtypeBytes, text);
}

/**
 * Returns the number of elements of a shape that came from a file.
 * @throws TombolaError (failure) when it has too many dimensions, one is no whole number ≥ 0, or the product is above 2^53.
 */
export function checkedElementCount(shape: readonly number[], what: string): number {
  if (shape.length > tensorRankMax)
    throw failure(`Cannot read ${what}: ${shape.length} dimensions, expected at most ${tensorRankMax}`);
  let count = 1;
  for (const size of shape) {
    count *= size;
    if (!Number.isSafeInteger(size) || size < 0 || !Number.isSafeInteger(count))
      throw failure(
        `Cannot read ${what}: shape [${shape.join(', ')}], expected whole numbers with a product below 2^53`,
      );
  }
  return count;
}

/**
 * Returns the elements as float64, owned by the caller. Every type but 64-bit integers converts exactly.
 * @throws TombolaError (failure) when a 64-bit integer is beyond ±2^53.
 */
export function toFloat64Array(tensor: Tensor): Float64Array {
  const { dtype, data } = tensor;
  const count = data.length / dtypeBytes[dtype];
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const read = elementReader(dtype, view);
  const values = new Float64Array(count);
  for (let i = 0; i < count; i++) values[i] = read(i);
  return values;
}

/**
 * Returns the elements as 32-bit integers, owned by the caller; whole floating-point numbers are accepted.
 * @throws TombolaError (failure) when an element is no whole number or does not fit.
 */
export function toInt32Array(tensor: Tensor, what: string): Int32Array {
  const values = toFloat64Array(tensor);
  const bad = values.findIndex((value) => (value | 0) !== value);
  if (bad >= 0)
    throw failure(
      `Cannot read ${what}: element ${bad} is ${values[bad]}, expected a whole number of 32 bits`,
    );
  return Int32Array.from(values);
}

/** Returns a tensor of float64 elements; the bytes are its own. */
export function float64Tensor(shape: readonly number[], values: Float64Array): Tensor {
  const data = new Uint8Array(values.length * 8);
  const view = new DataView(data.buffer);
  for (let i = 0; i < values.length; i++) view.setFloat64(8 * i, values[i] ?? 0, true);
  return { dtype: 'F64', shape, data };
}

/** Returns a tensor of float32 elements, rounded to nearest; the bytes are its own. */
export function float32Tensor(shape: readonly number[], values: Float64Array | Float32Array): Tensor {
  const data = new Uint8Array(values.length * 4);
  const view = new DataView(data.buffer);
  for (let i = 0; i < values.length; i++) view.setFloat32(4 * i, values[i] ?? 0, true);
  return { dtype: 'F32', shape, data };
}

/** Returns a tensor of 32-bit integers; the bytes are its own. */
export function int32Tensor(shape: readonly number[], values: Int32Array): Tensor {
  const data = new Uint8Array(values.length * 4);
  const view = new DataView(data.buffer);
  for (let i = 0; i < values.length; i++) view.setInt32(4 * i, values[i] ?? 0, true);
  return { dtype: 'I32', shape, data };
}

/** Returns a tensor of bytes; it keeps the array it is given. */
export function uint8Tensor(shape: readonly number[], data: Uint8Array): Tensor {
  return { dtype: 'U8', shape, data };
}

/** Returns a copy of the bytes with the order reversed within every element. */
export function swapBytes(data: Uint8Array, elementBytes: number): Uint8Array {
  const swapped = new Uint8Array(data.length);
  for (let start = 0; start < data.length; start += elementBytes)
    for (let i = 0; i < elementBytes; i++) swapped[start + i] = data[start + elementBytes - 1 - i] ?? 0;
  return swapped;
}

function elementReader(dtype: Dtype, view: DataView): (index: number) => number {
  switch (dtype) {
    case 'F64':
      return (i) => view.getFloat64(8 * i, true);
    case 'F32':
      return (i) => view.getFloat32(4 * i, true);
    case 'F16':
      return (i) => halfToNumber(view.getUint16(2 * i, true));
    case 'BF16':
      return (i) => brainToNumber(view.getUint16(2 * i, true));
    case 'I64':
      return (i) => exactNumber(view.getBigInt64(8 * i, true));
    case 'U64':
      return (i) => exactNumber(view.getBigUint64(8 * i, true));
    case 'I32':
      return (i) => view.getInt32(4 * i, true);
    case 'U32':
      return (i) => view.getUint32(4 * i, true);
    case 'I16':
      return (i) => view.getInt16(2 * i, true);
    case 'U16':
      return (i) => view.getUint16(2 * i, true);
    case 'I8':
      return (i) => view.getInt8(i);
    case 'U8':
      return (i) => view.getUint8(i);
    case 'BOOL':
      return (i) => (view.getUint8(i) === 0 ? 0 : 1);
  }
}

/** IEEE 754 binary16: 1 sign, 5 exponent (bias 15), 10 fraction bits. */
function halfToNumber(bits: number): number {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  const sign = bits & 0x8000 ? -1 : 1;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
}

const brainScratch = new DataView(new ArrayBuffer(4));

function brainToNumber(bits: number): number {
  brainScratch.setUint16(0, bits);
  return brainScratch.getFloat32(0);
}

function exactNumber(value: bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number))
    throw failure(`Cannot read a 64-bit integer: ${value}, expected between -2^53 and 2^53`);
  return number;
}
