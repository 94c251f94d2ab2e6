/**
 * ONNX import: a model file → a target {@link Network}.
 *
 * Read: one graph with one float input [batch, …] and one output that is a chain of Gemm, MatMul, Conv (2-D, one group), the
 * activations of network/activation.ts (also written out as several operators), MaxPool, AveragePool, their global forms, Flatten
 * and reshapes that mean flatten; BatchNormalization and scalings directly behind a layer are folded into it; Identity, Dropout and a
 * final Softmax or LogSoftmax are left out. Everything else is refused, naming the operator and its node.
 * A batch of unknown size is taken as 1 (sizes computed in the graph become constants), for a Network has no batch dimension.
 */
import { failure, type TombolaError } from '../../errors.ts';
import { onnxBytesMax, onnxExpressionSizeMax, weightCountMax } from '../../limits.ts';
import type { Network } from '../../network/network.ts';
import { elementCount, networkShapes, type Shape } from '../../network/shapes.ts';
import { integerAttribute, refusal } from './attributes.ts';
import { type Chain, chainAdvice, finishChain, type Signal, settle, startChain } from './chain.ts';
import { constantFromAttributes, foldConstant, integerList, permutationOf, shapeSlice } from './constants.ts';
import { reshapedDims, reshapingOperators } from './dims.ts';
import {
  type Expression,
  elementwiseExpression,
  isBinaryElementwise,
  numberExpression,
} from './expression.ts';
import { finiteValues } from './fold.ts';
import {
  applyChannelArithmetic,
  applyConvolution,
  applyGemm,
  applyMatMul,
  applyNormalisation,
} from './layers.ts';
import { type OnnxModel, type OnnxNode, quoted, readOnnxModel, type ValueMessage } from './model.ts';
import { type Constant, decodeTensor, isFloatType, newElementBudget } from './tensor.ts';
import {
  applyGlobalPool,
  applyPool,
  applyReduceMean,
  type ImagePadding,
  noPadding,
  padOf,
} from './windows.ts';

/** What a tensor of the graph is: known, a tensor along the chain (padded or not), or class probabilities at the end. */
type Value =
  | { readonly kind: 'constant'; readonly constant: Constant }
  | Signal
  | { readonly kind: 'padded'; readonly signal: Signal; readonly padding: ImagePadding }
  | { readonly kind: 'probabilities'; readonly signal: Signal };

interface Import {
  readonly model: OnnxModel;
  readonly chain: Chain;
  /** Size of the batch in the graph's shapes. */
  readonly batch: number;
  readonly readExternal: (name: string) => Uint8Array;
  readonly values: Map<string, Value>;
}

/**
 * Returns the network that an ONNX model describes, checked with {@link networkShapes}.
 * @param readExternal gives the bytes of a data file beside the model, by its relative path; each is asked for once, and never
 * with a path that leaves the model's folder. What it throws is reported as a missing file.
 * @throws TombolaError (failure) for damaged bytes, unsupported operators and graphs that are no chain.
 */
export function importOnnx(bytes: Uint8Array, readExternal: (name: string) => Uint8Array): Network {
  if (bytes.length > onnxBytesMax)
    throw failure(
      `Cannot read the ONNX model: ${bytes.length} bytes, expected at most ${onnxBytesMax} (keep the weights in external data)`,
    );
  const model = readOnnxModel(bytes);
  if (!(model.opset >= 7))
    throw failure(
      `Cannot import the ONNX model: operator set ${model.opset}, expected 7 or later (export it again)`,
    );
  const [outputName] = model.outputs;
  if (outputName === undefined || model.outputs.length !== 1)
    throw failure(
      `Cannot import the ONNX model: it has ${model.outputs.length} outputs, expected one (export the logits alone)`,
    );
  const { batch, dims, name } = inputOf(model);
  const { chain, input } = startChain(dims, newElementBudget());
  const graph: Import = {
    model,
    chain,
    batch,
    readExternal: cached(readExternal),
    values: new Map([[name, input]]),
  };
  const nodes = nodesTowards(model, outputName);
  for (const node of nodes) importNode(graph, node);
  const last = nodes.at(-1);
  const output = graph.values.get(outputName);
  if (last === undefined || output === undefined || output.kind === 'constant')
    throw failure(
      `Cannot import the ONNX model: its output ${quoted(outputName)} does not depend on its input, expected a network`,
    );
  const network = finishChain(chain, output.kind === 'signal' ? output : unpadded(output, last), last);
  networkShapes(network);
  return network;
}

