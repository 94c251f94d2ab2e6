/**
 * The linear maps of a network in TensorFlow.js, in chunks of rows: only one chunk's weights exist as a dense matrix at a
 * time, so a layer of 4,500 × 15,680 never needs its 282 MB.
 *
 * Measured with the WebAssembly backend on one core: products run at 10·10⁹ a second whatever the chunk, packing a chunk's
 * weights costs 10 ns a weight and batch. TensorFlow.js' own gather takes 40 ns an element, a loop in JavaScript 7 ns, which
 * is why rows of one edge and the removal of dead columns are such loops.
 */
import type { Tensor, Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import type { Padding, Pair } from '../../src/core/network/network.ts';
import { type Shape, windowPositions } from '../../src/core/network/shapes.ts';
import type { TensorFlow } from './backend.ts';
import { convolveEdges, type EdgeConvolution } from './edge-convolution.ts';
import { type Batch, padSpatial } from './tensor-steps.ts';

/** Writes the weights of rows first … first + count − 1 into a chunk of shape [places, count]; places[element] is −1 for none. */
export type ScatterRows = (
  chunk: Float32Array,
  range: { readonly first: number; readonly count: number },
  places: Int32Array,
) => void;

/** A linear map whose weights are made in chunks. Input element index = col·taps + tap. */
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
  readonly scatter: ScatterRows;
  /** Set when no row has more than one edge: a row is value·input[element] + bias, with value 0 for a row without edges. */
  readonly gather: { readonly elements: Int32Array; readonly values: Float32Array } | null;
  /** Set for a convolution with so few edges that it is faster edge by edge. */
  readonly edges: EdgeConvolution | null;
}

/** Layers with fewer weights are multiplied as they are: looking for dead columns would cost more than it saves. */
const compactionWeightsMin = 1 << 20;
/** Share of dead columns from which on leaving them out pays. */
const compactionShareMin = 0.04;

/** Returns the batch behind a linear map, whose weights take at most `weightBytesMax` at a time (or one row's); keeps the given one. */
export function applyChunkedLinear(
  tf: TensorFlow,
  batch: Batch,
  linear: ChunkedLinear,
  weightBytesMax: number,
): Batch {
  const shape = linearShape(batch.shape, linear);
  const isPointwise = linear.kind === 'dense' || isIdentityWindow(linear);
  if (batch.tensor.size === 0 || linear.rows === 0)
    return { tensor: biasOnly(tf, batch, linear, shape), shape };
  if (linear.gather !== null && isPointwise)
    return { tensor: gatherRows(tf, batch, linear.gather, linear.bias), shape };
  if (linear.edges !== null)
    return { tensor: convolveEdges(tf, batch.tensor as Tensor4D, linear.edges), shape };
  const tensor = tf.tidy(() =>
    linear.kind === 'dense'
      ? multiply(tf, batch.tensor as Tensor2D, linear, weightBytesMax)
      : convolve(tf, batch.tensor as Tensor4D, linear, weightBytesMax),
  );
  return { tensor, shape };
}

/** Returns the shape behind a linear map. */
export function linearShape(
  input: Shape,
  linear: Omit<ChunkedLinear, 'bias' | 'scatter' | 'gather' | 'edges'>,
): Shape {
  const [, height = 0, width = 0] = input;
  return linear.kind === 'dense' ? [linear.rows] : [linear.rows, ...windowPositions([height, width], linear)];
}

function isIdentityWindow({ kernel, strides, padding }: ChunkedLinear): boolean {
  return [...kernel, ...strides].every((n) => n === 1) && padding.every((n) => n === 0);
}

function biasOnly(tf: TensorFlow, { tensor }: Batch, linear: ChunkedLinear, [, ...spatial]: Shape): Tensor {
  const shape = [tensor.shape[0] ?? 0, ...spatial, linear.rows];
  if (linear.rows === 0) return tf.zeros(shape);
  return tf.tidy(() =>
    tf.tile(tf.reshape(tf.tensor1d(linear.bias), [...shape.map(() => 1).slice(1), linear.rows]), [
      ...shape.slice(0, -1),
      1,
    ]),
  );
}

