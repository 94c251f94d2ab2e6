/**
 * What checking the rows of one ticket layer needs: the reference weights, the meaning of each mask bit, the constants' values,
 * and intervals of what the target's neurons can give over the declared input box.
 */
import { type Activation, type Interval, linearisation, remainderRange } from '../network/activation.ts';
import { hull, linearIntervals, readsPadding, stepsInterval } from '../network/intervals.ts';
import type { Network } from '../network/network.ts';
import {
  type ConstantEdge,
  type ConstantNeuron,
  constantEdges,
  deeperConstants,
  univariateConstants,
} from '../plan/constants.ts';
import { firstActivation, type LayerView, layerViews } from '../plan/layer-view.ts';
import { groupSlope } from '../plan/plan.ts';
import { SourceLayerReader } from '../source/source-network.ts';
import { type LayerLayout, layerLayout } from '../ticket/layout.ts';
import type { Ticket } from '../ticket/ticket.ts';
import { referenceNetwork } from './quantise.ts';

/** One layer, ready to be checked row by row. */
export interface LayerContext {
  readonly index: number;
  readonly view: LayerView;
  readonly layout: LayerLayout;
  readonly reader: SourceLayerReader;
  /** Real weight of one grid unit of the rows' weights: gain / 2^(b−1). */
  readonly weightScale: number;
  /** Real weight of one grid unit of Σ samples: of Σ v, or in the first layer of Σ u·v times its slope. */
  readonly sampleScale: number;
  /** Real bias of one grid unit. */
  readonly biasScale: number;
  /** Values of the constants by element. */
  readonly constants: ReadonlyMap<number, number>;
  /** What each input channel can be, padded zeros included; shape [channels]. */
  readonly inputs: readonly Interval[];
  /** What each target neuron can be before the steps; shape [neurons]. */
  readonly linear: readonly Interval[];
  /** The first layer's linearisation and remainders; null for every other layer. */
  readonly univariate: UnivariateContext | null;
}

/** What only the first layer has. */
export interface UnivariateContext {
  readonly intercept: number;
  readonly slopePositive: number;
  readonly slopeNegative: number;
  readonly signs: 1 | 2;
  /** Remainder of the activation behind each bit's univariate row over its input's range; shape [bits] each. */
  readonly remainderLow: Float64Array;
  readonly remainderHigh: Float64Array;
}

/** Everything that is the same for all layers. */
export interface TicketContext {
  readonly ticket: Ticket;
  readonly network: Network;
  readonly activation: Activation;
  readonly views: readonly LayerView[];
  /** Intervals of what each layer's input channels and neurons can be. */
  readonly intervals: readonly {
    readonly inputs: readonly Interval[];
    readonly linear: readonly Interval[];
  }[];
}

/** Returns the context of a ticket against its target, or against the quantised target in exact mode. */
export function ticketContext(ticket: Ticket, target: Network): TicketContext {
  const network = referenceNetwork(target, ticket);
  const views = layerViews(network);
  return {
    ticket,
    network,
    activation: firstActivation(network),
    views,
    intervals: layerIntervals(network, views, ticket.inputRange),
  };
}

function layerIntervals(
  network: Network,
  views: readonly LayerView[],
  inputRange: Interval,
): TicketContext['intervals'] {
  let inputs: readonly Interval[] = Array.from({ length: views[0]?.channels ?? 0 }, () =>
    stepsInterval(network.inputSteps, inputRange),
  );
  return network.layers.map((layer) => {
    const padded = readsPadding(layer.linear);
    const linear = linearIntervals(layer.linear, inputs);
    const result = { inputs: inputs.map((input) => (padded ? hull(input, [0, 0]) : input)), linear };
    inputs = linear.map((interval) => stepsInterval(layer.steps, interval));
    return result;
  });
}

