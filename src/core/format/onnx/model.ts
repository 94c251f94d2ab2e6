/**
 * ONNX messages, read from protobuf (onnx.proto3 of ONNX 1.x; field numbers as there).
 *
 *     ModelProto      7 graph, 8 opset_import
 *     GraphProto      1 node, 5 initializer, 11 input, 12 output, 15 sparse_initializer (refused)
 *     NodeProto       1 input, 2 output, 3 name, 4 op_type, 5 attribute, 7 domain
 *     AttributeProto  1 name, 2 f, 3 i, 4 s, 5 t, 7 floats, 8 ints; graphs and other kinds are left out
 *     TensorProto     1 dims, 2 data_type, 3 segment (refused), 4 float_data, 5 int32_data, 7 int64_data, 8 name,
 *                     9 raw_data, 10 double_data, 13 external_data, 14 data_location
 *     ValueInfoProto  1 name, 2 type → 1 tensor_type → 2 shape → 1 dim → 1 dim_value | 2 dim_param
 *
 * All other fields (documentation, metadata, local functions) are skipped. Subgraphs of attributes are never entered:
 * an operator that has one is refused anyway, and so the depth of what is read is fixed by this file.
 */
import { failure } from '../../errors.ts';
import { onnxNodeCountMax, tensorCountMax } from '../../limits.ts';
import { appendFixed, appendIntegers, fieldsOf, floatOf, integerOf, messageOf, textOf } from './protobuf.ts';

/** A graph with one opset version for the operators of ONNX itself. */
export interface OnnxModel {
  readonly opset: number;
  readonly nodes: readonly OnnxNode[];
  readonly initializers: ReadonlyMap<string, TensorMessage>;
  /** Graph inputs that are not initializers. */
  readonly inputs: readonly ValueMessage[];
  readonly outputs: readonly string[];
}

/** One operator. `position` is its 0-based place in the file. An input left out has the name ''. */
export interface OnnxNode {
  readonly position: number;
  readonly name: string;
  readonly operator: string;
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, Attribute>;
}

/** An attribute; only the part its kind calls for is set. */
interface Attribute {
  readonly float?: number;
  readonly integer?: number;
  readonly text?: string;
  readonly tensor?: TensorMessage;
  readonly floats: readonly Uint8Array[];
  readonly integers: readonly number[];
}

/** A tensor as it stands in the file. Byte chunks are views into the file. */
export interface TensorMessage {
  readonly name: string;
  readonly dims: readonly number[];
  readonly dataType: number;
  readonly raw?: Uint8Array;
  readonly floats: readonly Uint8Array[];
  readonly doubles: readonly Uint8Array[];
  readonly int32s: readonly number[];
  readonly int64s: readonly number[];
  /** Keys location, offset, length; set when the data lies in another file. */
  readonly external?: ReadonlyMap<string, string>;
}

/** A graph input. `dims` holds null where the size is symbolic; it is left out when the file states no shape. */
export interface ValueMessage {
  readonly name: string;
  readonly dims?: readonly (number | null)[];
}

/**
 * Reads the messages of a model file. Tensor data is not decoded yet.
 * @throws TombolaError (failure) when the bytes are not a complete ONNX model or exceed a limit.
 */
export function readOnnxModel(bytes: Uint8Array): OnnxModel {
  let graph: Uint8Array | undefined;
  let opset: number | undefined;
  for (const field of fieldsOf(bytes)) {
    if (field.number === 7) {
      if (graph !== undefined) throw failure('Cannot read the ONNX model: it holds two graphs, expected one');
      graph = messageOf(field);
    }
    if (field.number === 8) opset = readOpset(messageOf(field)) ?? opset;
  }
  if (graph === undefined || opset === undefined)
    throw failure(
      `Cannot read the ONNX model: it holds no ${graph === undefined ? 'graph' : 'operator set version'}, expected a complete .onnx file (is it truncated or of another format?)`,
    );
  return { opset, ...readGraph(graph) };
}

/** The version of ONNX's own operator set, undefined for those of other domains. */
function readOpset(bytes: Uint8Array): number | undefined {
  let domain = '';
  let version: number | undefined;
  for (const field of fieldsOf(bytes)) {
    if (field.number === 1) domain = textOf(field);
    if (field.number === 2) version = integerOf(field);
  }
  return domain === '' || domain === 'ai.onnx' ? version : undefined;
}

function readGraph(bytes: Uint8Array): Omit<OnnxModel, 'opset'> {
  const nodes: OnnxNode[] = [];
  const initializers = new Map<string, TensorMessage>();
  const inputs: ValueMessage[] = [];
  const outputs: string[] = [];
  for (const field of fieldsOf(bytes)) {
    if (field.number === 1) nodes.push(readNode(messageOf(field), nodes.length));
    else if (field.number === 5) {
      const tensor = readTensor(messageOf(field));
      if (initializers.has(tensor.name))
        throw failure(
          `Cannot read the ONNX model: two tensors are named ${quoted(tensor.name)}, expected one`,
        );
      initializers.set(tensor.name, tensor);
    } else if (field.number === 11) inputs.push(readValue(messageOf(field)));
    else if (field.number === 12) outputs.push(readValue(messageOf(field)).name);
    else if (field.number === 15)
      throw failure(
        'Cannot import the ONNX model: it holds a sparse tensor, expected dense ones (export it without sparsity)',
      );
    checkCount(nodes.length, onnxNodeCountMax, 'nodes');
    checkCount(initializers.size, tensorCountMax, 'tensors');
    checkCount(inputs.length + outputs.length, tensorCountMax + onnxNodeCountMax, 'inputs and outputs');
  }
  return { nodes, initializers, inputs: inputs.filter(({ name }) => !initializers.has(name)), outputs };
}

