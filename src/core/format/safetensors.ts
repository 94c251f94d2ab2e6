/**
 * The safetensors format (Hugging Face, 2022), read and written.
 *
 *   bytes 0–7          N, the length of the header, u64 little endian
 *   bytes 8–(8+N−1)    header: a JSON object in UTF-8 that begins with `{` and may end in spaces
 *   the rest           the data of all tensors
 *
 * Header: `{"<name>": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, …, "__metadata__": {"key": "text"}}`.
 * Offsets count from the first byte behind the header. Each tensor is row-major and little endian, end − begin is exactly
 * its size, and the tensors cover the data without overlap, without holes, to the last byte.
 * Element types: see dtypeBytes in tensor.ts. An empty shape is a scalar; a dimension of 0 makes a tensor without bytes.
 *
 * Refused on reading: a header above safetensorsHeaderBytesMax, more than tensorCountMax tensors, keys that come twice,
 * unknown element types or fields, metadata that is not text.
 *
 * Writing is deterministic: metadata first in the caller's order, then the tensors in the caller's order; the data lies with
 * the larger element types first (then in the caller's order) and the header is padded with spaces to a multiple of 8 bytes,
 * so that every tensor is aligned to its element size.
 */
import { failure, invariant } from '../errors.ts';
import { safetensorsHeaderBytesMax, tensorCountMax } from '../limits.ts';
import { joined } from './joined.ts';
import { type JsonValue, parseJson } from './json.ts';
import { checkedElementCount, dtypeBytes, isDtype, type Tensor } from './tensor.ts';
import { decodeUtf8, encodeUtf8 } from './utf8.ts';

/** The contents of a safetensors file. */
export interface SafetensorsFile {
  readonly metadata: ReadonlyMap<string, string>;
  /** In header order; the data are views into the file's bytes. */
  readonly tensors: ReadonlyMap<string, Tensor>;
}

const metadataKey = '__metadata__';

/** Tells whether the bytes look like a safetensors file: a header length that fits, then `{`. */
export function isSafetensors(bytes: Uint8Array): boolean {
  if (bytes.length < 10 || bytes[8] !== 0x7b) return false;
  return headerLength(bytes) <= bytes.length - 8;
}

/**
 * Returns the tensors and the metadata of a safetensors file.
 * @throws TombolaError (failure) when the file breaks a rule of the format.
 */
export function readSafetensors(bytes: Uint8Array): SafetensorsFile {
  const { header, dataStart } = readHeader(bytes);
  const data = bytes.subarray(dataStart);
  const placed: PlacedTensor[] = [];
  let metadata: ReadonlyMap<string, string> = new Map();
  for (const [name, value] of header) {
    if (name === metadataKey) metadata = readMetadata(value);
    else placed.push(readTensor(name, value, data));
  }
  if (placed.length > tensorCountMax)
    throw failure(
      `Cannot read safetensors file: ${placed.length} tensors, expected at most ${tensorCountMax}`,
    );
  checkCover(placed, data.length);
  return { metadata, tensors: new Map(placed.map(({ name, tensor }) => [name, tensor])) };
}

/** Returns the bytes of a safetensors file; equal arguments in equal order give equal bytes. */
export function writeSafetensors(
  tensors: ReadonlyMap<string, Tensor>,
  metadata: ReadonlyMap<string, string> = new Map(),
): Uint8Array {
  return joined(safetensorsParts(tensors, metadata));
}

/** Returns the bytes of a safetensors file in parts; those of tensors are their own data. */
export function safetensorsParts(
  tensors: ReadonlyMap<string, Tensor>,
  metadata: ReadonlyMap<string, string>,
): readonly Uint8Array[] {
  for (const [name, { dtype, shape, data }] of tensors)
    invariant(
      data.length === checkedElementCount(shape, name) * dtypeBytes[dtype],
      `tensor ${name} fills its shape`,
    );
  const { start, order } = safetensorsStart(tensors, metadata);
  return [start, ...order.map((name) => tensors.get(name)?.data ?? new Uint8Array(0))];
}

/**
 * Returns what stands in front of the data of a safetensors file, and the order in which the tensors' data must follow: so that a
 * file can be written whose tensors are never in memory.
 */
export function safetensorsStart(
  tensors: ReadonlyMap<string, Pick<Tensor, 'dtype' | 'shape'>>,
  metadata: ReadonlyMap<string, string>,
): { readonly start: Uint8Array; readonly order: readonly string[] } {
  invariant(!tensors.has(metadataKey), 'no tensor has the name of the metadata');
  const largestFirst = [...tensors].sort(([, a], [, b]) => dtypeBytes[b.dtype] - dtypeBytes[a.dtype]);
  const ends = new Map<string, number>();
  let length = 0;
  for (const [name, tensor] of largestFirst) {
    length += tensorBytes(tensor, name);
    ends.set(name, length);
  }
  const fields = [...tensors].map(([name, tensor]) => {
    const end = ends.get(name) ?? 0;
    const { dtype, shape } = tensor;
    const description = { dtype, shape, data_offsets: [end - tensorBytes(tensor, name), end] };
    return `${JSON.stringify(name)}:${JSON.stringify(description)}`;
  });
  if (metadata.size > 0) {
    const texts = [...metadata].map(([key, text]) => `${JSON.stringify(key)}:${JSON.stringify(text)}`);
    fields.unshift(`${JSON.stringify(metadataKey)}:{${texts.join()}}`);
  }
  const header = encodeUtf8(`{${fields.join()}}`);
  const headerSize = Math.ceil(header.length / 8) * 8;
  const start = new Uint8Array(8 + headerSize).fill(0x20, 8);
  new DataView(start.buffer).setUint32(0, headerSize, true);
  start.set(header, 8);
  return { start, order: largestFirst.map(([name]) => name) };
}

