/**
 * The network under construction, and the tensors along it.
 *
 * An ONNX graph is a network of ours if it is a chain. So there is one tensor that can be read at any time, the *head*: what
 * the steps and layers so far give. A signal is an elementwise expression of a head; it is settled (turned into steps) when an
 * operator that is not elementwise reads it, and the chain then has a new head. Reading a signal of an older head means
 * that a tensor has two readers: a branch, which is refused. Flattening is settled late, too: a signal carries the
 * shape that ONNX gives it, and only a layer that needs another shape than the head's puts a flatten step.
 */
import { layerCountMax, weightCountMax } from '../../limits.ts';
import type { Layer, Linear, Network, Step } from '../../network/network.ts';
import { elementCount, networkShapes, type Shape, stepShape } from '../../network/shapes.ts';
import { nodeLabel, refusal } from './attributes.ts';
import { type Expression, variable } from './expression.ts';
import { type ChannelMap, foldChannelMap, uniformChannelMap } from './fold.ts';
import type { OnnxNode } from './model.ts';
import { type Piece, recognisePieces } from './patterns.ts';
import { type ElementBudget, spendElements } from './tensor.ts';

/** A layer whose linear map may still take in what follows it. */
interface OpenLayer {
  readonly name: string;
  linear: Linear;
  readonly steps: Step[];
}

/** The network so far. Created by {@link startChain} and changed only by the functions of this file. */
export interface Chain {
  readonly budget: ElementBudget;
  inputShape: Shape;
  readonly inputSteps: Step[];
  readonly layers: OpenLayer[];
  /** Shape of the head. */
  shape: Shape;
  /** Counts the heads; a signal names the one it is an expression of. */
  head: number;
}

/** A tensor of the graph that depends on the input. */
export interface Signal {
  readonly kind: 'signal';
  readonly head: number;
  readonly expression: Expression;
  /** Its shape in ONNX without the batch dimension. */
  readonly dims: Shape;
  /** The last elementwise node of the expression, for messages; none when the expression is the head itself. */
  readonly source?: OnnxNode;
}

/** Returns a chain that consists of the input alone, and the input as a signal. */
export function startChain(dims: Shape, budget: ElementBudget): { chain: Chain; input: Signal } {
  const shape = dims.length === 3 ? dims : [elementCount(dims)];
  const chain: Chain = { budget, inputShape: shape, inputSteps: [], layers: [], shape, head: 0 };
  return { chain, input: headSignal(chain, dims) };
}

/** Returns the head as a signal of the given ONNX shape, which must have as many elements. */
export function headSignal(chain: Chain, dims: Shape): Signal {
  return { kind: 'signal', head: chain.head, expression: variable, dims };
}

/**
 * Turns a signal into steps, so that it is the head, and returns it as such.
 * @param node the operator that reads it, for messages.
 * @throws TombolaError (failure) when it belongs to an older head or is no composition of known activations.
 */
export function settle(chain: Chain, signal: Signal, node: OnnxNode): Signal {
  if (signal.head !== chain.head)
    throw refusal(node, 'it reads a tensor that another operator has read already', chainAdvice);
  if (signal.expression === variable) return signal;
  const pieces = recognisePieces(signal.expression);
  const source = signal.source ?? node;
  if (pieces === undefined)
    throw refusal(
      source,
      'together with the elementwise nodes before it, it is no known activation',
      'ReLU, LeakyReLU, ELU, SELU, tanh, sigmoid, softplus, softsign, GELU, HardSwish, Mish or SiLU, and no residual connections',
    );
  for (const piece of pieces) applyPiece(chain, piece, source);
  chain.head += 1;
  return headSignal(chain, signal.dims);
}

/** What to do about a graph that is no chain. */
export const chainAdvice = 'a plain chain of layers without residual connections or branches';

function applyPiece(chain: Chain, piece: Piece, node: OnnxNode): void {
  if (piece.kind === 'activation') {
    pushStep(chain, { kind: 'activation', activation: piece.activation }, node);
    return;
  }
  const channels = chain.layers.at(-1)?.linear.outputs ?? 0;
  foldIntoLayer(chain, uniformChannelMap(channels, piece.scale, piece.offset), node);
}

