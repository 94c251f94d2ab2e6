/**
 * Shapes of the tensors along a network, and how a layer looks to the construction: channels and taps.
 */
import { failure } from '../errors.ts';
import type { Convolution, Layer, Linear, Network, Pair, PoolWindow, Step } from './network.ts';

/** A shape without the batch dimension. */
export type Shape = readonly number[];

/** Shapes along one network. */
export interface NetworkShapes {
  /** What the first layer reads: the input after the input steps. */
  readonly firstInput: Shape;
  /** Per layer: what it reads, what its linear map gives, what its steps give. */
  readonly layers: readonly { readonly input: Shape; readonly linear: Shape; readonly output: Shape }[];
  /** What the network gives. */
  readonly output: Shape;
}

/** Returns the number of elements of a shape. */
export function elementCount(shape: Shape): number {
  return shape.reduce((product, size) => product * size, 1);
}

/**
 * Returns the shapes of all tensors along a network.
 * @throws TombolaError (failure) when two parts do not fit, naming the layer.
 */
export function networkShapes(network: Network): NetworkShapes {
  const firstInput = stepsShape(network.inputShape, network.inputSteps, 'the input');
  const layers: { input: Shape; linear: Shape; output: Shape }[] = [];
  let input = firstInput;
  for (const layer of network.layers) {
    const linear = linearShape(input, layer);
    const output = stepsShape(linear, layer.steps, `layer ${layer.name}`);
    layers.push({ input, linear, output });
    input = output;
  }
  return { firstInput, layers, output: input };
}

/** Returns [height, width] of a window's positions over an input of that size; floor rounding. */
export function windowPositions(
  input: Pair,
  window: PoolWindow & { readonly dilations?: Pair },
): [number, number] {
  const along = (axis: 0 | 1): number => {
    const span = (window.kernel[axis] - 1) * (window.dilations?.[axis] ?? 1) + 1;
    const padded = input[axis] + window.padding[axis] + window.padding[axis === 0 ? 2 : 3];
    return Math.floor((padded - span) / window.strides[axis]) + 1;
  };
  return [along(0), along(1)];
}

/**
 * Returns the shape behind one step.
 * @throws TombolaError (failure) when the step does not fit the shape.
 */
export function stepShape(shape: Shape, step: Step, where: string): Shape {
  switch (step.kind) {
    case 'activation':
      return shape;
    case 'flatten':
      return [elementCount(shape)];
    case 'globalAveragePool':
      return [spatial(shape, step.kind, where)[0], 1, 1];
    case 'maxPool':
    case 'averagePool': {
      const [channels, height, width] = spatial(shape, step.kind, where);
      checkPoolPadding(step, where);
      const [rows, columns] = windowPositions([height, width], step);
      if (rows < 1 || columns < 1)
        throw failure(
          `Cannot use the ${step.kind} of ${where}: its window is larger than the input ${height}×${width}`,
        );
      return [channels, rows, columns];
    }
  }
}

/** A window that lies wholly in the padding would pool nothing; with less padding than kernel on each side every one holds a pixel. */
function checkPoolPadding({ kind, kernel, padding }: PoolWindow & Pick<Step, 'kind'>, where: string): void {
  if (padding.some((size, side) => size >= kernel[side % 2 === 0 ? 0 : 1]))
    throw failure(
      `Cannot use the ${kind} of ${where}: padding [${padding.join(', ')}] around a window of ${kernel.join('×')}, expected less padding than window on every side; take the windows that see no pixel out of the target`,
    );
}

function stepsShape(shape: Shape, steps: readonly Step[], where: string): Shape {
  return steps.reduce((current, step) => stepShape(current, step, where), shape);
}

function linearShape(input: Shape, layer: Layer): Shape {
  const { linear } = layer;
  checkParameterCounts(layer);
  if (linear.kind === 'dense') {
    if (input.length !== 1 || input[0] !== linear.inputs)
      throw failure(
        `Cannot use layer ${layer.name}: it reads ${linear.inputs} features, but the tensor before it has shape [${input.join(', ')}]`,
      );
    return [linear.outputs];
  }
  return convolutionShape(input, linear, layer.name);
}

function convolutionShape(input: Shape, linear: Convolution, name: string): Shape {
  const [channels, height, width] = spatial(input, 'convolution', `layer ${name}`);
  if (channels !== linear.inputs)
    throw failure(
      `Cannot use layer ${name}: it reads ${linear.inputs} channels, but the tensor before it has ${channels}`,
    );
  const [rows, columns] = windowPositions([height, width], linear);
  if (rows < 1 || columns < 1)
    throw failure(`Cannot use layer ${name}: its kernel is larger than its padded input ${height}×${width}`);
  return [linear.outputs, rows, columns];
}

function checkParameterCounts(layer: Layer): void {
  const { linear, name } = layer;
  const weights = linear.outputs * linear.inputs * tapCount(linear);
  if (linear.weights.length !== weights || linear.bias.length !== linear.outputs)
    throw failure(
      `Cannot use layer ${name}: ${linear.weights.length} weights and ${linear.bias.length} biases, expected ${weights} and ${linear.outputs}`,
    );
}

/** Returns the number of kernel positions of a linear map: kernel height × width, 1 for a dense one. */
export function tapCount(linear: Linear): number {
  return linear.kind === 'dense' ? 1 : linear.kernel[0] * linear.kernel[1];
}

function spatial(shape: Shape, what: string, where: string): readonly [number, number, number] {
  const [channels, height, width] = shape;
  if (shape.length !== 3 || channels === undefined || height === undefined || width === undefined)
    throw failure(
      `Cannot use the ${what} of ${where}: it reads a tensor of shape [${shape.join(', ')}], expected [channels, height, width]`,
    );
  return [channels, height, width];
}
