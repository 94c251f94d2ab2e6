/**
 * Constants: source neurons whose output does not depend on the input. They serve the biases of the next layer.
 *
 * A constant row keeps only its own bias (uniform biases), or nothing (zero biases and φ(0) ≠ 0), or one edge to a constant of
 * the layer before (zero biases and φ(0) = 0, where the input is extended by a channel that is 1). What it gives is one map
 * over the positions; an edge to it is a bias sample only if it reads the same value at every position of its row's
 * output. Zero padding and padded average pools make a map uneven at the border, so not every tap can serve (mathematics.md §5).
 */
import { type Activation, activate } from '../network/activation.ts';
import { applyStep } from '../network/forward.ts';
import type { Step } from '../network/network.ts';
import { SourceLayerReader, type SourceNetwork } from '../source/source-network.ts';
import type { LayerView } from './layer-view.ts';

/** A constant neuron's output: one value per position, [height, width] of the tensor that the next layer reads. */
export type ConstantMap = Float64Array;

/** An edge that adds the same amount at every position of its row. */
export interface ConstantEdge {
  /** col·taps + tap in the row that reads it. */
  readonly element: number;
  /** The constant's value c there, in float64. */
  readonly value: number;
}

/** A constant neuron: its row in the source layer, and what it gives. */
export interface ConstantNeuron {
  readonly row: number;
  readonly map: ConstantMap;
}

/** Constants smaller than the largest by more than this factor are no use as samples. */
const usefulShare = 1 / 4;

/** Tells whether a constant is worth an edge, next to the largest one. */
export function isUsefulConstant(value: number, largest: number): boolean {
  return value !== 0 && Math.abs(value) >= usefulShare * largest;
}

/**
 * Returns the constant edges that rows of the layer `view` may keep, tap by tap and then constant by constant, so that the
 * first few already have different values.
 * @param padding the layer's convolution pads its input (source layer 1 has done so for the first one).
 */
export function constantEdges(
  constants: readonly ConstantNeuron[],
  view: LayerView,
  padding: boolean,
): ConstantEdge[] {
  const edges: ConstantEdge[] = [];
  for (let tap = 0; tap < view.taps; tap++)
    for (const { row, map } of constants) {
      const value = tapValue(map, view, { tap, padding });
      if (value !== undefined) edges.push({ element: row * view.taps + tap, value });
    }
  const largest = edges.reduce((max, { value }) => Math.max(max, Math.abs(value)), 0);
  return edges.filter(({ value }) => isUsefulConstant(value, largest));
}

/** The value that one tap reads at every output position, or undefined if they differ. */
function tapValue(
  map: ConstantMap,
  view: LayerView,
  { tap, padding }: { tap: number; padding: boolean },
): number | undefined {
  const { convolution } = view;
  if (convolution === null) return map[tap];
  const [rows, columns] = view.linearSize;
  const [top, left] = padding ? convolution.padding : [0, 0];
  const height = padding
    ? view.inputSize[0]
    : view.inputSize[0] + convolution.padding[0] + convolution.padding[2];
  const width = map.length / height;
  const down = Math.floor(tap / convolution.kernel[1]) * convolution.dilations[0] - top;
  const right = (tap % convolution.kernel[1]) * convolution.dilations[1] - left;
  let common: number | undefined;
  for (let y = 0; y < rows; y++)
    for (let x = 0; x < columns; x++) {
      const atRow = y * convolution.strides[0] + down;
      const atColumn = x * convolution.strides[1] + right;
      const inside = atRow >= 0 && atRow < height && atColumn >= 0 && atColumn < width;
      const value = inside ? (map[atRow * width + atColumn] ?? 0) : 0;
      if (common !== undefined && value !== common) return undefined;
      common = value;
    }
  return common;
}

/** Where the constants of a source layer get their value from. */
export interface ConstantSource {
  readonly source: SourceNetwork;
  /** 0-based source layer. */
  readonly sourceLayer: number;
  readonly firstRow: number;
  readonly rowCount: number;
}

