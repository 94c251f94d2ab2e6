/**
 * Operators with weights, and what they read of the ONNX operator reference:
 *
 *     Gemm                 α·A·B + β·C; transA = 0, transB, alpha, beta; C absent or one value per output
 *     MatMul               tensor · constant matrix; the bias follows as an Add
 *     Conv                 2-D, group 1; kernel_shape, strides, pads or auto_pad, dilations; bias absent or given
 *     BatchNormalization   inference, directly behind one of these; epsilon
 *     Add, Sub, Mul, Div   with one constant per channel, directly behind one of these
 */
import type { Linear } from '../../network/network.ts';
import { elementCount, type Shape } from '../../network/shapes.ts';
import { floatAttribute, integerAttribute, pairAttribute, refusal } from './attributes.ts';
import {
  type Chain,
  expectFlat,
  expectImage,
  foldIntoLayer,
  headSignal,
  pushLayer,
  type Signal,
  settle,
} from './chain.ts';
import { arithmeticChannelMap, finiteValues, normalisationChannelMap } from './fold.ts';
import type { OnnxNode } from './model.ts';
import { type Constant, spendElements } from './tensor.ts';
import { addPadding, type ImagePadding, paddingOf } from './windows.ts';

/** Appends the dense layer of a Gemm: Y = α·A·B + β·C, with B transposed or not. */
export function applyGemm(
  chain: Chain,
  node: OnnxNode,
  signal: Signal,
  [weights, bias]: readonly (Constant | undefined)[],
): Signal {
  if (integerAttribute(node, 'transA', 0) !== 0) throw refusal(node, 'transA is set', 'transA = 0');
  const transposed = integerAttribute(node, 'transB', 0) !== 0;
  const alpha = floatAttribute(node, 'alpha', 1);
  const beta = floatAttribute(node, 'beta', 1);
  const { matrix, outputs, inputs } = outputsFirst(chain, node, weights, transposed);
  const linear: Linear = {
    kind: 'dense',
    outputs,
    inputs,
    weights: alpha === 1 ? matrix : matrix.map((weight) => alpha * weight),
    bias: biasValues(node, bias, outputs).map((value) => beta * value),
  };
  return pushDense(chain, node, signal, { linear, weights });
}

/** Appends the dense layer of a MatMul; its bias follows as an Add. */
export function applyMatMul(
  chain: Chain,
  node: OnnxNode,
  signal: Signal,
  weights: Constant | undefined,
): Signal {
  const { matrix, outputs, inputs } = outputsFirst(chain, node, weights, false);
  const linear: Linear = { kind: 'dense', outputs, inputs, weights: matrix, bias: new Float64Array(outputs) };
  return pushDense(chain, node, signal, { linear, weights });
}

function pushDense(
  chain: Chain,
  node: OnnxNode,
  signal: Signal,
  { linear, weights }: { readonly linear: Linear; readonly weights: Constant | undefined },
): Signal {
  const { dims } = settle(chain, signal, node);
  const last = dims.length - 1;
  const isRow = dims.every((size, axis) => size === 1 || axis === last) && dims[last] === linear.inputs;
  const isColumn = dims[0] === linear.inputs && dims.every((size, axis) => size === 1 || axis === 0);
  if (!isRow && !isColumn)
    throw refusal(
      node,
      `it multiplies a tensor of shape [N${dims.map((size) => `, ${size}`).join('')}] by ${linear.inputs}×${linear.outputs} weights`,
      `shape [N, ${linear.inputs}] (put a Flatten before it)`,
    );
  expectFlat(chain, node);
  pushLayer(chain, layerName(node, weights), linear, node);
  return headSignal(chain, isRow ? [...dims.slice(0, last), linear.outputs] : [linear.outputs]);
}

/** Returns a matrix as [outputs, inputs], a copy where it has to be turned. */
function outputsFirst(
  chain: Chain,
  node: OnnxNode,
  weights: Constant | undefined,
  isOutputsFirst: boolean,
): { matrix: Float64Array; outputs: number; inputs: number } {
  const [rows = 0, columns = 0] = weights?.shape ?? [];
  if (weights === undefined || weights.shape.length !== 2)
    throw refusal(node, 'its second operand is no constant matrix', 'weights of shape [inputs, outputs]');
  if (rows < 1 || columns < 1)
    throw refusal(node, `weights of shape [${rows}, ${columns}]`, 'at least one weight');
  const values = finiteValues(node, weights);
  spendElements(chain.budget, values.length);
  if (isOutputsFirst) return { matrix: values, outputs: rows, inputs: columns };
  const matrix = new Float64Array(values.length);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      matrix[column * rows + row] = values[row * columns + column] ?? 0;
  return { matrix, outputs: columns, inputs: rows };
}

/** A bias of one value per output, or one value for all; zeros where there is none. A copy. */
function biasValues(node: OnnxNode, bias: Constant | undefined, outputs: number): Float64Array {
  if (bias === undefined) return new Float64Array(outputs);
  const values = finiteValues(node, bias);
  const isRow = bias.shape.every((size, axis) => size === 1 || axis === bias.shape.length - 1);
  if (values.length === 1) return new Float64Array(outputs).fill(values[0] ?? 0);
  if (!isRow || values.length !== outputs)
    throw refusal(
      node,
      `a bias of shape [${bias.shape.join(', ')}]`,
      `one constant per output, [${outputs}]`,
    );
  return values.slice();
}

