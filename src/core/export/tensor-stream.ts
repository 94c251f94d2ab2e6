/**
 * Tensors that are made while they are written: a layer of a large source never has to fit into memory.
 */
import type { Tensor } from '../format/tensor.ts';
import { dtypeBytes } from '../format/tensor.ts';
import { exportChunkBytes } from '../limits.ts';

/** A tensor as a stream of its bytes, little endian and row-major. */
export interface TensorStream extends Pick<Tensor, 'dtype' | 'shape'> {
  /** Returns the bytes from the first; each chunk may be overwritten when the next is asked for. May be called again. */
  readonly chunks: () => Iterable<Uint8Array>;
}

/** Returns the bytes of a tensor of that type and shape. */
export function streamBytes({ dtype, shape }: Pick<TensorStream, 'dtype' | 'shape'>): number {
  return shape.reduce((product, size) => product * size, 1) * dtypeBytes[dtype];
}

/** Returns a stream of numbers that are in memory. Every engine this runs on is little endian, as WebAssembly is. */
export function storedStream(
  dtype: TensorStream['dtype'],
  shape: readonly number[],
  values: Float32Array | Int32Array | BigInt64Array | Uint8Array,
): TensorStream {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return { dtype, shape, chunks: () => [bytes] };
}

/** Returns a stream of float32 rows, made in chunks of about {@link exportChunkBytes}; `fill` gets a row of zeros. */
export function float32Rows(
  shape: readonly number[],
  fill: (row: number, values: Float32Array) => void,
): TensorStream {
  return {
    dtype: 'F32',
    shape,
    chunks: () => rowChunks(shape, { fill, bytes: 4, allocate: (count) => new Float32Array(count) }),
  };
}

/** Returns a stream of rows of bytes that are 0 or 1; otherwise as {@link float32Rows}. */
export function booleanRows(
  shape: readonly number[],
  fill: (row: number, values: Uint8Array) => void,
): TensorStream {
  return {
    dtype: 'BOOL',
    shape,
    chunks: () => rowChunks(shape, { fill, bytes: 1, allocate: (count) => new Uint8Array(count) }),
  };
}

function* rowChunks<Row extends Float32Array | Uint8Array>(
  [rows = 0, ...rest]: readonly number[],
  {
    fill,
    bytes,
    allocate,
  }: { fill: (row: number, values: Row) => void; bytes: number; allocate: (count: number) => Row },
): Generator<Uint8Array> {
  const length = rest.reduce((product, size) => product * size, 1);
  const rowsAtATime = Math.max(1, Math.floor(exportChunkBytes / (length * bytes)));
  const chunk = allocate(Math.min(rows, rowsAtATime) * length);
  for (let first = 0; first < rows; first += rowsAtATime) {
    const count = Math.min(rowsAtATime, rows - first);
    chunk.fill(0);
    for (let row = 0; row < count; row++)
      fill(first + row, chunk.subarray(row * length, (row + 1) * length) as Row);
    yield new Uint8Array(chunk.buffer, chunk.byteOffset, count * length * bytes);
  }
}
