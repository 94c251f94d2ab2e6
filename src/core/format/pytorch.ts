/**
 * State dicts of PyTorch in its zip format (`torch.save(model.state_dict(), …)`, PyTorch ≥ 1.6).
 *
 *   <folder>/data.pkl        a pickle (pickle.ts): a dict from names to tensors
 *   <folder>/data/<key>      the bytes of one storage
 *   <folder>/byteorder       `little` or `big`; without it, little
 *
 * A tensor is the call torch._utils._rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, hooks, …), offset and
 * strides in elements; a storage is the persistent id ('storage', torch.FloatStorage, key, device, element count). Several
 * tensors may share a storage. No pickle is ever executed: a list of allowed names is answered, every other is refused.
 * A checkpoint (a dict with the state dict under `state_dict` or `model_state_dict`) is read too.
 */
import { failure } from '../errors.ts';
import { tensorCountMax, tensorRankMax, unpackedBytesMax } from '../limits.ts';
import {
  isDict,
  isGlobal,
  isSequence,
  type PickleAnswers,
  type PickleGlobal,
  type PickleValue,
  readPickle,
} from './pickle.ts';
import { checkedElementCount, type Dtype, dtypeBytes, swapBytes, type Tensor } from './tensor.ts';
import { decodeUtf8 } from './utf8.ts';
import { isZip, readZip, unpackEntry, type ZipArchive } from './zip.ts';

const storageDtypes: ReadonlyMap<string, Dtype> = new Map<string, Dtype>([
  ['DoubleStorage', 'F64'],
  ['FloatStorage', 'F32'],
  ['HalfStorage', 'F16'],
  ['BFloat16Storage', 'BF16'],
  ['LongStorage', 'I64'],
  ['IntStorage', 'I32'],
  ['ShortStorage', 'I16'],
  ['CharStorage', 'I8'],
  ['ByteStorage', 'U8'],
  ['BoolStorage', 'BOOL'],
]);

const callables: readonly string[] = [
  'collections.OrderedDict',
  'torch.Size',
  'torch._utils._rebuild_tensor_v2',
  'torch._utils._rebuild_parameter',
];

/** Tells whether the bytes look like a PyTorch file, of the zip format or of the legacy one. */
export function isPytorch(bytes: Uint8Array): boolean {
  return isZip(bytes) || isLegacy(bytes);
}

/**
 * Returns the tensors of a state dict by name, in its order, contiguous; entries that are no tensors are left out.
 * @throws TombolaError (failure) when the file is damaged, is no state dict, or needs code to be run.
 */
export function readPytorch(bytes: Uint8Array): ReadonlyMap<string, Tensor> {
  if (isLegacy(bytes))
    throw failure(
      'Cannot read PyTorch file: it has the format of PyTorch before 1.6, expected a zip archive; load it and save model.state_dict() again',
    );
  if (!isZip(bytes))
    throw failure('Cannot read PyTorch file: it does not begin like a zip archive; save model.state_dict()');
  const archive = readZip(bytes);
  const folder = findFolder(archive);
  const source = {
    archive,
    folder,
    isBig: isBigEndian(archive, folder),
    storages: new Map<string, Storage>(),
  };
  const root = readPickle<Opaque>(unpackNamed(archive, `${folder}data.pkl`), answersFor(source));
  return collectTensors(findStateDict(root));
}

/** A storage that has been read, or a tensor that lies in one. */
type Opaque =
  | { readonly kind: 'storage'; readonly storage: Storage }
  | { readonly kind: 'tensor'; readonly placed: Placed };

interface Storage {
  readonly dtype: Dtype;
  /** Little endian. */
  readonly data: Uint8Array;
}

