/**
 * A ticket's linear map over a batch, edge by edge: what is pruned costs nothing. Inputs are taken 32 at a time and lie innermost,
 * [channels, padded height, padded width, 32]; then a dense layer is a convolution with one position, and strides, dilations and
 * padding are only places. Edges go by in blocks of input channels, so that the part of the input that they read stays in the cache.
 *
 * Measured on one core: 8·10⁹ products a second with blocks of 256 kB, 3.5·10⁹ without (784 → 15,680 → 4,500 → 1,500 → 10 rows).
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { Pair } from '../../src/core/network/network.ts';
import { windowPositions } from '../../src/core/network/shapes.ts';
import type { SparseLayer } from '../../src/core/ticket/sparse-layer.ts';
import type { TensorFlow } from './backend.ts';
import { type EdgeArena, edgeArena, imagesPerGroup } from './edges/edge-kernel.ts';
import type { LinearPass } from './forward-pass.ts';
import { linearShape } from './tensor-linear.ts';

/** Bytes of input that a block of edges reads: half of a core's second-level cache. */
const blockBytes = 1 << 18;
/** Bytes of 32 float32. */
const laneBytes = 4 * imagesPerGroup;

/** Sizes of one group of inputs. */
interface Extent {
  /** Channels; features of a dense layer. */
  readonly channels: number;
  readonly input: Pair;
  /** With padding. */
  readonly padded: Pair;
  readonly output: Pair;
}

/** Rows whose edges are in memory together. */
interface RowRange {
  readonly first: number;
  readonly count: number;
}

/** Returns a layer's linear map. */
export function edgeLinear(layer: SparseLayer): LinearPass {
  return {
    shape: (input) => linearShape(input, layer),
    apply: (tf, { tensor, shape }, weightBytesMax) => ({
      tensor: sumEdges(tf, tensor, layer, weightBytesMax),
      shape: linearShape(shape, layer),
    }),
  };
}

/** [inputs, features] → [inputs, rows], or [inputs, height, width, channels] → [inputs, height, width, rows]. */
function sumEdges(tf: TensorFlow, batch: Tensor, layer: SparseLayer, weightBytesMax: number): Tensor {
  const extent = extentOf(batch.shape, layer);
  const [count = 0] = batch.shape;
  const positions = extent.output[0] * extent.output[1];
  const input = batch.dataSync<'float32'>();
  const output = new Float32Array(count * positions * layer.rows);
  for (const range of rowRanges(layer, positions, weightBytesMax)) {
    const { arena, blocks } = loadEdges(layer, range, extent);
    for (let first = 0; first < count; first += imagesPerGroup) {
      const images = Math.min(imagesPerGroup, count - first);
      fillInput(arena.input, input, { first, images }, { extent, layer });
      fillBias(arena.output, layer.bias, range, positions);
      for (let block = 0; block < blocks; block++) arena.add(range.count, block * (range.count + 1));
      writeOutput(output, arena.output, { first, images }, { range, positions, rows: layer.rows });
    }
  }
  const shape = layer.kind === 'dense' ? [count, layer.rows] : [count, ...extent.output, layer.rows];
  return tf.tensor(output, shape, 'float32');
}

function extentOf(shape: readonly number[], layer: SparseLayer): Extent {
  const channels = shape.at(-1) ?? 0;
  if (layer.kind === 'dense') return { channels, input: [1, 1], padded: [1, 1], output: [1, 1] };
  const [, height = 0, width = 0] = shape;
  const [top, left, bottom, right] = layer.padding;
  return {
    channels,
    input: [height, width],
    padded: [height + top + bottom, width + left + right],
    output: windowPositions([height, width], layer),
  };
}

/** Splits the rows so that edges and sums take at most that many bytes each, or one row's. */
function rowRanges({ rows, rowOffsets }: SparseLayer, positions: number, bytesMax: number): RowRange[] {
  const ranges: RowRange[] = [];
  let first = 0;
  for (let row = 1; row <= rows; row++) {
    const edges = (rowOffsets[row + 1] ?? Number.POSITIVE_INFINITY) - (rowOffsets[first] as number);
    if (row < rows && 8 * edges <= bytesMax && (row + 1 - first) * positions * laneBytes <= bytesMax)
      continue;
    ranges.push({ first, count: row - first });
    first = row;
  }
  return ranges;
}