/** Appends a step behind the head. @throws TombolaError (failure) when it does not fit the head's shape. */
export function pushStep(chain: Chain, step: Step, node: OnnxNode): void {
  chain.shape = stepShape(chain.shape, step, nodeLabel(node));
  (chain.layers.at(-1)?.steps ?? chain.inputSteps).push(step);
  chain.head += 1;
}

/** Appends a layer behind the head. @throws TombolaError (failure) when there are too many or it does not fit. */
export function pushLayer(chain: Chain, name: string, linear: Linear, node: OnnxNode): void {
  if (chain.layers.length >= layerCountMax)
    throw refusal(node, `it is layer ${layerCountMax + 1}`, `at most ${layerCountMax} layers`);
  const taken = chain.layers.filter(
    (layer) => layer.name === name || layer.name.startsWith(`${name}.shared`),
  ).length;
  const unique = taken === 0 ? name : `${name}.shared${taken}`;
  const single: Layer = { name: unique, linear, steps: [] };
  chain.shape = networkShapes({ inputShape: chain.shape, inputSteps: [], layers: [single] }).output;
  if (!(elementCount(chain.shape) <= weightCountMax))
    throw refusal(
      node,
      `its output has shape [${chain.shape.join(', ')}]`,
      `at most ${weightCountMax} elements`,
    );
  chain.layers.push({ name: unique, linear, steps: [] });
  chain.head += 1;
}

/** Tells whether the head is the output of a linear map, so that a channel map can be folded into it. */
function followsLayer(chain: Chain): boolean {
  return chain.layers.at(-1)?.steps.length === 0;
}

/** Folds a channel map into the layer directly before. @throws TombolaError (failure) when there is none. */
export function foldIntoLayer(chain: Chain, map: ChannelMap, node: OnnxNode): void {
  const layer = chain.layers.at(-1);
  if (layer === undefined || !followsLayer(chain))
    throw refusal(
      node,
      'it scales or shifts a tensor that no linear layer directly precedes',
      'Conv, Gemm or MatMul directly before it (fold it into the layer behind it before the export)',
    );
  spendElements(chain.budget, layer.linear.weights.length);
  layer.linear = foldChannelMap(layer.linear, map);
  chain.head += 1;
}

/**
 * Makes the head an image of the signal's shape [channels, height, width] and returns it; the signal must be settled.
 * As long as there is nothing but the input, the input itself takes that shape.
 */
export function expectImage(chain: Chain, signal: Signal, node: OnnxNode): readonly [number, number, number] {
  const [channels, height, width] = signal.dims;
  if (signal.dims.length !== 3 || channels === undefined || height === undefined || width === undefined)
    throw refusal(
      node,
      `it reads a tensor of ${signal.dims.length + 1} dimensions`,
      '[N, channels, height, width]: only 2-D images are supported',
    );
  const isSame = chain.shape.length === 3 && chain.shape.every((size, axis) => size === signal.dims[axis]);
  const isUntouched =
    chain.layers.length === 0 && chain.inputSteps.every((step) => step.kind === 'activation');
  if (!isSame && !isUntouched)
    throw refusal(
      node,
      `a reshape from [${chain.shape.join(', ')}] to [${signal.dims.join(', ')}] lies before it`,
      'no reshape to an image but at the input',
    );
  if (!isSame) {
    chain.inputShape = signal.dims;
    chain.shape = signal.dims;
  }
  return [channels, height, width];
}

/** Makes the head flat, with a flatten step where it is not. */
export function expectFlat(chain: Chain, node: OnnxNode): void {
  if (chain.shape.length !== 1) pushStep(chain, { kind: 'flatten' }, node);
}

/**
 * Returns the finished network; the output is flat if ONNX has it flat.
 * @throws TombolaError (failure) when it has no layer, or a weight that folding made infinite.
 */
export function finishChain(chain: Chain, output: Signal, last: OnnxNode): Network {
  const settled = settle(chain, output, last);
  if (settled.dims.length !== 3) expectFlat(chain, last);
  if (chain.layers.length === 0)
    throw refusal(last, 'the graph has no layer with weights', 'at least one Gemm, MatMul or Conv');
  for (const { name, linear } of chain.layers)
    if (![linear.weights, linear.bias].every((values) => values.every(Number.isFinite)))
      throw refusal(last, `layer ${name} has infinite weights once scaled or normalised`, 'finite weights');
  const { inputShape, inputSteps, layers } = chain;
  return { inputShape, inputSteps, layers };
}