/**
 * Returns the constants of source layer 1 over the padded input (source layer 1 takes over the padding of a convolutional
 * first target layer: see ticket/materialise.ts). They are the same at every position.
 * @param isExtended the constant rows keep their edge to the input channel that is 1, the last column.
 */
export function univariateConstants(
  place: ConstantSource,
  activation: Activation,
  { view, isExtended }: { readonly view: LayerView; readonly isExtended: boolean },
): ConstantNeuron[] {
  const [top, left, bottom, right] = view.convolution?.padding ?? [0, 0, 0, 0];
  const positions = (view.inputSize[0] + top + bottom) * (view.inputSize[1] + left + right);
  const reader = readerOf(place);
  const onesInput = (place.source.layers[0]?.cols ?? 1) - 1;
  return rowsOf(place).map((row) => {
    const weight = isExtended ? realWeight(place, reader.weight(row, onesInput)) : 0;
    const value = activate(activation, realBias(place, reader, row) + weight);
    return { row, map: new Float64Array(positions).fill(value) };
  });
}

/** A constant row that keeps one edge to a constant before it. */
export interface ConstantChoice {
  readonly row: number;
  /** col·taps + tap of the kept edge, −1 for none. */
  readonly element: number;
}

/**
 * Returns the edge each constant row of a deeper source layer keeps: with uniform biases, or φ(0) ≠ 0, none; else the one
 * that makes the constant largest.
 */
export function chooseConstantEdges(
  place: ConstantSource,
  edges: readonly ConstantEdge[],
  view: LayerView,
): ConstantChoice[] {
  const none = place.source.biasInit === 'uniform' || constantMap(0, view)[0] !== 0;
  const reader = readerOf(place);
  return rowsOf(place).map((row) => {
    let element = -1;
    let best = 0;
    for (const edge of none ? [] : edges) {
      const value = Math.abs(
        constantMap(realWeight(place, reader.weight(row, edge.element)) * edge.value, view)[0] ?? 0,
      );
      if (value > best) {
        best = value;
        element = edge.element;
      }
    }
    return { row, element };
  });
}

/** Returns the constants of a deeper source layer behind the target layer's steps. */
export function deeperConstants(
  place: ConstantSource,
  {
    choices,
    edges,
    view,
  }: { choices: readonly ConstantChoice[]; edges: readonly ConstantEdge[]; view: LayerView },
): ConstantNeuron[] {
  const reader = readerOf(place);
  const values = new Map(edges.map((edge) => [edge.element, edge.value]));
  return choices.map(({ row, element }) => {
    const kept =
      element < 0 ? 0 : realWeight(place, reader.weight(row, element)) * (values.get(element) ?? 0);
    return { row, map: constantMap(realBias(place, reader, row) + kept, view) };
  });
}

/** Returns what the steps behind a layer make of the same value at every position. */
export function constantMap(value: number, view: LayerView): ConstantMap {
  const [height, width] = view.linearSize;
  let values: Float64Array = new Float64Array(height * width).fill(value);
  let shape: readonly number[] = view.convolution === null ? [1] : [1, height, width];
  for (const step of view.layer.steps.filter((candidate: Step) => candidate.kind !== 'flatten')) {
    const next = applyStep(step, values, shape);
    values = next.values;
    shape = next.shape;
  }
  return values;
}

function rowsOf(place: ConstantSource): number[] {
  return Array.from({ length: place.rowCount }, (_, index) => place.firstRow + index);
}

function readerOf(place: ConstantSource): SourceLayerReader {
  const layer = place.source.layers[place.sourceLayer];
  if (layer === undefined) throw new Error(`source layer ${place.sourceLayer} does not exist`);
  return new SourceLayerReader(place.source, place.sourceLayer, layer);
}

function realWeight(place: ConstantSource, integer: number): number {
  return ((place.source.layers[place.sourceLayer]?.gain ?? 0) * integer) / 2 ** (place.source.gridBits - 1);
}

function realBias(place: ConstantSource, reader: SourceLayerReader, row: number): number {
  if (place.source.biasInit === 'zero') return 0;
  return (
    ((place.source.layers[place.sourceLayer]?.biasGain ?? 0) * reader.bias(row)) /
    2 ** (place.source.gridBits - 1)
  );
}