function cached(readExternal: (name: string) => Uint8Array): (name: string) => Uint8Array {
  const files = new Map<string, Uint8Array>();
  return (name) => {
    const file = files.get(name) ?? readExternal(name);
    files.set(name, file);
    return file;
  };
}

function inputOf(model: OnnxModel): { batch: number; dims: Shape; name: string } {
  const [input] = model.inputs;
  if (input === undefined || model.inputs.length !== 1)
    throw failure(
      `Cannot import the ONNX model: it has ${model.inputs.length} inputs, expected one (bind the others to constants)`,
    );
  const [batch, ...rest] = input.dims ?? [];
  const dims = rest.filter((size) => size !== null && Number.isSafeInteger(size) && size >= 1) as number[];
  if (rest.length === 0 || dims.length !== rest.length || !(elementCount(dims) <= weightCountMax))
    throw badInput(input);
  if (batch !== null && !(batch !== undefined && batch >= 0 && batch <= weightCountMax))
    throw badInput(input);
  return { batch: batch === null || batch === 0 ? 1 : batch, dims, name: input.name };
}

function badInput(input: ValueMessage): TombolaError {
  const shape = input.dims?.map((size) => size ?? '?').join(', ');
  return failure(
    `Cannot import the ONNX model: its input ${quoted(input.name)} has ${shape === undefined ? 'no shape' : `shape [${shape.slice(0, 100)}]`}, expected [batch, …] with all sizes but the batch fixed (export it with a fixed input size)`,
  );
}

/** The nodes that the output depends on, in the order of the file, which ONNX wants topologically sorted. */
function nodesTowards(model: OnnxModel, output: string): OnnxNode[] {
  const needed = new Set([output]);
  const nodes: OnnxNode[] = [];
  for (const node of model.nodes.toReversed()) {
    if (!node.outputs.some((name) => name !== '' && needed.has(name))) continue;
    for (const name of node.inputs) needed.add(name);
    nodes.push(node);
  }
  return nodes.reverse();
}

function importNode(graph: Import, node: OnnxNode): void {
  if (node.domain !== '' && node.domain !== 'ai.onnx')
    throw refusal(
      node,
      'its operator is not one of ONNX itself',
      'standard operators (export without fused or custom ones)',
    );
  const inputs = node.inputs.map((name) => (name === '' ? undefined : valueNamed(graph, name, node)));
  const value = valueOfNode(graph, node, inputs);
  const [name = ''] = node.outputs;
  if (graph.values.has(name) || graph.model.initializers.has(name))
    throw refusal(node, `its output ${quoted(name)} exists already`, 'a name of its own for every tensor');
  graph.values.set(name, value);
}

function valueNamed(graph: Import, name: string, node: OnnxNode): Value {
  const known = graph.values.get(name);
  if (known !== undefined) return known;
  const initializer = graph.model.initializers.get(name);
  if (initializer === undefined)
    throw refusal(
      node,
      `it reads ${quoted(name)}, which no supported operator before it gives`,
      'nodes in topological order that use first outputs only',
    );
  const value: Value = {
    kind: 'constant',
    constant: decodeTensor(initializer, graph.readExternal, graph.chain.budget),
  };
  graph.values.set(name, value);
  return value;
}

function valueOfNode(graph: Import, node: OnnxNode, inputs: readonly (Value | undefined)[]): Value {
  const { chain } = graph;
  if (node.operator === 'Constant') return { kind: 'constant', constant: constantOf(graph, node) };
  const constants = inputs.map((value) => (value?.kind === 'constant' ? value.constant : undefined));
  if (inputs.every((value) => value === undefined || value.kind === 'constant'))
    return { kind: 'constant', constant: foldConstant(node, constants, chain.budget) };
  const tensors = inputs.filter((value) => value !== undefined && value.kind !== 'constant');
  const [tensor] = tensors;
  if (tensor === undefined) throw refusal(node, 'it has no input', 'an input');
  if (tensor.kind === 'padded') return valueBehindPad(graph, node, { tensor, constants });
  if (tensor.kind === 'probabilities') return valueBehindSoftmax(node, tensor);
  const others = tensors.slice(1).filter((value) => value.kind === 'signal');
  if (others.length !== tensors.length - 1) throw refusal(node, 'it joins two branches', chainAdvice);
  return valueFromSignal(graph, node, { signal: tensor, inputs, constants });
}