/** Returns value·x[element] + bias in the last dimension; about 7 ns an element, bound by memory. */
function gatherRows(
  tf: TensorFlow,
  { tensor }: Batch,
  { elements, values }: NonNullable<ChunkedLinear['gather']>,
  bias: Float32Array,
): Tensor {
  const cols = tensor.shape[tensor.shape.length - 1] ?? 0;
  const rows = bias.length;
  const input = tensor.dataSync<'float32'>();
  const output = new Float32Array((input.length / cols) * rows);
  for (let read = 0, write = 0; read < input.length; read += cols, write += rows)
    for (let row = 0; row < rows; row++)
      output[write + row] =
        (values[row] as number) * (input[read + (elements[row] as number)] as number) + (bias[row] as number);
  return tf.tensor(output, [...tensor.shape.slice(0, -1), rows], 'float32');
}

function multiply(tf: TensorFlow, x: Tensor2D, linear: ChunkedLinear, weightBytesMax: number): Tensor {
  const { input, places } = withoutDeadColumns(tf, x, linear);
  const cols = input.shape[1];
  if (cols === 0) return biasOnly(tf, { tensor: x, shape: [] }, linear, [linear.rows]);
  const parts = chunks(linear.rows, cols, weightBytesMax).map((range) =>
    tf.tidy(() => {
      const chunk = new Float32Array(cols * range.count);
      linear.scatter(chunk, range, places);
      return tf.matMul(input, tf.tensor2d(chunk, [cols, range.count], 'float32'));
    }),
  );
  return tf.add(parts.length === 1 ? (parts[0] as Tensor) : tf.concat(parts, 1), tf.tensor1d(linear.bias));
}

/** Returns x without the columns that are 0 in the whole batch (dark pixels, dead neurons), if that pays, and where each column went. */
function withoutDeadColumns(
  tf: TensorFlow,
  x: Tensor2D,
  linear: ChunkedLinear,
): { readonly input: Tensor2D; readonly places: Int32Array } {
  const [size, cols] = x.shape;
  const all = Int32Array.from({ length: cols }, (_, col) => col);
  if (linear.rows * cols < compactionWeightsMin) return { input: x, places: all };
  const values = x.dataSync<'float32'>();
  const live = all.filter(liveColumns(values, cols));
  if (live.length > cols * (1 - compactionShareMin)) return { input: x, places: all };
  const places = new Int32Array(cols).fill(-1);
  live.forEach((col, place) => {
    places[col] = place;
  });
  return { input: tf.tensor2d(selectColumns(values, cols, live), [size, live.length], 'float32'), places };
}

function liveColumns(values: Float32Array, cols: number): (col: number) => boolean {
  const live = new Uint8Array(cols);
  for (let row = 0; row < values.length; row += cols)
    for (let col = 0; col < cols; col++) if (values[row + col] !== 0) live[col] = 1;
  return (col) => live[col] === 1;
}

function selectColumns(values: Float32Array, cols: number, live: Int32Array): Float32Array {
  const selected = new Float32Array((values.length / cols) * live.length);
  for (let read = 0, write = 0; read < values.length; read += cols, write += live.length)
    for (let place = 0; place < live.length; place++)
      selected[write + place] = values[read + (live[place] as number)] as number;
  return selected;
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
      linear.scatter(chunk, range, places);
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

/** Splits rows into even ranges whose dense weights stay within the bytes; a range has at least one row. */
function chunks(rows: number, weightsPerRow: number, bytesMax: number): { first: number; count: number }[] {
  const most = Math.max(1, Math.floor(bytesMax / 4 / weightsPerRow));
  const parts = Math.ceil(rows / most);
  const count = Math.ceil(rows / parts);
  return Array.from({ length: Math.ceil(rows / count) }, (_, i) => ({
    first: i * count,
    count: Math.min(count, rows - i * count),
  }));
}
