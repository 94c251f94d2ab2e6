/**
 * The IDX format of the MNIST data (LeCun), plain or packed with gzip.
 *
 *   bytes 0–1   0        byte 2   element type: 08 u8, 09 i8, 0B i16, 0C i32, 0D f32, 0E f64
 *   byte 3      number of dimensions D
 *   D sizes, u32 big endian, then the elements, big endian, row-major, nothing behind them
 */
import { failure } from '../errors.ts';
import { gunzip, isGzip } from './inflate.ts';
import { checkedElementCount, type Dtype, dtypeBytes, swapBytes, type Tensor } from './tensor.ts';

const dtypes: ReadonlyMap<number, Dtype> = new Map<number, Dtype>([
  [0x08, 'U8'],
  [0x09, 'I8'],
  [0x0b, 'I16'],
  [0x0c, 'I32'],
  [0x0d, 'F32'],
  [0x0e, 'F64'],
]);

/** Tells whether the bytes begin like an IDX file (unpacked). */
export function isIdx(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && bytes[0] === 0 && bytes[1] === 0 && dtypes.has(bytes[2] ?? 0);
}

/**
 * Returns the tensor of an IDX file; a gzip is unpacked first.
 * @throws TombolaError (failure) when the file is damaged.
 */
export function readIdx(fileBytes: Uint8Array, what = 'IDX file'): Tensor {
  const bytes = isGzip(fileBytes) ? gunzip(fileBytes, what) : fileBytes;
  const dtype = dtypes.get(bytes[2] ?? 0);
  const dimensions = bytes[3] ?? 0;
  if (!isIdx(bytes) || dtype === undefined)
    throw failure(`Cannot read ${what}: it does not begin like an IDX file (00 00, type, dimensions)`);
  const dataStart = 4 + 4 * dimensions;
  if (bytes.length < dataStart) throw failure(`Cannot read ${what}: it ends within its ${dimensions} sizes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const shape = Array.from({ length: dimensions }, (_, axis) => view.getUint32(4 + 4 * axis));
  const size = checkedElementCount(shape, what) * dtypeBytes[dtype];
  const data = bytes.subarray(dataStart);
  if (data.length !== size)
    throw failure(
      `Cannot read ${what}: ${data.length} bytes of data, expected ${size} for shape [${shape.join(', ')}]`,
    );
  return { dtype, shape, data: dtypeBytes[dtype] > 1 ? swapBytes(data, dtypeBytes[dtype]) : data };
}
