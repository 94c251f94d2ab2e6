/**
 * ONNX tensors, decoded to float64.
 *
 * Data types read (TensorProto.DataType): 1 FLOAT, 6 INT32, 7 INT64, 10 FLOAT16, 11 DOUBLE, 16 BFLOAT16, and 9 BOOL.
 * The data lies in exactly one place: raw_data (little endian, row-major); or float_data (FLOAT), double_data (DOUBLE),
 * int64_data (INT64), int32_data (INT32, BOOL, and the bits of FLOAT16 and BFLOAT16); or, with data_location EXTERNAL, in
 * another file named by external_data: location (a relative path below the model's folder), offset and length in bytes.
 */
import { failure, TombolaError } from '../../errors.ts';
import { onnxElementCountMax, onnxRankMax } from '../../limits.ts';
import { quoted, type TensorMessage } from './model.ts';

/** A tensor of known values. `name` is the initializer it comes from, kept through transposes and casts. */
export interface Constant {
  readonly name: string;
  readonly type: 'float' | 'integer';
  readonly shape: readonly number[];
  /** Row-major; shared between all who hold the constant, never changed. */
  readonly values: Float64Array;
}

/** Elements that an import may still decode, fold or copy. */
export interface ElementBudget {
  left: number;
}

/** Returns a budget of {@link onnxElementCountMax} elements. */
export function newElementBudget(): ElementBudget {
  return { left: onnxElementCountMax };
}

/** Takes `count` elements off the budget. @throws TombolaError (failure) when it is used up. */
export function spendElements(budget: ElementBudget, count: number): void {
  budget.left -= count;
  if (!(budget.left >= 0))
    throw failure(
      `Cannot import the ONNX model: its tensors unpack to more than ${onnxElementCountMax} elements`,
    );
}

interface DataType {
  readonly type: 'float' | 'integer';
  readonly bytes: number;
  readonly read: (view: DataView, offset: number) => number;
}

const dataTypes: ReadonlyMap<number, DataType> = new Map<number, DataType>([
  [1, { type: 'float', bytes: 4, read: (view, offset) => view.getFloat32(offset, true) }],
  [6, { type: 'integer', bytes: 4, read: (view, offset) => view.getInt32(offset, true) }],
  [7, { type: 'integer', bytes: 8, read: (view, offset) => Number(view.getBigInt64(offset, true)) }],
  [9, { type: 'integer', bytes: 1, read: (view, offset) => view.getUint8(offset) }],
  [10, { type: 'float', bytes: 2, read: (view, offset) => float16FromBits(view.getUint16(offset, true)) }],
  [11, { type: 'float', bytes: 8, read: (view, offset) => view.getFloat64(offset, true) }],
  [16, { type: 'float', bytes: 2, read: (view, offset) => bfloat16FromBits(view.getUint16(offset, true)) }],
]);

/** Tells whether an ONNX data type is one that weights may have. */
export function isFloatType(dataType: number): boolean {
  return dataTypes.get(dataType)?.type === 'float';
}

/**
 * Returns the values of a tensor of the file.
 * @param readExternal gives the bytes of another file of the model's folder; it is only called with a name that stays inside.
 * @throws TombolaError (failure) for an unsupported data type, data that does not fit the shape, or an external file that
 * is missing, too short or outside the folder.
 */
export function decodeTensor(
  message: TensorMessage,
  readExternal: (name: string) => Uint8Array,
  budget: ElementBudget,
): Constant {
  const dataType = dataTypes.get(message.dataType);
  if (dataType === undefined)
    throw failure(
      `Cannot import tensor ${quoted(message.name)}: its data type is number ${message.dataType}, expected FLOAT, DOUBLE, FLOAT16, BFLOAT16, INT32 or INT64 (export without quantisation)`,
    );
  const count = countOf(message);
  spendElements(budget, count);
  const values = readValues(message, dataType, count, readExternal);
  return { name: message.name, type: dataType.type, shape: message.dims, values };
}

