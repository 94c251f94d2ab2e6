/**
 * Writes ONNX models in bytes, node by node, for tests of the reader. Shares no code with the reader.
 */

export type AttributeValue =
  | number
  | string
  | readonly number[]
  | { readonly float: number }
  | { readonly tensor: TensorSpec };

export interface NodeSpec {
  readonly operator: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
  readonly name?: string;
  readonly domain?: string;
}

/** How a tensor's values are stored. */
export type Storage =
  | 'raw'
  | 'typed'
  | { readonly location: string; readonly offset?: number; readonly length?: number };
export type ElementType = 'float' | 'double' | 'float16' | 'bfloat16' | 'int32' | 'int64';

export interface TensorSpec {
  readonly name: string;
  readonly dims: readonly number[];
  readonly values: readonly number[];
  readonly type?: ElementType;
  readonly storage?: Storage;
}

export interface ModelSpec {
  readonly opset?: number;
  /** A string is a symbolic size. */
  readonly input: readonly (number | string)[];
  readonly nodes: readonly NodeSpec[];
  readonly tensors?: readonly TensorSpec[];
  /** Names of further inputs and all outputs; the output is the last node's by default. */
  readonly moreInputs?: readonly string[];
  readonly outputs?: readonly string[];
}

const typeNumbers = { float: 1, int32: 6, int64: 7, float16: 10, double: 11, bfloat16: 16 } as const;

/** Returns the bytes of a model whose input is named `x`. */
export function writeOnnx(spec: ModelSpec): Uint8Array {
  const outputs = spec.outputs ?? spec.nodes.at(-1)?.outputs.slice(0, 1) ?? [];
  const graph = [
    ...spec.nodes.map((node) => bytesField(1, nodeBytes(node))),
    textField(2, 'graph'),
    ...(spec.tensors ?? []).map((tensor) => bytesField(5, tensorBytes(tensor))),
    bytesField(11, valueBytes('x', spec.input)),
    ...(spec.moreInputs ?? []).map((name) => bytesField(11, valueBytes(name, spec.input))),
    ...outputs.map((name) => bytesField(12, valueBytes(name))),
  ].flat();
  const opset = [...textField(1, ''), ...integerField(2, spec.opset ?? 17)];
  return Uint8Array.from([...integerField(1, 8), ...bytesField(7, graph), ...bytesField(8, opset)]);
}

/** Returns a node; attributes: a whole number is an integer, `{ float }` a float, an array integers. */
export function node(
  operator: string,
  inputs: readonly string[],
  output: string,
  attributes: Readonly<Record<string, AttributeValue>> = {},
  name = `node-${output}`,
): NodeSpec {
  return { operator, inputs, outputs: [output], attributes, name };
}

/** Returns a float tensor. */
export function tensor(name: string, dims: readonly number[], values: readonly number[]): TensorSpec {
  return { name, dims, values };
}

/** Returns an int64 tensor of one dimension. */
export function integers(name: string, values: readonly number[]): TensorSpec {
  return { name, dims: [values.length], values, type: 'int64' };
}

/** Returns the raw bytes of values in an element type. */
export function rawBytes(values: readonly number[], type: ElementType): number[] {
  const size = { float: 4, int32: 4, int64: 8, double: 8, float16: 2, bfloat16: 2 }[type];
  const view = new DataView(new ArrayBuffer(values.length * size));
  values.forEach((value, index) => {
    const offset = index * size;
    if (type === 'float') view.setFloat32(offset, value, true);
    else if (type === 'double') view.setFloat64(offset, value, true);
    else if (type === 'int32') view.setInt32(offset, value, true);
    else if (type === 'int64') view.setBigInt64(offset, BigInt(value), true);
    else view.setUint16(offset, type === 'float16' ? float16Bits(value) : bfloat16Bits(value), true);
  });
  return [...new Uint8Array(view.buffer)];
}