function checkCount(count: number, most: number, what: string): void {
  if (count > most)
    throw failure(`Cannot read the ONNX model: more than ${most} ${what}, expected at most ${most}`);
}

function readNode(bytes: Uint8Array, position: number): OnnxNode {
  const inputs: string[] = [];
  const outputs: string[] = [];
  const attributes = new Map<string, Attribute>();
  let name = '';
  let operator = '';
  let domain = '';
  for (const field of fieldsOf(bytes)) {
    if (field.number === 1) inputs.push(textOf(field));
    else if (field.number === 2) outputs.push(textOf(field));
    else if (field.number === 3) name = textOf(field);
    else if (field.number === 4) operator = textOf(field);
    else if (field.number === 5) readAttribute(messageOf(field), attributes);
    else if (field.number === 7) domain = textOf(field);
  }
  return { position, name, operator, domain, inputs, outputs, attributes };
}

function readAttribute(bytes: Uint8Array, attributes: Map<string, Attribute>): void {
  const floats: Uint8Array[] = [];
  const integers: number[] = [];
  const single: { float?: number; integer?: number; text?: string; tensor?: TensorMessage } = {};
  let name = '';
  for (const field of fieldsOf(bytes)) {
    if (field.number === 1) name = textOf(field);
    else if (field.number === 2) single.float = floatOf(field);
    else if (field.number === 3) single.integer = integerOf(field);
    else if (field.number === 4) single.text = textOf(field);
    else if (field.number === 5) single.tensor = readTensor(messageOf(field));
    else if (field.number === 7) appendFixed(floats, field, 4);
    else if (field.number === 8) appendIntegers(integers, field);
  }
  attributes.set(name, { ...single, floats, integers });
}

function readTensor(bytes: Uint8Array): TensorMessage {
  const dims: number[] = [];
  const floats: Uint8Array[] = [];
  const doubles: Uint8Array[] = [];
  const int32s: number[] = [];
  const int64s: number[] = [];
  const external = new Map<string, string>();
  let raw: Uint8Array | undefined;
  let name = '';
  let dataType = 0;
  let isExternal = false;
  for (const field of fieldsOf(bytes)) {
    if (field.number === 1) appendIntegers(dims, field);
    else if (field.number === 2) dataType = integerOf(field);
    else if (field.number === 3)
      throw failure('Cannot import the ONNX model: it holds a tensor in segments, expected whole tensors');
    else if (field.number === 4) appendFixed(floats, field, 4);
    else if (field.number === 5) appendIntegers(int32s, field);
    else if (field.number === 7) appendIntegers(int64s, field);
    else if (field.number === 8) name = textOf(field);
    else if (field.number === 9) raw = messageOf(field);
    else if (field.number === 10) appendFixed(doubles, field, 8);
    else if (field.number === 13) readEntry(messageOf(field), external);
    else if (field.number === 14) isExternal = integerOf(field) === 1;
  }
  const optional = { ...(raw === undefined ? {} : { raw }), ...(isExternal ? { external } : {}) };
  return { name, dims, dataType, floats, doubles, int32s, int64s, ...optional };
}

function readEntry(bytes: Uint8Array, entries: Map<string, string>): void {
  let key = '';
  let value = '';
  for (const field of fieldsOf(bytes)) {
    if (field.number === 1) key = textOf(field);
    if (field.number === 2) value = textOf(field);
  }
  entries.set(key, value);
}

function readValue(bytes: Uint8Array): ValueMessage {
  let name = '';
  let dims: (number | null)[] | undefined;
  for (const field of fieldsOf(bytes)) {
    if (field.number === 1) name = textOf(field);
    if (field.number === 2)
      for (const type of fieldsOf(messageOf(field)))
        if (type.number === 1)
          for (const part of fieldsOf(messageOf(type)))
            if (part.number === 2) dims = readDims(messageOf(part));
  }
  return dims === undefined ? { name } : { name, dims };
}

function readDims(bytes: Uint8Array): (number | null)[] {
  const dims: (number | null)[] = [];
  for (const field of fieldsOf(bytes)) {
    if (field.number !== 1) continue;
    let size: number | null = null;
    for (const part of fieldsOf(messageOf(field))) if (part.number === 1) size = integerOf(part);
    dims.push(size);
  }
  return dims;
}

/** Returns a name from the file in quotes, short and without control characters, fit for a message. */
export function quoted(name: string): string {
  const printable = Array.from(name.slice(0, 100), (letter) =>
    letter < ' ' || letter === '\x7f' ? '?' : letter,
  );
  return `"${printable.join('')}${name.length > 100 ? '…' : ''}"`;
}
