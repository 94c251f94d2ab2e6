/**
 * NumPy's array format .npy, versions 1 to 3, read.
 *
 *   bytes 0–5   93 'NUMPY'        bytes 6–7   version (major, minor 0)
 *   length H of the header: u16 (version 1) or u32 (versions 2 and 3), little endian
 *   header: a Python dict in ASCII (version 3: UTF-8), padded with spaces, ending in a newline:
 *           {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
 *   data: the elements, nothing behind them
 *
 * descr: byte order (`<` little, `>` big, `|` none), kind (f, i, u, b) and bytes per element. Fortran order means column-major;
 * it is turned into row-major here. Refused: object arrays (they hold pickles), strings, complex numbers, dates, records.
 */
import { failure } from '../errors.ts';
import { npyHeaderBytesMax } from '../limits.ts';
import { checkedElementCount, type Dtype, dtypeBytes, swapBytes, type Tensor } from './tensor.ts';
import { decodeUtf8 } from './utf8.ts';

const dtypes: ReadonlyMap<string, Dtype> = new Map<string, Dtype>([
  ['f8', 'F64'],
  ['f4', 'F32'],
  ['f2', 'F16'],
  ['i8', 'I64'],
  ['i4', 'I32'],
  ['i2', 'I16'],
  ['i1', 'I8'],
  ['u8', 'U64'],
  ['u4', 'U32'],
  ['u2', 'U16'],
  ['u1', 'U8'],
  ['b1', 'BOOL'],
]);

/** Tells whether the bytes begin with the magic number of a NumPy array. */
export function isNpy(bytes: Uint8Array): boolean {
  return bytes[0] === 0x93 && String.fromCharCode(...bytes.subarray(1, 6)) === 'NUMPY';
}

/**
 * Returns the array of a .npy file, row-major; the data are a view into the bytes where nothing had to be reordered.
 * @throws TombolaError (failure) when the file is damaged or holds other things than numbers.
 */
export function readNpy(bytes: Uint8Array, what = 'NumPy array'): Tensor {
  const { text, dataStart } = readHeaderText(bytes, what);
  const { descr, isFortran, shape } = parseHeader(text, what);
  const { dtype, isBig } = parseDescr(descr, what);
  const size = checkedElementCount(shape, what) * dtypeBytes[dtype];
  const data = bytes.subarray(dataStart);
  if (data.length !== size)
    throw failure(
      `Cannot read ${what}: ${data.length} bytes of data, expected ${size} for shape [${shape.join(', ')}]`,
    );
  const little = isBig && dtypeBytes[dtype] > 1 ? swapBytes(data, dtypeBytes[dtype]) : data;
  return {
    dtype,
    shape,
    data: isFortran && shape.length > 1 ? toRowMajor(little, shape, dtypeBytes[dtype]) : little,
  };
}

function readHeaderText(bytes: Uint8Array, what: string): { text: string; dataStart: number } {
  const version = bytes[6] ?? 0;
  const start = version === 1 ? 10 : 12;
  if (!isNpy(bytes) || bytes.length < start)
    throw failure(`Cannot read ${what}: it does not begin like a .npy file`);
  if (version < 1 || version > 3 || bytes[7] !== 0)
    throw failure(`Cannot read ${what}: .npy version ${version}.${bytes[7]}, expected 1.0, 2.0 or 3.0`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  const longest = Math.min(bytes.length - start, npyHeaderBytesMax);
  if (length > longest)
    throw failure(`Cannot read ${what}: a header of ${length} bytes, expected at most ${longest}`);
  const text = decodeUtf8(bytes.subarray(start, start + length));
  if (text === undefined) throw failure(`Cannot read ${what}: its header is no UTF-8`);
  return { text, dataStart: start + length };
}

/** NumPy always writes the keys in this order; `L` behind numbers comes from Python 2. */
const headerPattern =
  /^\{'descr': (.{1,200}), 'fortran_order': (True|False), 'shape': \(((?:\d{1,16}L?, ?)*(?:\d{1,16}L?)?)\),? ?\} *\n?$/;

function parseHeader(text: string, what: string) {
  const [, descr, order, sizes] = headerPattern.exec(text) ?? [];
  if (descr === undefined || sizes === undefined)
    throw failure(
      `Cannot read ${what}: its header is ${JSON.stringify(text.trim().slice(0, 100))}, expected descr, fortran_order and shape`,
    );
  const shape = (sizes.match(/\d+/g) ?? []).map(Number);
  return { descr, isFortran: order === 'True', shape };
}

function parseDescr(descr: string, what: string): { dtype: Dtype; isBig: boolean } {
  const [, order, type] = /^'([<>|=])([a-zA-Z]\d*)'$/.exec(descr) ?? [];
  const dtype = type === undefined ? undefined : dtypes.get(type);
  if (type === 'O')
    throw failure(
      `Cannot read ${what}: an array of Python objects, expected numbers; save it with a numeric dtype`,
    );
  if (dtype === undefined)
    throw failure(
      `Cannot read ${what}: elements of type ${descr.slice(0, 60)}, expected numbers (f2 f4 f8 i1–i8 u1–u8 b1)`,
    );
  if (order === '=' || (order === '|' && dtypeBytes[dtype] > 1))
    throw failure(`Cannot read ${what}: elements of type ${descr} without a byte order, expected < or >`);
  return { dtype, isBig: order === '>' };
}

/** Walks the result in order, keeping the column-major position of the element beside it: O(elements), one pass. */
function toRowMajor(columnMajor: Uint8Array, shape: readonly number[], elementBytes: number): Uint8Array {
  const strides = shape.map((_, axis) => shape.slice(0, axis).reduce((product, size) => product * size, 1));
  const index = shape.map(() => 0);
  const rowMajor = new Uint8Array(columnMajor.length);
  let from = 0;
  for (let to = 0; to < rowMajor.length; to += elementBytes) {
    for (let i = 0; i < elementBytes; i++) rowMajor[to + i] = columnMajor[from * elementBytes + i] ?? 0;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const next = (index[axis] ?? 0) + 1;
      from += strides[axis] ?? 0;
      index[axis] = next;
      if (next < (shape[axis] ?? 0)) break;
      from -= next * (strides[axis] ?? 0);
      index[axis] = 0;
    }
  }
  return rowMajor;
}
