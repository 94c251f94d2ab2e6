/**
 * The readable forward pass: plain loops in float64, one input at a time. It is what every faster pass is tested against,
 * and it is written to be checked by reading, not to be fast.
 * Layout: row-major, channels first; position [c, y, x] of a tensor [C, H, W] stands at (c·H + y)·W + x.
 */
import { failure, misuse } from '../errors.ts';
import { activate } from './activation.ts';
import type { Convolution, Dense, Linear, Network, PoolWindow, Step } from './network.ts';
import { elementCount, networkShapes, type Shape, stepShape, windowPositions } from './shapes.ts';

/** A tensor without batch dimension: `values` holds as many elements as `shape` says. */
export interface Tensor {
  readonly values: Float64Array;
  readonly shape: Shape;
}

/**
 * Returns the network's output for one input of shape `network.inputShape`. The input is not changed.
 * @throws TombolaError (misuse) when the input has another number of elements, (failure) when the network's parts do not fit.
 */
export function forward(network: Network, input: Float64Array): Float64Array {
  networkShapes(network);
  const expected = elementCount(network.inputShape);
  if (input.length !== expected)
    throw misuse(
      `Cannot run the network: the input has ${input.length} values, expected ${expected} (shape [${network.inputShape.join(', ')}])`,
    );
  let tensor: Tensor = { values: input, shape: network.inputShape };
  for (const step of network.inputSteps) tensor = applyStep(step, tensor.values, tensor.shape);
  for (const layer of network.layers) {
    tensor = applyLinear(layer.linear, tensor.values, tensor.shape);
    for (const step of layer.steps) tensor = applyStep(step, tensor.values, tensor.shape);
  }
  return tensor.values === input ? input.slice() : tensor.values;
}

/**
 * Returns what a linear map gives for `values` of shape `shape`; `values` is not changed.
 * @throws TombolaError (failure) when the map does not read that shape.
 */
export function applyLinear(linear: Linear, values: Float64Array, shape: Shape): Tensor {
  return linear.kind === 'dense'
    ? applyDense(linear, values, shape)
    : applyConvolution(linear, values, shape);
}

/**
 * Returns what a step gives for `values` of shape `shape`. `values` is not changed; a flatten returns it as it is.
 * @throws TombolaError (failure) when the step does not read that shape.
 */
export function applyStep(step: Step, values: Float64Array, shape: Shape): Tensor {
  const output = stepShape(shape, step, 'the forward pass');
  switch (step.kind) {
    case 'activation':
      return { values: values.map((z) => activate(step.activation, z)), shape: output };
    case 'flatten':
      return { values, shape: output };
    case 'globalAveragePool':
      return { values: channelMeans(values, shape), shape: output };
    case 'maxPool':
      return { values: pool(step, values, shape, windowMaximum), shape: output };
    case 'averagePool': {
      const size = step.kernel[0] * step.kernel[1];
      const mean = (window: readonly number[]): number =>
        window.reduce((sum, value) => sum + value, 0) / (step.countPadding ? size : window.length);
      return { values: pool(step, values, shape, mean), shape: output };
    }
  }
}

function applyDense(linear: Dense, values: Float64Array, shape: Shape): Tensor {
  if (shape.length !== 1 || shape[0] !== linear.inputs)
    throw failure(
      `Cannot apply a dense layer: input of shape [${shape.join(', ')}], expected [${linear.inputs}]`,
    );
  const result = new Float64Array(linear.outputs);
  for (let output = 0; output < linear.outputs; output++) {
    let sum = at(linear.bias, output);
    for (let input = 0; input < linear.inputs; input++)
      sum += at(linear.weights, output * linear.inputs + input) * at(values, input);
    result[output] = sum;
  }
  return { values: result, shape: [linear.outputs] };
}

function applyConvolution(linear: Convolution, values: Float64Array, shape: Shape): Tensor {
  const [channels = 0, height = 0, width = 0] = shape;
  if (shape.length !== 3 || channels !== linear.inputs)
    throw failure(
      `Cannot apply a convolution: input of shape [${shape.join(', ')}], expected [${linear.inputs}, height, width]`,
    );
  const [rows, columns] = windowPositions([height, width], linear);
  const result = new Float64Array(linear.outputs * rows * columns);
  for (let output = 0; output < linear.outputs; output++)
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++)
        result[(output * rows + row) * columns + column] =
          at(linear.bias, output) + windowProduct(linear, values, [height, width], { output, row, column });
  return { values: result, shape: [linear.outputs, rows, columns] };
}

/** Σ over input channels and taps of weight · pixel at one output position; pixels in the padding are 0. */
function windowProduct(
  linear: Convolution,
  values: Float64Array,
  [height, width]: readonly [number, number],
  place: { readonly output: number; readonly row: number; readonly column: number },
): number {
  const [kernelHeight, kernelWidth] = linear.kernel;
  let sum = 0;
  for (let input = 0; input < linear.inputs; input++)
    for (let tapRow = 0; tapRow < kernelHeight; tapRow++) {
      const y = place.row * linear.strides[0] + tapRow * linear.dilations[0] - linear.padding[0];
      if (y < 0 || y >= height) continue;
      for (let tapColumn = 0; tapColumn < kernelWidth; tapColumn++) {
        const x = place.column * linear.strides[1] + tapColumn * linear.dilations[1] - linear.padding[1];
        if (x < 0 || x >= width) continue;
        const weight =
          ((place.output * linear.inputs + input) * kernelHeight + tapRow) * kernelWidth + tapColumn;
        sum += at(linear.weights, weight) * at(values, (input * height + y) * width + x);
      }
    }
  return sum;
}

/** Slides the window over every channel; `reduce` gets the values inside the image only, in row-major order. */
function pool(
  window: PoolWindow,
  values: Float64Array,
  shape: Shape,
  reduce: (inside: readonly number[]) => number,
): Float64Array {
  const [channels = 0, height = 0, width = 0] = shape;
  const [rows, columns] = windowPositions([height, width], window);
  const result = new Float64Array(channels * rows * columns);
  for (let channel = 0; channel < channels; channel++)
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++) {
        const inside: number[] = [];
        const top = row * window.strides[0] - window.padding[0];
        const left = column * window.strides[1] - window.padding[1];
        for (let y = Math.max(0, top); y < Math.min(height, top + window.kernel[0]); y++)
          for (let x = Math.max(0, left); x < Math.min(width, left + window.kernel[1]); x++)
            inside.push(at(values, (channel * height + y) * width + x));
        result[(channel * rows + row) * columns + column] = reduce(inside);
      }
  return result;
}

function windowMaximum(window: readonly number[]): number {
  return window.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
}

function channelMeans(values: Float64Array, shape: Shape): Float64Array {
  const [channels = 0, height = 0, width = 0] = shape;
  const size = height * width;
  const result = new Float64Array(channels);
  for (let channel = 0; channel < channels; channel++) {
    let sum = 0;
    for (let position = 0; position < size; position++) sum += at(values, channel * size + position);
    result[channel] = sum / size;
  }
  return result;
}

/** Reads an element that the shapes say is there. */
function at(values: Float64Array, position: number): number {
  return values[position] as number;
}