/** Returns the context of target layer `index`. Costs a pass over the layer's bits and constants. */
export function layerContext(context: TicketContext, index: number): LayerContext {
  const { ticket, views, intervals } = context;
  const view = views[index];
  const range = intervals[index];
  const source = ticket.source.layers[index + 1];
  if (view === undefined || range === undefined || source === undefined)
    throw new Error(`there is no layer ${index}`);
  const layout = layerLayout(ticket, index, view);
  const half = 2 ** (ticket.source.gridBits - 1);
  const univariate = index === 0 ? univariateContext(context, layout, range.inputs) : null;
  const firstGain = (ticket.source.layers[0]?.gain ?? 1) / half;
  const slope = univariate === null ? 1 : firstGain * groupSlope(ticket.univariate.signGroups, univariate);
  return {
    index,
    view,
    layout,
    reader: new SourceLayerReader(ticket.source, index + 1, source),
    weightScale: source.gain / half,
    sampleScale: (source.gain / half) * slope,
    biasScale: source.biasGain / half,
    constants: new Map(edgesInto(context, index).map(({ element, value }) => [element, value])),
    inputs: range.inputs,
    linear: range.linear,
    univariate,
  };
}

function univariateContext(
  context: TicketContext,
  layout: LayerLayout,
  inputs: readonly Interval[],
): UnivariateContext {
  const { ticket, activation, views } = context;
  const scale = (ticket.source.layers[0]?.gain ?? 1) / 2 ** (ticket.source.gridBits - 1);
  const taps = views[0]?.taps ?? 1;
  const remainderLow = new Float64Array(layout.elements.length);
  const remainderHigh = new Float64Array(layout.elements.length);
  layout.blockWeights.forEach((weight, block) => {
    const [low, high] = inputs[Math.floor(weight / taps)] ?? [0, 0];
    for (let bit = layout.blockStarts[block] ?? 0; bit < (layout.blockStarts[block + 1] ?? 0); bit++) {
      const u = scale * (layout.multipliers[bit] ?? 0);
      const range = remainderRange(activation, u >= 0 ? [u * low, u * high] : [u * high, u * low]);
      remainderLow[bit] = range[0];
      remainderHigh[bit] = range[1];
    }
  });
  return {
    ...linearisation(activation),
    signs: ticket.univariate.signGroups === 'both' ? 2 : 1,
    remainderLow,
    remainderHigh,
  };
}

/** Returns the constants' edges that rows of target layer `index` may keep, by following the constants from the seed. */
export function edgesInto(context: TicketContext, index: number): ConstantEdge[] {
  let neurons = firstConstants(context);
  for (let layer = 0; ; layer++) {
    const view = context.views[layer];
    if (view === undefined) throw new Error(`there is no layer ${layer}`);
    const edges = constantEdges(neurons, view, layer > 0);
    if (layer === index) return edges;
    neurons = constantsOf(context, layer, edges);
  }
}

function firstConstants({ ticket, activation, views }: TicketContext): ConstantNeuron[] {
  const { constantRows, extendedInput } = ticket.univariate;
  const view = views[0];
  if (view === undefined) throw new Error('a network has at least one layer');
  const firstRow = (ticket.source.layers[0]?.rows ?? 0) - constantRows;
  const place = { source: ticket.source, sourceLayer: 0, firstRow, rowCount: constantRows };
  return univariateConstants(place, activation, { view, isExtended: extendedInput });
}

function constantsOf(
  { ticket, views }: TicketContext,
  index: number,
  edges: readonly ConstantEdge[],
): ConstantNeuron[] {
  const elements = ticket.layers[index]?.constantElements ?? new Int32Array(0);
  const view = views[index];
  if (view === undefined) throw new Error(`there is no layer ${index}`);
  const firstRow = (ticket.source.layers[index + 1]?.rows ?? 0) - elements.length;
  const choices = Array.from(elements, (element, k) => ({ row: firstRow + k, element }));
  const place = { source: ticket.source, sourceLayer: index + 1, firstRow, rowCount: elements.length };
  return deeperConstants(place, { choices, edges, view });
}