function countOf(message: TensorMessage): number {
  const { dims, name } = message;
  const sizesFit = dims.every((size) => Number.isSafeInteger(size) && size >= 0);
  const count = dims.reduce((product, size) => product * size, 1);
  if (!sizesFit || dims.length > onnxRankMax || !(count <= onnxElementCountMax))
    throw failure(
      `Cannot import tensor ${quoted(name)}: its shape is [${dims.slice(0, 10).join(', ')}], expected at most ${onnxRankMax} sizes ≥ 0 and ${onnxElementCountMax} elements`,
    );
  return count;
}

function readValues(
  message: TensorMessage,
  dataType: DataType,
  count: number,
  readExternal: (name: string) => Uint8Array,
): Float64Array {
  const { name, dataType: number } = message;
  if (message.external !== undefined)
    return fromBytes([readExternalData(message, message.external, readExternal)], dataType, count, name);
  if (message.raw !== undefined) return fromBytes([message.raw], dataType, count, name);
  if (number === 1) return fromBytes(message.floats, dataType, count, name);
  if (number === 11) return fromBytes(message.doubles, dataType, count, name);
  const integers = number === 7 ? message.int64s : message.int32s;
  checkCount(integers.length, count, name, 'values');
  if (number === 10) return Float64Array.from(integers, float16FromBits);
  if (number === 16) return Float64Array.from(integers, bfloat16FromBits);
  return Float64Array.from(integers);
}

function fromBytes(
  chunks: readonly Uint8Array[],
  dataType: DataType,
  count: number,
  name: string,
): Float64Array {
  const total = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  checkCount(total, count * dataType.bytes, name, 'bytes');
  const values = new Float64Array(count);
  let index = 0;
  for (const chunk of chunks) {
    const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.length);
    for (let offset = 0; offset < chunk.length; offset += dataType.bytes)
      values[index++] = dataType.read(view, offset);
  }
  return values;
}

function checkCount(found: number, expected: number, name: string, unit: string): void {
  if (found !== expected)
    throw failure(
      `Cannot import tensor ${quoted(name)}: it holds ${found} ${unit}, expected ${expected} (the file is damaged)`,
    );
}

function readExternalData(
  message: TensorMessage,
  external: ReadonlyMap<string, string>,
  readExternal: (name: string) => Uint8Array,
): Uint8Array {
  const tensor = quoted(message.name);
  const location = external.get('location') ?? '';
  if (!isInsideFolder(location))
    throw failure(
      `Cannot import tensor ${tensor}: its data lies in ${quoted(location)}, expected a file in the folder of the model`,
    );
  const file = openExternal(location, tensor, readExternal);
  const offset = Number(external.get('offset') ?? '0');
  const length = Number(external.get('length') ?? String(file.length - offset));
  const isInside = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0;
  if (!isInside || offset + length > file.length)
    throw failure(
      `Cannot import tensor ${tensor}: its data is at bytes ${offset}+${length} of ${quoted(location)}, expected a place within its ${file.length} bytes`,
    );
  return file.subarray(offset, offset + length);
}

function openExternal(
  location: string,
  tensor: string,
  readExternal: (name: string) => Uint8Array,
): Uint8Array {
  try {
    return readExternal(location);
  } catch (cause) {
    const why = cause instanceof TombolaError ? cause.message : 'it cannot be read';
    throw failure(
      `Cannot import tensor ${tensor}: its data file ${quoted(location)}: ${why}, expected the file beside the model`,
      cause,
    );
  }
}

/** A plain relative path: no root, no drive, no backslash, no step upwards. */
function isInsideFolder(location: string): boolean {
  if (location === '' || location.startsWith('/') || /[\\:\0]/.test(location)) return false;
  return location.split('/').every((part) => part !== '..');
}

/** The value of an IEEE 754 binary16 number: 1 sign, 5 exponent (bias 15), 10 fraction bits. */
function float16FromBits(bits: number): number {
  const sign = (bits & 0x8000) === 0 ? 1 : -1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** A bfloat16 number is the upper half of a float32. */
function bfloat16FromBits(bits: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, (bits & 0xffff) * 0x10000);
  return view.getFloat32(0);
}