function constantOf(graph: Import, node: OnnxNode): Constant {
  const tensor = node.attributes.get('value')?.tensor;
  if (tensor === undefined) return constantFromAttributes(node);
  const name = tensor.name === '' ? (node.outputs[0] ?? '') : tensor.name;
  return decodeTensor({ ...tensor, name }, graph.readExternal, graph.chain.budget);
}

function valueBehindPad(
  graph: Import,
  node: OnnxNode,
  {
    tensor,
    constants,
  }: {
    readonly tensor: Extract<Value, { kind: 'padded' }>;
    readonly constants: readonly (Constant | undefined)[];
  },
): Value {
  const source = { signal: tensor.signal, outer: tensor.padding };
  if (node.operator === 'Conv') return applyConvolution(graph.chain, node, source, constants.slice(1));
  if (node.operator === 'AveragePool' || node.operator === 'MaxPool')
    return applyPool(graph.chain, node, source);
  throw refusal(node, 'a Pad node lies before it', 'Conv or AveragePool behind a Pad');
}

function valueBehindSoftmax(node: OnnxNode, tensor: Extract<Value, { kind: 'probabilities' }>): Value {
  if (['Log', 'Identity', 'Flatten', 'Squeeze'].includes(node.operator)) return tensor;
  throw refusal(node, 'it follows a Softmax', 'a Softmax at the end only (export the logits)');
}

function unpadded(output: Exclude<Value, Signal | { kind: 'constant' }>, last: OnnxNode): Signal {
  if (output.kind === 'padded')
    throw refusal(last, 'the graph ends with it', 'Conv or AveragePool behind a Pad');
  return output.signal;
}

interface Operands {
  /** The first operand that depends on the input. */
  readonly signal: Signal;
  readonly inputs: readonly (Value | undefined)[];
  readonly constants: readonly (Constant | undefined)[];
}

function valueFromSignal(graph: Import, node: OnnxNode, operands: Operands): Value {
  const { chain } = graph;
  const { signal, inputs, constants } = operands;
  const elementwise = elementwiseValue(chain, node, operands);
  if (elementwise !== undefined) return elementwise;
  if (inputs[0] !== signal)
    throw refusal(node, 'its first operand is a constant', 'the tensor first and the weights behind it');
  if (inputs.slice(1).some((value) => value !== undefined && value.kind !== 'constant'))
    throw refusal(node, 'it combines two tensors that depend on the input', chainAdvice);
  switch (node.operator) {
    case 'Gemm':
      return applyGemm(chain, node, signal, constants.slice(1));
    case 'MatMul':
      return applyMatMul(chain, node, signal, constants[1]);
    case 'Conv':
      return applyConvolution(chain, node, { signal, outer: noPadding }, constants.slice(1));
    case 'BatchNormalization':
      return applyNormalisation(chain, node, signal, constants.slice(1));
    case 'MaxPool':
    case 'AveragePool':
      return applyPool(chain, node, { signal, outer: noPadding });
    case 'GlobalAveragePool':
    case 'GlobalMaxPool':
      return applyGlobalPool(chain, node, signal);
    case 'ReduceMean':
      return applyReduceMean(chain, node, signal, constants[1]);
    case 'Pad':
      return paddedValue(chain, node, signal, constants.slice(1));
    case 'Softmax':
    case 'LogSoftmax':
      return probabilities(chain, node, signal);
    default:
      return reshapedValue(graph, node, signal, constants);
  }
}