function tensorBytes({ dtype, shape }: Pick<Tensor, 'dtype' | 'shape'>, name: string): number {
  return checkedElementCount(shape, name) * dtypeBytes[dtype];
}

function headerLength(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return view.getUint32(0, true) + 2 ** 32 * view.getUint32(4, true);
}

function readHeader(bytes: Uint8Array): { header: ReadonlyMap<string, JsonValue>; dataStart: number } {
  if (bytes.length < 8)
    throw failure(`Cannot read safetensors file: ${bytes.length} bytes, expected at least 8`);
  const length = headerLength(bytes);
  const longest = Math.min(bytes.length - 8, safetensorsHeaderBytesMax);
  if (length > longest) {
    const isCutOff = bytes[8] === 0x7b && length <= safetensorsHeaderBytesMax;
    throw failure(
      `Cannot read safetensors file: a header of ${length} bytes, expected at most ${longest}: ${isCutOff ? 'the file is cut off' : 'this is no safetensors file'}`,
    );
  }
  const text = decodeUtf8(bytes.subarray(8, 8 + length));
  if (text === undefined || !text.startsWith('{'))
    throw failure('Cannot read safetensors file: its header is not UTF-8 that begins with {');
  const header = parseJson(text, 'safetensors header');
  if (!isObject(header)) throw failure('Cannot read safetensors file: its header is no JSON object');
  return { header, dataStart: 8 + length };
}

function readMetadata(value: JsonValue): ReadonlyMap<string, string> {
  const metadata = new Map<string, string>();
  if (!isObject(value)) throw failure('Cannot read safetensors metadata: no object, expected texts by key');
  for (const [key, text] of value) {
    if (typeof text !== 'string')
      throw failure(`Cannot read safetensors metadata ${key}: no text, expected a text`);
    metadata.set(key, text);
  }
  return metadata;
}

interface PlacedTensor {
  readonly name: string;
  readonly tensor: Tensor;
  readonly begin: number;
  readonly end: number;
}

function readTensor(name: string, value: JsonValue, data: Uint8Array): PlacedTensor {
  const what = `safetensors tensor ${JSON.stringify(name)}`;
  if (!isObject(value) || [...value.keys()].sort().join() !== 'data_offsets,dtype,shape')
    throw failure(`Cannot read ${what}: its description needs exactly dtype, shape and data_offsets`);
  const dtype = value.get('dtype');
  if (typeof dtype !== 'string' || !isDtype(dtype))
    throw failure(
      `Cannot read ${what}: element type ${JSON.stringify(dtype)}, expected one of ${Object.keys(dtypeBytes).join(' ')}`,
    );
  const shape = readCounts(value.get('shape'), `${what}, shape`);
  const [begin, end, ...rest] = readCounts(value.get('data_offsets'), `${what}, data_offsets`);
  const size = checkedElementCount(shape, what) * dtypeBytes[dtype];
  if (begin === undefined || end === undefined || rest.length > 0 || end - begin !== size)
    throw failure(
      `Cannot read ${what}: data_offsets [${begin}, ${end}] of ${data.length} bytes, expected a range of ${size} bytes`,
    );
  if (end > data.length)
    throw failure(
      `Cannot read ${what}: it ends at byte ${end} of the data, expected at most ${data.length}: the file is cut off`,
    );
  return { name, begin, end, tensor: { dtype, shape, data: data.subarray(begin, end) } };
}

function readCounts(value: JsonValue | undefined, what: string): readonly number[] {
  if (!Array.isArray(value)) throw failure(`Cannot read ${what}: no list, expected whole numbers`);
  return value.map((item: JsonValue) => {
    if (typeof item !== 'number' || !Number.isSafeInteger(item) || item < 0)
      throw failure(`Cannot read ${what}: ${JSON.stringify(item)}, expected a whole number from 0 to 2^53`);
    return item;
  });
}

function checkCover(placed: readonly PlacedTensor[], length: number): void {
  const inOrder = [...placed].sort((a, b) => a.begin - b.begin || a.end - b.end);
  let covered = 0;
  for (const { name, begin, end } of inOrder) {
    if (begin !== covered)
      throw failure(
        `Cannot read safetensors tensor ${JSON.stringify(name)}: it begins at byte ${begin}, expected ${covered}: tensors may not overlap or leave holes`,
      );
    covered = end;
  }
  if (covered !== length)
    throw failure(
      `Cannot read safetensors file: ${length} bytes of data, expected ${covered}, the end of the last tensor`,
    );
}

function isObject(value: JsonValue): value is ReadonlyMap<string, JsonValue> {
  return value instanceof Map;
}