/** Appends the layer of a Conv; `outer` is the zero padding of a Pad node before it. */
export function applyConvolution(
  chain: Chain,
  node: OnnxNode,
  source: { readonly signal: Signal; readonly outer: ImagePadding },
  [weights, bias]: readonly (Constant | undefined)[],
): Signal {
  if (weights === undefined)
    throw refusal(node, 'its weights are computed from the input', 'constant weights');
  const [outputs = 0, inputs = 0, height = 0, width = 0] = weights.shape;
  if (weights.shape.length !== 4)
    throw refusal(
      node,
      `a kernel of ${weights.shape.length - 2} dimensions`,
      'a 2-D kernel (write a 1-D convolution as height 1)',
    );
  if (integerAttribute(node, 'group', 1) !== 1)
    throw refusal(
      node,
      `group is ${integerAttribute(node, 'group', 1)}`,
      'group 1 (write a grouped convolution as a dense one with zeros)',
    );
  const kernel = pairAttribute(node, 'kernel_shape', [height, width]);
  if (Math.min(outputs, inputs, height, width) < 1 || kernel[0] !== height || kernel[1] !== width)
    throw refusal(
      node,
      `weights of shape [${weights.shape.join(', ')}]`,
      `a kernel of ${kernel[0]}×${kernel[1]}`,
    );
  const settled = settle(chain, source.signal, node);
  const image = expectImage(chain, settled, node);
  const window = {
    kernel,
    strides: pairAttribute(node, 'strides', [1, 1]),
    dilations: pairAttribute(node, 'dilations', [1, 1]),
  };
  const padding = addPadding(paddingOf(node, window, [image[1], image[2]], source.outer), source.outer);
  const values = finiteValues(node, weights);
  spendElements(chain.budget, values.length);
  const linear: Linear = {
    kind: 'convolution',
    outputs,
    inputs,
    ...window,
    padding,
    weights: values,
    bias: biasValues(node, bias, outputs),
  };
  pushLayer(chain, layerName(node, weights), linear, node);
  return headSignal(chain, chain.shape);
}

/** Folds a BatchNormalization into the layer directly before it. */
export function applyNormalisation(
  chain: Chain,
  node: OnnxNode,
  signal: Signal,
  parameters: readonly (Constant | undefined)[],
): Signal {
  const { dims } = settle(chain, signal, node);
  const channels = dims[0] ?? 0;
  if (chain.shape[0] !== channels)
    throw refusal(
      node,
      `it normalises shape [${dims.join(', ')}] of a layer that gives [${chain.shape.join(', ')}]`,
      'one channel per output of the layer (put it before the flatten)',
    );
  foldIntoLayer(chain, normalisationChannelMap(node, parameters, channels), node);
  return headSignal(chain, dims);
}

/** Folds Add, Sub, Mul or Div with one constant per channel into the layer directly before it. */
export function applyChannelArithmetic(
  chain: Chain,
  node: OnnxNode,
  signal: Signal,
  { constant, constantFirst }: { readonly constant: Constant; readonly constantFirst: boolean },
): Signal {
  const { dims } = settle(chain, signal, node);
  const channels = chain.shape[0] ?? 0;
  if (!isPerChannel(constant.shape, dims, chain.shape))
    throw refusal(
      node,
      `a constant of shape [${constant.shape.join(', ')}] against a tensor of shape [N${dims.map((size) => `, ${size}`).join('')}]`,
      `one value per channel, ${channels} in all`,
    );
  foldIntoLayer(chain, arithmeticChannelMap(node, finiteValues(node, constant), constantFirst), node);
  return headSignal(chain, dims);
}

/** Whether a constant, aligned at the last axis as ONNX broadcasts, has its values along the axis of the head's channels. */
function isPerChannel(constant: Shape, dims: Shape, head: Shape): boolean {
  const channels = head[0] ?? 0;
  const isImage = head.length === 3 && dims.length === 3 && head.every((size, axis) => size === dims[axis]);
  const isFlat = elementCount(head) === channels && elementCount(dims) === channels;
  const axis = isImage ? 0 : isFlat ? dims.indexOf(channels) : -1;
  const own = axis - dims.length + constant.length;
  const isRankWithin = axis >= 0 && constant.length <= dims.length + 1;
  return isRankWithin && constant.every((size, place) => size === (place === own ? channels : 1));
}

/** The name before `.weight` as PyTorch writes it, so that a ticket's tensors find their modules; otherwise the node's. */
function layerName(node: OnnxNode, weights: Constant | undefined): string {
  const tensor = weights?.name ?? '';
  if (tensor.endsWith('.weight') && tensor.length > '.weight'.length)
    return tensor.slice(0, -'.weight'.length);
  return node.name === '' ? `${node.operator}-${node.position}` : node.name;
}
