/**
 * The readable forward pass of a sparse network: plain loops over its edges in float64, one input at a time. The fast
 * passes and the ticket are tested against it.
 */
import { invariant } from '../errors.ts';
import { applyStep, type Tensor } from '../network/forward.ts';
import type { Linear, Network } from '../network/network.ts';
import { elementCount, networkShapes, type Shape, tapCount, windowPositions } from '../network/shapes.ts';
import type { SparseLayer, SparseNetwork } from './sparse-layer.ts';

/**
 * Returns the network's output for one input of shape `network.inputShape`, which is not changed.
 * @throws TombolaError (failure) when a step does not fit the shape before it.
 */
export function sparseForward(network: SparseNetwork, input: Float64Array): Float64Array {
  invariant(input.length === elementCount(network.inputShape), 'a forward pass gets one input');
  let tensor: Tensor = { values: input.slice(), shape: network.inputShape };
  for (const step of network.inputSteps) tensor = applyStep(step, tensor.values, tensor.shape);
  for (const layer of network.layers) {
    tensor = layer.kind === 'dense' ? applyDense(layer, tensor.values) : applyConvolution(layer, tensor);
    for (const step of layer.steps) tensor = applyStep(step, tensor.values, tensor.shape);
  }
  return tensor.values;
}

/** z[row] = bias[row] + Σ value · x[element] over the row's edges. */
function applyDense(layer: SparseLayer, input: Float64Array): Tensor {
  const values = layer.bias.slice();
  for (let row = 0; row < layer.rows; row++)
    for (let edge = at(layer.rowOffsets, row); edge < at(layer.rowOffsets, row + 1); edge++)
      values[row] = at(values, row) + at(layer.values, edge) * at(input, at(layer.elements, edge));
  return { values, shape: [layer.rows] };
}

function applyConvolution(layer: SparseLayer, { values: input, shape }: Tensor): Tensor {
  const [, height = 0, width = 0] = shape;
  const [rows, columns] = windowPositions([height, width], layer);
  const values = new Float64Array(layer.rows * rows * columns);
  for (let row = 0; row < layer.rows; row++) {
    const image = values.subarray(row * rows * columns, (row + 1) * rows * columns).fill(at(layer.bias, row));
    for (let edge = at(layer.rowOffsets, row); edge < at(layer.rowOffsets, row + 1); edge++)
      addShifted(image, layer, { edge, input, shape, columns });
  }
  return { values, shape: [layer.rows, rows, columns] };
}

/** Adds value · pixel for one edge at every position of the output image; pixels in the padding are 0. */
function addShifted(
  image: Float64Array,
  layer: SparseLayer,
  from: {
    readonly edge: number;
    readonly input: Float64Array;
    readonly shape: Shape;
    readonly columns: number;
  },
): void {
  const [, height = 0, width = 0] = from.shape;
  const element = at(layer.elements, from.edge);
  const channel = Math.floor(element / layer.taps);
  const tap = element % layer.taps;
  const shiftDown = Math.floor(tap / layer.kernel[1]) * layer.dilations[0] - layer.padding[0];
  const shiftRight = (tap % layer.kernel[1]) * layer.dilations[1] - layer.padding[1];
  for (let position = 0; position < image.length; position++) {
    const y = Math.floor(position / from.columns) * layer.strides[0] + shiftDown;
    const x = (position % from.columns) * layer.strides[1] + shiftRight;
    if (y < 0 || y >= height || x < 0 || x >= width) continue;
    const pixel = at(from.input, (channel * height + y) * width + x);
    image[position] = at(image, position) + at(layer.values, from.edge) * pixel;
  }
}

/**
 * Returns the target itself as a sparse network: one edge for every weight that is not 0. A dense layer behind a flatten
 * has the flattened tensor's elements as columns of one tap.
 * @throws TombolaError (failure) when the network's parts do not fit.
 */
export function sparsify(network: Network): SparseNetwork {
  networkShapes(network);
  return {
    inputShape: network.inputShape,
    inputSteps: network.inputSteps,
    layers: network.layers.map(({ linear, steps }) => ({ ...sparsifyLinear(linear), steps })),
  };
}

function sparsifyLinear(linear: Linear): Omit<SparseLayer, 'steps'> {
  const taps = tapCount(linear);
  const length = linear.inputs * taps;
  const kept = linear.weights.reduce<number[]>((edges, weight, e) => {
    if (weight !== 0) edges.push(e);
    return edges;
  }, []);
  const rowOffsets = new Int32Array(linear.outputs + 1);
  for (const e of kept)
    rowOffsets[Math.floor(e / length) + 1] = at(rowOffsets, Math.floor(e / length) + 1) + 1;
  for (let row = 0; row < linear.outputs; row++)
    rowOffsets[row + 1] = at(rowOffsets, row + 1) + at(rowOffsets, row);
  const window = linear.kind === 'convolution' ? linear : null;
  return {
    kind: linear.kind,
    rows: linear.outputs,
    cols: linear.inputs,
    taps,
    rowOffsets,
    elements: Int32Array.from(kept, (e) => e % length),
    values: Float64Array.from(kept, (e) => at(linear.weights, e)),
    bias: linear.bias.slice(),
    kernel: window?.kernel ?? [1, 1],
    strides: window?.strides ?? [1, 1],
    dilations: window?.dilations ?? [1, 1],
    padding: window?.padding ?? [0, 0, 0, 0],
  };
}

/** Reads an element that the offsets say is there. */
function at(values: Float64Array | Int32Array, position: number): number {
  return values[position] as number;
}