/** The value of an elementwise node, undefined when the node is of another kind. */
function elementwiseValue(
  chain: Chain,
  node: OnnxNode,
  { signal, inputs, constants }: Operands,
): Value | undefined {
  const constant = constants.find((operand) => operand !== undefined && operand.values.length !== 1);
  if (constant !== undefined) {
    if (node.operator === 'PRelu')
      throw refusal(node, 'it has a slope per channel', 'one slope (num_parameters=1)');
    if (!isBinaryElementwise(node.operator)) return undefined;
    return applyChannelArithmetic(chain, node, signal, { constant, constantFirst: inputs[0] !== signal });
  }
  const operands = inputs.map((value): Expression | undefined => {
    if (value?.kind === 'signal') return value.expression;
    return value?.kind === 'constant' ? scalarOperand(node, value.constant) : undefined;
  });
  const expression = elementwiseExpression(node, operands);
  if (expression === undefined) return undefined;
  if (inputs.some((value) => value?.kind === 'signal' && value.head !== chain.head))
    throw refusal(
      node,
      'it reads a tensor from before a layer (a residual connection or branch)',
      chainAdvice,
    );
  if (inputs.some((value) => value?.kind === 'signal' && value.dims.join() !== signal.dims.join()))
    throw refusal(node, 'its operands have different shapes', chainAdvice);
  if (expression.size > onnxExpressionSizeMax)
    throw refusal(
      node,
      `${expression.size} elementwise operators in a row`,
      `at most ${onnxExpressionSizeMax} between two layers`,
    );
  return { ...signal, expression, source: node };
}

/** A constant of one element as an operand; the bounds of a Clip may be infinite. */
function scalarOperand(node: OnnxNode, constant: Constant): Expression {
  const values = node.operator === 'Clip' ? constant.values : finiteValues(node, constant);
  return numberExpression(values[0] ?? 0);
}

/** Drops a Softmax over the classes: the largest output stays the largest, and a ticket is compared before it. */
function probabilities(chain: Chain, node: OnnxNode, signal: Signal): Value {
  if (integerAttribute(node, 'axis', -1) === 0)
    throw refusal(node, 'it runs over the batch', 'a Softmax over the classes');
  return { kind: 'probabilities', signal: settle(chain, signal, node) };
}

function paddedValue(
  chain: Chain,
  node: OnnxNode,
  signal: Signal,
  parameters: readonly (Constant | undefined)[],
): Value {
  const padding = padOf(node, signal, parameters);
  if (padding.every((size) => size === 0)) return signal;
  return { kind: 'padded', signal: settle(chain, signal, node), padding };
}

function reshapedValue(
  graph: Import,
  node: OnnxNode,
  signal: Signal,
  constants: readonly (Constant | undefined)[],
): Value {
  const dims = [graph.batch, ...signal.dims];
  if (node.operator === 'Shape')
    return { kind: 'constant', constant: integerList('', shapeSlice(node, dims)) };
  if (node.operator === 'Cast') {
    if (!isFloatType(integerAttribute(node, 'to', 1)))
      throw refusal(node, 'it rounds a tensor to integers', 'a network in floating point');
    return signal;
  }
  if (node.operator === 'Transpose') return { ...signal, dims: transposedDims(node, dims) };
  if (!reshapingOperators.has(node.operator))
    throw refusal(
      node,
      'its operator is not supported',
      'Gemm, MatMul, Conv, an activation, pooling, Flatten or BatchNormalization',
    );
  if (node.operator === 'Dropout' && constants[2]?.values[0] === 1)
    throw refusal(node, 'it is in training mode', 'a model exported for inference (model.eval())');
  const [batch, ...rest] = reshapedDims(node, dims, constants[1]);
  const keepsBatch =
    batch === graph.batch && !(node.operator === 'Flatten' && integerAttribute(node, 'axis', 1) === 0);
  if (!keepsBatch || rest.length === 0)
    throw refusal(
      node,
      `it turns shape [${dims.join(', ')}] into [${[batch, ...rest].join(', ')}]`,
      'the batch dimension first, as it was',
    );
  return { ...signal, dims: rest };
}

/** A Transpose that moves no element: only axes of size 1 change places (NHWC of one channel, for instance). */
function transposedDims(node: OnnxNode, dims: readonly number[]): Shape {
  const permutation = permutationOf(node, dims.length);
  const moved = permutation.filter((axis) => axis > 0 && dims[axis] !== 1);
  if (permutation[0] !== 0 || moved.some((axis, index) => axis < (moved[index - 1] ?? 0)))
    throw refusal(
      node,
      `it moves the axes of shape [${dims.join(', ')}]`,
      'a model in channels-first layout (N, C, H, W)',
    );
  return permutation.slice(1).map((axis) => dims[axis] ?? 1);
}
