/**
 * Folding what follows a linear layer into it: bias additions, scalings and batch normalisation.
 *
 *     scale·(W·x + b) + offset = (scale·W)·x + (scale·b + offset),    scale and offset one number per output channel
 *
 * Batch normalisation at inference is scale = γ/√(variance + ε), offset = β − mean·scale (Ioffe and Szegedy 2015).
 */
import type { Linear } from '../../network/network.ts';
import { tapCount } from '../../network/shapes.ts';
import { floatAttribute, integerAttribute, refusal } from './attributes.ts';
import { type OnnxNode, quoted } from './model.ts';
import type { Constant } from './tensor.ts';

/** A map of its own for every output channel: scale[c]·z + offset[c]. */
export interface ChannelMap {
  readonly scale: Float64Array;
  readonly offset: Float64Array;
}

/** Returns the linear map followed by the channel map, as one linear map; the arguments are not changed. */
export function foldChannelMap(linear: Linear, { scale, offset }: ChannelMap): Linear {
  const perOutput = linear.inputs * tapCount(linear);
  const weights = linear.weights.map((weight, index) => weight * (scale[Math.floor(index / perOutput)] ?? 1));
  const bias = linear.bias.map((value, channel) => value * (scale[channel] ?? 1) + (offset[channel] ?? 0));
  return { ...linear, weights, bias };
}

/** Returns the channel map that maps every channel alike. */
export function uniformChannelMap(channels: number, scale: number, offset: number): ChannelMap {
  return { scale: new Float64Array(channels).fill(scale), offset: new Float64Array(channels).fill(offset) };
}

/**
 * Returns the channel map of an Add, Sub, Mul or Div with one constant per channel.
 * @param values one per channel; `constantFirst` tells that the constant is the left operand.
 */
export function arithmeticChannelMap(
  node: OnnxNode,
  values: Float64Array,
  constantFirst: boolean,
): ChannelMap {
  const ones = values.map(() => 1);
  const zeros = values.map(() => 0);
  switch (node.operator) {
    case 'Add':
      return { scale: ones, offset: values };
    case 'Sub':
      return constantFirst
        ? { scale: ones.map(() => -1), offset: values }
        : { scale: ones, offset: values.map((value) => -value) };
    case 'Mul':
      return { scale: values, offset: zeros };
    case 'Div':
      if (!constantFirst) return { scale: values.map((value) => 1 / value), offset: zeros };
  }
  throw refusal(
    node,
    'it combines a layer with one constant per channel',
    'Add, Sub, Mul or Div by a constant',
  );
}

/**
 * Returns the channel map of a BatchNormalization node at inference.
 * @throws TombolaError (failure) when it is in training mode or its parameters do not fit `channels`.
 */
export function normalisationChannelMap(
  node: OnnxNode,
  parameters: readonly (Constant | undefined)[],
  channels: number,
): ChannelMap {
  if (integerAttribute(node, 'training_mode', 0) !== 0)
    throw refusal(node, 'it is in training mode', 'a model exported for inference (model.eval())');
  const epsilon = floatAttribute(node, 'epsilon', Math.fround(1e-5));
  const [gamma, beta, mean, variance] = parameters.map((parameter) =>
    channelValues(node, parameter, channels),
  );
  if (gamma === undefined || beta === undefined || mean === undefined || variance === undefined)
    throw refusal(node, `it has ${parameters.length + 1} inputs`, '5');
  const scale = gamma.map((value, channel) => value / Math.sqrt((variance[channel] ?? 0) + epsilon));
  const offset = beta.map((value, channel) => value - (mean[channel] ?? 0) * (scale[channel] ?? 0));
  return { scale, offset };
}

function channelValues(node: OnnxNode, parameter: Constant | undefined, channels: number): Float64Array {
  if (parameter === undefined || parameter.values.length !== channels)
    throw refusal(
      node,
      `a parameter of ${parameter?.values.length ?? 0} values`,
      `constants of ${channels}, one per channel`,
    );
  return finiteValues(node, parameter);
}

/** Returns the constant's values. @throws TombolaError (failure) naming the tensor when one is NaN or infinite. */
export function finiteValues(node: OnnxNode, constant: Constant): Float64Array {
  const index = constant.values.findIndex((value) => !Number.isFinite(value));
  if (index >= 0)
    throw refusal(
      node,
      `tensor ${quoted(constant.name)} holds ${constant.values[index]} at position ${index}`,
      'finite weights (did the training diverge?)',
    );
  return constant.values;
}
