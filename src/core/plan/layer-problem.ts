/**
 * From a plan and what the source layers before have become to the integers a worker gets.
 */
import { linearisation } from '../network/activation.ts';
import { wholeSourceLayer } from '../source/source-network.ts';
import { unevenBlock, wholeValues } from './bias-edges.ts';
import type { ConstantEdge } from './constants.ts';
import type { LayerView } from './layer-view.ts';
import type { LayerPlan, Plan } from './plan.ts';
import type { BiasProblem, LayerProblem } from './tile.ts';

/** What the rows of one source layer can read: copies of target neurons, and constants. */
export interface LayerInputs {
  /** Channel by channel; `multipliers` are the univariate weights u, null behind any other layer. */
  readonly groups: readonly {
    readonly channel: number;
    readonly columns: readonly number[];
    readonly multipliers: readonly number[] | null;
  }[];
  readonly constants: readonly ConstantEdge[];
}

/** Where a target layer stands: its index from 0, its plan, its view. */
export interface LayerPlace {
  readonly plan: Plan;
  /** 0-based target layer; its source layer has 0-based index `index` + 1. */
  readonly index: number;
  readonly view: LayerView;
}

/** Returns what all rows of the source layer for one target layer share. */
export function layerProblem(place: LayerPlace, inputs: LayerInputs): LayerProblem {
  const { plan, index, view } = place;
  const layer = layerPlan(place);
  const sourceLayer = plan.source.layers[index + 1];
  if (sourceLayer === undefined) throw new Error(`source layer ${index + 1} does not exist`);
  const products = inputs.groups.some((group) => group.multipliers !== null);
  return {
    seed: plan.source.seed,
    gridBits: plan.source.gridBits,
    sourceLayer: wholeSourceLayer(plan.source, index + 1),
    rows: sourceLayer.rows,
    cols: sourceLayer.cols,
    taps: sourceLayer.taps,
    channels: view.channels,
    groupOffsets: offsets(inputs.groups.map((group) => group.columns.length)),
    groupColumns: Int32Array.from(inputs.groups.flatMap((group) => group.columns)),
    groupChannels: Int32Array.from(inputs.groups.map((group) => group.channel)),
    groupMultipliers: products
      ? Int32Array.from(inputs.groups.flatMap((group) => group.multipliers ?? []))
      : null,
    sampleShift: layer.sampleShift,
    rule: plan.rule,
    tolerance: layer.tolerance,
    bias: biasProblem(place, inputs.constants),
  };
}

/** Returns a target layer's plan. */
export function layerPlan({ plan, index }: LayerPlace): LayerPlan {
  const layer = plan.layers[index];
  if (layer === undefined) throw new Error(`target layer ${index} is not planned`);
  return layer;
}

/** Returns the target weights of one neuron on the grid, shape [channels · taps]. */
export function neuronTargets(place: LayerPlace, neuron: number): Int32Array {
  const { view } = place;
  const unit = layerPlan(place).weightUnit;
  const size = view.channels * view.taps;
  return Int32Array.from(view.weights.subarray(neuron * size, (neuron + 1) * size), (weight) =>
    Math.round(weight / unit),
  );
}

/** Returns the bias target of one neuron in bias units, a whole number. */
export function neuronBiasTarget(place: LayerPlace, neuron: number): number {
  return Math.round((place.view.bias[neuron] ?? 0) / layerPlan(place).biasUnit);
}

/**
 * A constant edge of value c adds gain·q/2^(b−1)·c, that is C·q·2^−s bias units with C = c·gain·2^s / (2^(b−1)·biasUnit).
 * Quantised biases take s = 0 and whole C only; all others s = b − 1 and C rounded, which the tolerance makes room for.
 */
function biasProblem(place: LayerPlace, constants: readonly ConstantEdge[]): BiasProblem {
  const { plan, index } = place;
  const layer = layerPlan(place);
  const { gain = 1, biasGain = 0 } = plan.source.layers[index + 1] ?? {};
  const half = 2 ** (plan.source.gridBits - 1);
  const quantised = layer.biasQuantum > 0;
  const sampleShift = quantised ? 0 : plan.source.gridBits - 1;
  const scale = (gain * 2 ** sampleShift) / (half * layer.biasUnit);
  const { edges, values } = quantised
    ? wholeValues(constants, scale)
    : { edges: constants, values: constants.map(({ value }) => Math.round(value * scale)) };
  const block = quantised
    ? unevenBlock(values, layer.biasBlockSize)
    : [...values.keys()].slice(0, layer.biasBlockSize);
  const intercept = index === 0 ? linearisation(plan.univariate.activation).intercept : 0;
  return {
    elements: Int32Array.from(block, (k) => edges[k]?.element ?? 0),
    values: Int32Array.from(block, (k) => values[k] ?? 0),
    sampleShift,
    ownScale: layer.ownBias ? biasGain / half / layer.biasUnit : 0,
    interceptScale: (intercept * gain) / half / layer.biasUnit,
    tolerance: layer.biasTolerance,
  };
}

function offsets(sizes: readonly number[]): Int32Array {
  const result = new Int32Array(sizes.length + 1);
  sizes.forEach((size, index) => {
    result[index + 1] = (result[index] ?? 0) + size;
  });
  return result;
}
