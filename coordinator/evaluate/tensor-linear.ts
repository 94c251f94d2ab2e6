/**
 * Dense linear maps in TensorFlow.js, in chunks of rows: only one chunk's weights exist as a matrix in its layout at a time.
 * With the WebAssembly backend products run at 10·10⁹ a second on one core.
 */
import type { Tensor, Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import type { Padding, Pair } from '../../src/core/network/network.ts';
import { type Shape, windowPositions } from '../../src/core/network/shapes.ts';
import type { TensorFlow } from './backend.ts';
import type { LinearPass } from './forward-pass.ts';
import { type Batch, padSpatial } from './tensor-steps.ts';

/** A dense linear map. Input element index = col·taps + tap. */
export interface ChunkedLinear {
  readonly kind: 'dense' | 'convolution';
  readonly rows: number;
  readonly cols: number;
  readonly taps: number;
  /** Shape [rows]. */
  readonly bias: Float32Array;
  readonly kernel: Pair;
  readonly strides: Pair;
  readonly dilations: Pair;
  readonly padding: Padding;
  /** Shape [rows, cols·taps]. */
  readonly weights: Float64Array;
}

/** Rows whose weights exist in their layout together. */
interface RowRange {
  readonly first: number;
  readonly count: number;
}

/** Returns a linear map with dense weights. */
export function denseLinear(linear: ChunkedLinear): LinearPass {
  return {
    shape: (input) => linearShape(input, linear),
    apply: (tf, batch, weightBytesMax) => applyChunkedLinear(tf, batch, linear, weightBytesMax),
  };
}

/** Returns the batch behind a linear map, whose weights take at most `weightBytesMax` at a time (or one row's); keeps the given one. */
function applyChunkedLinear(
  tf: TensorFlow,
  batch: Batch,
  linear: ChunkedLinear,
  weightBytesMax: number,
): Batch {
  const shape = linearShape(batch.shape, linear);
  const tensor = tf.tidy(() =>
    linear.kind === 'dense'
      ? multiply(tf, batch.tensor as Tensor2D, linear, weightBytesMax)
      : convolve(tf, batch.tensor as Tensor4D, linear, weightBytesMax),
  );
  return { tensor, shape };
}

/** Returns the shape behind a linear map, channels first. */
export function linearShape(
  [, height = 0, width = 0]: Shape,
  linear: Pick<ChunkedLinear, 'kind' | 'rows' | 'kernel' | 'strides' | 'dilations' | 'padding'>,
): Shape {
  return linear.kind === 'dense' ? [linear.rows] : [linear.rows, ...windowPositions([height, width], linear)];
}

function multiply(tf: TensorFlow, x: Tensor2D, linear: ChunkedLinear, weightBytesMax: number): Tensor {
  const cols = x.shape[1];
  const places = Int32Array.from({ length: cols }, (_, col) => col);
  const parts = chunks(linear.rows, cols, weightBytesMax).map((range) =>
    tf.tidy(() => {
      const chunk = new Float32Array(cols * range.count);
      fillChunk(chunk, linear.weights, range, places);
      return tf.matMul(x, tf.tensor2d(chunk, [cols, range.count], 'float32'));
    }),
  );
  return tf.add(parts.length === 1 ? (parts[0] as Tensor) : tf.concat(parts, 1), tf.tensor1d(linear.bias));
}

function convolve(tf: TensorFlow, x: Tensor4D, linear: ChunkedLinear, weightBytesMax: number): Tensor {
  const spread = spreadKernel(linear);
  const places = filterPlaces(linear, spread);
  const [height, width] = spread.kernel;
  const weights = height * width * linear.cols;
  const padded = padSpatial(tf, x, linear.padding, 0);
  const parts = chunks(linear.rows, weights, weightBytesMax).map((range) =>
    tf.tidy(() => {
      const chunk = new Float32Array(weights * range.count);
      fillChunk(chunk, linear.weights, range, places);
      const filter = tf.tensor4d(chunk, [height, width, linear.cols, range.count], 'float32');
      return tf.conv2d(padded, filter, [...linear.strides], 'valid', 'NHWC', [...spread.dilations]);
    }),
  );
  return tf.add(parts.length === 1 ? (parts[0] as Tensor) : tf.concat(parts, 3), tf.tensor1d(linear.bias));
}

/** TensorFlow.js takes strides or dilations, not both: with both, the kernel is written out with zeros between its taps. */
function spreadKernel({ kernel, strides, dilations }: ChunkedLinear): {
  kernel: Pair;
  dilations: Pair;
  step: Pair;
} {
  const isStrided = strides.some((n) => n > 1);
  if (!isStrided) return { kernel, dilations, step: [1, 1] };
  const span = (axis: 0 | 1): number => (kernel[axis] - 1) * dilations[axis] + 1;
  return { kernel: [span(0), span(1)], dilations: [1, 1], step: dilations };
}

/** Returns for each element col·taps + tap its place in a filter [height, width, cols]. */
function filterPlaces(
  linear: ChunkedLinear,
  spread: { readonly kernel: Pair; readonly step: Pair },
): Int32Array {
  const { cols, taps, kernel } = linear;
  return Int32Array.from({ length: cols * taps }, (_, element) => {
    const tap = element % taps;
    const y = Math.floor(tap / kernel[1]) * spread.step[0];
    const x = (tap % kernel[1]) * spread.step[1];
    return (y * spread.kernel[1] + x) * cols + Math.floor(element / taps);
  });
}

/** Writes the weights of some rows into a chunk of shape [places, rows]. */
function fillChunk(
  chunk: Float32Array,
  weights: Float64Array,
  { first, count }: RowRange,
  places: Int32Array,
): void {
  const length = places.length;
  for (let element = 0; element < length; element++) {
    const place = places[element] as number;
    for (let row = 0; row < count; row++)
      chunk[place * count + row] = weights[(first + row) * length + element] as number;
  }
}

/** Splits rows into even ranges whose dense weights stay within the bytes; a range has at least one row. */
function chunks(rows: number, weightsPerRow: number, bytesMax: number): RowRange[] {
  const most = Math.max(1, Math.floor(bytesMax / 4 / weightsPerRow));
  const parts = Math.ceil(rows / most);
  const count = Math.ceil(rows / parts);
  return Array.from({ length: Math.ceil(rows / count) }, (_, i) => ({
    first: i * count,
    count: Math.min(count, rows - i * count),
  }));
}