/** Puts the edges of some rows into the kernel's memory, block by block, and in each row by row. */
function loadEdges(
  layer: SparseLayer,
  { first, count }: RowRange,
  extent: Extent,
): { readonly arena: EdgeArena; readonly blocks: number } {
  const { rowOffsets, elements, values } = layer;
  const { channels, padded, output } = extent;
  const plane = padded[0] * padded[1];
  const taps = layer.kind === 'dense' ? 1 : layer.taps;
  const channelsPerBlock = Math.max(1, Math.floor(blockBytes / (plane * laneBytes)));
  const blocks = Math.max(1, Math.ceil(channels / channelsPerBlock));
  const from = rowOffsets[first] as number;
  const to = rowOffsets[first + count] as number;
  const arena = edgeArena({
    ends: blocks * (count + 1),
    edges: to - from,
    positions: output[0] * output[1],
    inputLanes: channels * plane,
    outputLanes: count * output[0] * output[1],
  });
  arena.input.fill(0);
  for (let y = 0, place = 0; y < output[0]; y++)
    for (let x = 0; x < output[1]; x++, place++)
      arena.starts[place] = (y * layer.strides[0] * padded[1] + x * layer.strides[1]) * laneBytes;
  const blockOf = (element: number): number => Math.floor(Math.floor(element / taps) / channelsPerBlock);
  const next = countByBlock(arena.ends, { layer, first, count, blocks }, blockOf);
  const shifts = tapShifts(layer, extent);
  for (let row = 0; row < count; row++)
    for (
      let edge = rowOffsets[first + row] as number;
      edge < (rowOffsets[first + row + 1] as number);
      edge++
    ) {
      const element = elements[edge] as number;
      const cell = blockOf(element) * (count + 1) + row;
      const place = next[cell] as number;
      next[cell] = place + 1;
      const channel = Math.floor(element / taps);
      arena.shifts[place] = (channel * plane + (shifts[element - channel * taps] as number)) * laneBytes;
      arena.weights[place] = values[edge] as number;
    }
  return { arena, blocks };
}

/** Fills the ends of every block's rows; returns where each row's first edge of each block goes. */
function countByBlock(
  ends: Int32Array,
  { layer, first, count, blocks }: RowRange & { readonly layer: SparseLayer; readonly blocks: number },
  blockOf: (element: number) => number,
): Int32Array {
  const { rowOffsets, elements } = layer;
  ends.fill(0);
  for (let row = 0; row < count; row++)
    for (
      let edge = rowOffsets[first + row] as number;
      edge < (rowOffsets[first + row + 1] as number);
      edge++
    ) {
      const cell = blockOf(elements[edge] as number) * (count + 1) + row;
      ends[cell] = (ends[cell] as number) + 1;
    }
  let place = 0;
  for (let block = 0; block < blocks; block++)
    for (let row = 0; row <= count; row++) {
      const cell = block * (count + 1) + row;
      const edges = ends[cell] as number;
      ends[cell] = place;
      place += edges;
    }
  return ends.slice();
}

/** Shape [taps]: how many pixels a tap lies behind the first of its window. */
function tapShifts(layer: SparseLayer, { padded }: Extent): Int32Array {
  if (layer.kind === 'dense') return new Int32Array(1);
  return Int32Array.from({ length: layer.taps }, (_, tap) => {
    const down = Math.floor(tap / layer.kernel[1]) * layer.dilations[0];
    return down * padded[1] + (tap % layer.kernel[1]) * layer.dilations[1];
  });
}

/** [inputs, height, width, channels] → [channels, padded height, padded width, 32]; the border stays 0. */
function fillInput(
  lanes: Float32Array,
  input: Float32Array,
  { first, images }: { readonly first: number; readonly images: number },
  { extent, layer }: { readonly extent: Extent; readonly layer: SparseLayer },
): void {
  const {
    channels,
    input: [height, width],
    padded,
  } = extent;
  const [top, left] = layer.padding;
  const plane = padded[0] * padded[1] * imagesPerGroup;
  const size = height * width * channels;
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const pixel = ((y + top) * padded[1] + x + left) * imagesPerGroup;
      const source = first * size + (y * width + x) * channels;
      for (let channel = 0; channel < channels; channel++) {
        const lane = pixel + channel * plane;
        for (let image = 0; image < images; image++)
          lanes[lane + image] = input[source + image * size + channel] as number;
      }
    }
}

function fillBias(
  lanes: Float32Array,
  bias: Float64Array,
  { first, count }: RowRange,
  positions: number,
): void {
  const size = positions * imagesPerGroup;
  for (let row = 0; row < count; row++) lanes.fill(bias[first + row] as number, row * size, (row + 1) * size);
}

/** Sums [rows of the range, positions, 32] into the output [inputs, positions, rows]. */
function writeOutput(
  output: Float32Array,
  lanes: Float32Array,
  { first, images }: { readonly first: number; readonly images: number },
  { range, positions, rows }: { readonly range: RowRange; readonly positions: number; readonly rows: number },
): void {
  const size = positions * rows;
  for (let position = 0; position < positions; position++)
    for (let row = 0; row < range.count; row++) {
      const lane = (row * positions + position) * imagesPerGroup;
      const place = first * size + position * rows + range.first + row;
      for (let image = 0; image < images; image++)
        output[place + image * size] = lanes[lane + image] as number;
    }
}
