/**
 * A target layer as the construction sees it: neurons × channels × taps.
 *
 * A convolution has a tap per kernel position. A dense layer behind a flatten of [channels, height, width] has a tap per
 * position, so that one copy of a channel serves all its positions; any other dense layer has one tap. In all three cases
 * weight (j, i, t) is element (j·channels + i)·taps + t of the layer's weights.
 */
import { isTelling, layerTitle } from '../network/layer-name.ts';
import type { Convolution, Layer, Linear, Network } from '../network/network.ts';
import { networkShapes, type Shape, stepShape, tapCount, windowPositions } from '../network/shapes.ts';

/** One target layer, ready for the construction. */
export interface LayerView {
  readonly layer: Layer;
  /** What messages call it: "layer conv1", "target layer 1" where it has no telling name. */
  readonly title: string;
  readonly neurons: number;
  readonly channels: number;
  readonly taps: number;
  /** Shape [neurons, channels, taps]. */
  readonly weights: Float64Array;
  /** Shape [neurons]. */
  readonly bias: Float64Array;
  /** Present when the layer is a convolution. */
  readonly convolution: Convolution | null;
  /** [height, width] of one input channel, [1, 1] where the input is flat. */
  readonly inputSize: readonly [number, number];
  /** [height, width] behind the linear map, [1, 1] where it is flat. */
  readonly linearSize: readonly [number, number];
  /** The largest |weight|. */
  readonly weightMax: number;
  /** The largest |bias|. */
  readonly biasMax: number;
  /** See {@link layerScale}. */
  readonly scale: number;
  /** Tells per input channel whether any weight reads it; shape [channels]. */
  readonly usedChannels: Uint8Array;
}

/** Returns the view of every layer of a network. */
export function layerViews(network: Network): LayerView[] {
  const shapes = networkShapes(network);
  let before: Shape = shapes.firstInput;
  return network.layers.map((layer, index) => {
    const view = viewOf(layer, index, before);
    before = shapeBeforeFlatten(shapes.layers[index]?.linear ?? [], layer);
    return view;
  });
}

function viewOf(layer: Layer, index: number, input: Shape): LayerView {
  const { linear } = layer;
  const convolution = linear.kind === 'convolution' ? linear : null;
  const size = spatialSize(input);
  const taps = convolution ? tapCount(convolution) : size[0] * size[1];
  const channels = linear.weights.length / (linear.outputs * taps);
  return {
    layer,
    title: `${isTelling(layer.name) ? 'layer ' : ''}${layerTitle(layer.name, index)}`,
    neurons: linear.outputs,
    channels,
    taps,
    weights: linear.weights,
    bias: linear.bias,
    convolution,
    inputSize: size,
    linearSize: convolution ? windowPositions(size, convolution) : [1, 1],
    weightMax: absMax(linear.weights),
    biasMax: absMax(linear.bias),
    scale: layerScale(linear),
    usedChannels: channelsInUse(linear.weights, { channels, taps }),
  };
}

function spatialSize(shape: Shape): readonly [number, number] {
  return shape.length === 3 ? [shape[1] ?? 1, shape[2] ?? 1] : [1, 1];
}

/** The shape of a layer's output as if its flatten steps were left out. */
function shapeBeforeFlatten(linear: Shape, layer: Layer): Shape {
  return layer.steps
    .filter((step) => step.kind !== 'flatten')
    .reduce<Shape>((shape, step) => stepShape(shape, step, `layer ${layer.name}`), linear);
}

/**
 * Returns what the tolerance and the quantum of a layer are relative to: its largest |weight| (mathematics.md §2); where no weight
 * differs from 0 the largest |bias| (ours: a target k times as large has a ticket k times as large), and 0 where no bias does either.
 */
export function layerScale({ weights, bias }: Pick<Linear, 'weights' | 'bias'>): number {
  return absMax(weights) || absMax(bias);
}

/** Returns the largest |value|, 0 for none. */
export function absMax(values: Float64Array): number {
  return values.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
}

function channelsInUse(weights: Float64Array, dims: { channels: number; taps: number }): Uint8Array {
  const used = new Uint8Array(dims.channels);
  for (let index = 0; index < weights.length; index++)
    if (weights[index] !== 0) used[Math.floor(index / dims.taps) % dims.channels] = 1;
  return used;
}