/** The bits of the binary16 number nearest towards zero; normal numbers only. */
export function float16Bits(value: number): number {
  if (value === 0) return 0;
  const exponent = Math.floor(Math.log2(Math.abs(value)));
  const fraction = Math.floor((Math.abs(value) / 2 ** exponent - 1) * 1024);
  return (value < 0 ? 0x8000 : 0) | ((exponent + 15) << 10) | fraction;
}

function bfloat16Bits(value: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value);
  return view.getUint16(0);
}

function nodeBytes(spec: NodeSpec): number[] {
  return [
    ...spec.inputs.map((name) => textField(1, name)),
    ...spec.outputs.map((name) => textField(2, name)),
    textField(3, spec.name ?? ''),
    textField(4, spec.operator),
    ...Object.entries(spec.attributes ?? {}).map(([name, value]) =>
      bytesField(5, attributeBytes(name, value)),
    ),
    ...(spec.domain === undefined ? [] : [textField(7, spec.domain)]),
  ].flat();
}

function attributeBytes(name: string, value: AttributeValue): number[] {
  const start = textField(1, name);
  if (typeof value === 'number') return [...start, ...integerField(3, value), ...integerField(20, 2)];
  if (typeof value === 'string') return [...start, ...textField(4, value), ...integerField(20, 3)];
  if ('float' in value)
    return [...start, ...fieldKey(2, 5), ...rawBytes([value.float], 'float'), ...integerField(20, 1)];
  if ('tensor' in value)
    return [...start, ...bytesField(5, tensorBytes(value.tensor)), ...integerField(20, 4)];
  return [...start, ...value.flatMap((entry) => integerField(8, entry)), ...integerField(20, 7)];
}

function tensorBytes(spec: TensorSpec): number[] {
  const type = spec.type ?? 'float';
  const head = [...spec.dims.flatMap((size) => integerField(1, size)), ...integerField(2, typeNumbers[type])];
  return [...head, ...textField(8, spec.name), ...dataBytes(spec, type)];
}

function dataBytes(spec: TensorSpec, type: ElementType): number[] {
  const storage = spec.storage ?? 'raw';
  if (storage === 'raw') return bytesField(9, rawBytes(spec.values, type));
  if (storage !== 'typed') {
    const entries = Object.entries(storage).map(([key, value]) => [
      ...textField(1, key),
      ...textField(2, String(value)),
    ]);
    return [...entries.flatMap((entry) => bytesField(13, entry)), ...integerField(14, 1)];
  }
  if (type === 'float') return bytesField(4, rawBytes(spec.values, type));
  if (type === 'double') return bytesField(10, rawBytes(spec.values, type));
  if (type === 'int64') return bytesField(7, spec.values.flatMap(varint));
  if (type === 'int32') return bytesField(5, spec.values.flatMap(varint));
  return bytesField(5, spec.values.map(type === 'float16' ? float16Bits : bfloat16Bits).flatMap(varint));
}

function valueBytes(name: string, dims?: readonly (number | string)[]): number[] {
  const sizes = dims?.flatMap((size) =>
    bytesField(1, typeof size === 'number' ? integerField(1, size) : textField(2, size)),
  );
  const type = [...integerField(1, 1), ...(sizes === undefined ? [] : bytesField(2, sizes))];
  return [...textField(1, name), ...bytesField(2, bytesField(1, type))];
}

function fieldKey(number: number, wireType: number): number[] {
  return varint(number * 8 + wireType);
}

function integerField(number: number, value: number): number[] {
  return [...fieldKey(number, 0), ...varint(value)];
}

function bytesField(number: number, bytes: readonly number[]): number[] {
  return [...fieldKey(number, 2), ...varint(bytes.length), ...bytes];
}

function textField(number: number, text: string): number[] {
  return bytesField(number, [...new TextEncoder().encode(text)]);
}

function varint(value: number): number[] {
  let rest = BigInt.asUintN(64, BigInt(value));
  const bytes: number[] = [];
  while (rest > 0x7fn) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  return [...bytes, Number(rest)];
}
