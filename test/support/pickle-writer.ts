/** A tiny pickle and PyTorch writer for tests (protocol 2). */
import { writeZip } from './zip-writer.ts';

/** Returns the bytes of a text with one-byte characters. */
export function latin(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

/** Opcode texts by Python value; join them to programs. */
export const op = {
  text: (text: string): Buffer => {
    const bytes = Buffer.from(text);
    const size = Buffer.alloc(4);
    size.writeUInt32LE(bytes.length);
    return Buffer.concat([latin('X'), size, bytes]);
  },
  int: (value: number): Buffer => {
    const bytes = Buffer.alloc(5);
    bytes.write('J', 'latin1');
    bytes.writeInt32LE(value, 1);
    return bytes;
  },
  global: (module: string, name: string): Buffer => latin(`c${module}\n${name}\n`),
  tuple: (...items: readonly Buffer[]): Buffer => Buffer.concat([latin('('), ...items, latin('t')]),
  call: (callee: Buffer, ...parameters: readonly Buffer[]): Buffer =>
    Buffer.concat([callee, op.tuple(...parameters), latin('R')]),
  dict: (entries: readonly (readonly [string, Buffer])[]): Buffer =>
    Buffer.concat([
      op.call(op.global('collections', 'OrderedDict')),
      latin('('),
      ...entries.flatMap(([key, value]) => [op.text(key), value]),
      latin('u'),
    ]),
  program: (value: Buffer): Buffer => Buffer.concat([latin('\x80\x02'), value, latin('.')]),
} as const;

/** A tensor of a PyTorch file. */
export interface TorchTensor {
  readonly storage?: string;
  readonly storageType?: string;
  readonly storageCount: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly offset?: number;
  readonly isParameter?: boolean;
}

/** Returns the opcodes that build a tensor. */
export function torchTensor(tensor: TorchTensor): Buffer {
  const id = op.tuple(
    op.text('storage'),
    op.global('torch', tensor.storageType ?? 'FloatStorage'),
    op.text(tensor.storage ?? '0'),
    op.text('cpu'),
    op.int(tensor.storageCount),
  );
  const rebuilt = op.call(
    op.global('torch._utils', '_rebuild_tensor_v2'),
    Buffer.concat([id, latin('Q')]),
    op.int(tensor.offset ?? 0),
    op.tuple(...tensor.shape.map(op.int)),
    op.tuple(...tensor.strides.map(op.int)),
    latin('\x89'),
    op.call(op.global('collections', 'OrderedDict')),
  );
  if (!tensor.isParameter) return rebuilt;
  return op.call(
    op.global('torch._utils', '_rebuild_parameter'),
    rebuilt,
    latin('\x88'),
    op.call(op.global('collections', 'OrderedDict')),
  );
}

/** Returns a PyTorch file with this pickle and these storages. */
export function torchFile(
  pickle: Uint8Array,
  storages: Readonly<Record<string, Uint8Array>>,
  others: Readonly<Record<string, string>> = {},
): Uint8Array {
  return writeZip([
    ['model/data.pkl', pickle],
    ...Object.entries(others).map(([name, text]) => [`model/${name}`, latin(text)] as const),
    ...Object.entries(storages).map(([key, data]) => [`model/data/${key}`, data] as const),
  ]);
}

/** Returns a PyTorch file with a state dict of contiguous float32 tensors, one storage each. */
export function stateDictFile(
  tensors: readonly (readonly [name: string, shape: readonly number[], values: readonly number[]])[],
): Uint8Array {
  const storages: Record<string, Uint8Array> = {};
  const entries = tensors.map(([name, shape, values], index) => {
    storages[index] = new Uint8Array(Float32Array.from(values).buffer);
    const strides = shape.map((_, axis) =>
      shape.slice(axis + 1).reduce((product, size) => product * size, 1),
    );
    return [name, torchTensor({ storage: `${index}`, storageCount: values.length, shape, strides })] as const;
  });
  return torchFile(op.program(op.dict(entries)), storages);
}