interface Placed {
  readonly storage: Storage;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

interface Source {
  readonly archive: ZipArchive;
  readonly folder: string;
  readonly isBig: boolean;
  readonly storages: Map<string, Storage>;
}

/** The legacy format is a row of bare pickles, and the one before it a tar archive. */
function isLegacy(bytes: Uint8Array): boolean {
  const isTar = bytes.length > 262 && String.fromCharCode(...bytes.subarray(257, 262)) === 'ustar';
  return (bytes[0] === 0x80 && (bytes[1] ?? 9) <= 5) || isTar;
}

function findFolder(archive: ZipArchive): string {
  const names = [...archive.entries.keys()];
  const pickle = names.find((name) => /^[^/]+\/data\.pkl$/.test(name) || name === 'data.pkl');
  if (pickle === undefined)
    throw failure(
      'Cannot read PyTorch file: the archive holds no data.pkl, expected torch.save(model.state_dict(), …)',
    );
  const folder = pickle.slice(0, -'data.pkl'.length);
  if (archive.entries.has(`${folder}constants.pkl`))
    throw failure(
      'Cannot read PyTorch file: it is a TorchScript program, expected weights; save model.state_dict() instead',
    );
  return folder;
}

function isBigEndian(archive: ZipArchive, folder: string): boolean {
  if (!archive.entries.has(`${folder}byteorder`)) return false;
  const order = decodeUtf8(unpackNamed(archive, `${folder}byteorder`));
  if (order !== 'little' && order !== 'big')
    throw failure(
      `Cannot read PyTorch file: byteorder ${JSON.stringify(order?.slice(0, 20))}, expected little or big`,
    );
  return order === 'big';
}

function unpackNamed(archive: ZipArchive, name: string): Uint8Array {
  const entry = archive.entries.get(name);
  if (entry === undefined)
    throw failure(`Cannot read PyTorch file: the archive holds no ${name}; save it again`);
  return unpackEntry(archive, entry);
}

function answersFor(source: Source): PickleAnswers<Opaque> {
  return {
    allow: checkAllowed,
    call: answerCall,
    load: (id) => ({ kind: 'opaque', value: { kind: 'storage', storage: loadStorage(source, id) } }),
  };
}

function checkAllowed({ module, name }: PickleGlobal): void {
  const full = `${module}.${name}`;
  if (callables.includes(full) || (module === 'torch' && storageDtypes.has(name))) return;
  const advice =
    full.startsWith('torch._utils._rebuild') || /^torch\.\w*(Storage|float8\w*)$/.test(full)
      ? 'expected dense tensors of floating-point or whole numbers'
      : 'expected a state dict; never load such a file you do not trust, and save model.state_dict() instead of the model';
  throw failure(`Cannot read PyTorch file: it needs the Python name ${full.slice(0, 100)}, ${advice}`);
}

function answerCall({ name }: PickleGlobal, parameters: readonly PickleValue<Opaque>[]): PickleValue<Opaque> {
  const [first] = parameters;
  switch (name) {
    case 'OrderedDict':
      if (first !== undefined) break;
      return { kind: 'dict', entries: new Map() };
    case 'Size':
      if (!isSequence(first)) break;
      return { kind: 'tuple', items: first.items };
    case '_rebuild_parameter':
      if (first === undefined || !isOpaque(first, 'tensor')) break;
      return first;
    case '_rebuild_tensor_v2':
      return { kind: 'opaque', value: { kind: 'tensor', placed: placeTensor(parameters) } };
  }
  throw failure(
    `Cannot read PyTorch file: a call of ${name} with unknown arguments; save model.state_dict() again`,
  );
}

function isOpaque<Kind extends Opaque['kind']>(
  value: PickleValue<Opaque> | undefined,
  kind: Kind,
): value is { readonly kind: 'opaque'; readonly value: Extract<Opaque, { readonly kind: Kind }> } {
  return (
    typeof value === 'object' &&
    value !== null &&
    !(value instanceof Uint8Array) &&
    value.kind === 'opaque' &&
    value.value.kind === kind
  );
}

function loadStorage(source: Source, id: PickleValue<Opaque>): Storage {
  const [tag, type, key, , count] = isSequence(id) ? id.items : [];
  const dtype = isGlobal(type) && type.module === 'torch' ? storageDtypes.get(type.name) : undefined;
  if (tag !== 'storage' || dtype === undefined || typeof key !== 'string' || typeof count !== 'number')
    throw failure(
      'Cannot read PyTorch file: a persistent id that is no storage; save model.state_dict() again',
    );
  const known = source.storages.get(key);
  if (known !== undefined && known.dtype === dtype) return known;
  if (known !== undefined) throw failure(`Cannot read PyTorch file: storage ${key} has two element types`);
  const data = unpackNamed(source.archive, `${source.folder}data/${key}`);
  if (data.length !== count * dtypeBytes[dtype])
    throw failure(
      `Cannot read PyTorch file: storage ${key} has ${data.length} bytes, expected ${count} elements of ${dtypeBytes[dtype]}`,
    );
  const storage = { dtype, data: source.isBig ? swapBytes(data, dtypeBytes[dtype]) : data };
  source.storages.set(key, storage);
  return storage;
}

function placeTensor([storage, offset, shape, strides]: readonly PickleValue<Opaque>[]): Placed {
  const sizes = readSizes(shape);
  const steps = readSizes(strides);
  if (
    !isOpaque(storage, 'storage') ||
    !isCount(offset) ||
    sizes === undefined ||
    steps?.length !== sizes.length
  )
    throw failure(
      'Cannot read PyTorch file: a tensor without storage, offset, shape and strides; save it again',
    );
  const placed = { storage: storage.value.storage, offset, shape: sizes, strides: steps };
  checkPlace(placed);
  return placed;
}

/** A tensor with more elements than its storage (an expanded one) is refused: a few bytes could claim any amount of memory. */
function checkPlace({ storage, offset, shape, strides }: Placed): void {
  const available = storage.data.length / dtypeBytes[storage.dtype];
  const count = checkedElementCount(shape, 'PyTorch tensor');
  const last = shape.reduce((sum, size, axis) => sum + (size - 1) * (strides[axis] ?? 0), offset);
  if (count > available || (count > 0 && !(last < available)))
    throw failure(
      `Cannot read PyTorch file: a tensor of shape [${shape.join(', ')}] at offset ${offset} does not fit its storage of ${available} elements; save contiguous tensors`,
    );
}

function readSizes(value: PickleValue<Opaque> | undefined): readonly number[] | undefined {
  const isShort = isSequence(value) && value.items.length <= tensorRankMax;
  return isShort && value.items.every(isCount) ? value.items : undefined;
}

function isCount(value: PickleValue<Opaque> | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

type Entries = ReadonlyMap<PickleValue<Opaque>, PickleValue<Opaque>>;

function findStateDict(root: PickleValue<Opaque>): Entries {
  if (!isDict(root))
    throw failure('Cannot read PyTorch file: it holds no dict of tensors; save model.state_dict()');
  for (const key of ['state_dict', 'model_state_dict']) {
    const inner = root.entries.get(key);
    if (isDict(inner)) return inner.entries;
  }
  return root.entries;
}

function collectTensors(entries: Entries): ReadonlyMap<string, Tensor> {
  const tensors = new Map<string, Tensor>();
  let bytes = 0;
  for (const [name, value] of entries) {
    if (typeof name !== 'string' || !isOpaque(value, 'tensor')) continue;
    const tensor = contiguous(value.value.placed);
    bytes += tensor.data.length;
    tensors.set(name, tensor);
    if (bytes > unpackedBytesMax || tensors.size > tensorCountMax)
      throw failure(
        `Cannot read PyTorch file: more than ${unpackedBytesMax} bytes or ${tensorCountMax} tensors; save the model alone`,
      );
  }
  if (tensors.size === 0)
    throw failure('Cannot read PyTorch file: its dict holds no tensors; save model.state_dict()');
  return tensors;
}

/** The elements in row-major order: a view where they lie so, else a copy. */
function contiguous({ storage, offset, shape, strides }: Placed): Tensor {
  const { dtype, data } = storage;
  const size = dtypeBytes[dtype];
  const count = shape.reduce((product, length) => product * length, 1);
  if (count === 0 || isRowMajor(shape, strides))
    return { dtype, shape, data: data.subarray(offset * size, (offset + count) * size) };
  const copy = new Uint8Array(count * size);
  const index = shape.map(() => 0);
  for (let to = 0; to < copy.length; to += size) {
    const from = index.reduce((sum, at, axis) => sum + at * (strides[axis] ?? 0), offset) * size;
    for (let i = 0; i < size; i++) copy[to + i] = data[from + i] ?? 0;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const next = (index[axis] ?? 0) + 1;
      index[axis] = next < (shape[axis] ?? 0) ? next : 0;
      if (next < (shape[axis] ?? 0)) break;
    }
  }
  return { dtype, shape, data: copy };
}

function isRowMajor(shape: readonly number[], strides: readonly number[]): boolean {
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if ((shape[axis] ?? 0) > 1 && strides[axis] !== step) return false;
    step *= shape[axis] ?? 0;
  }
  return true;
}
