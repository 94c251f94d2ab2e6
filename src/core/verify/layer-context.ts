/**
 * What checking the rows of one ticket layer needs: the reference weights, the meaning of each mask bit, the constants' values,
 * and intervals of what the target's neurons can give over the declared input box.
 */
import { type Interval, linearisation, remainderRange } from '../network/activation.ts';
import { hull, type LayerIntervals, networkIntervals } from '../network/intervals.ts';
import type { Network } from '../network/network.ts';
import {
  type ConstantEdge,
  type ConstantNeuron,
  constantEdges,
  deeperConstants,
  univariateConstants,
} from '../plan/constants.ts';
import { type LayerView, layerScale, layerViews } from '../plan/layer-view.ts';
import { groupSlope } from '../plan/plan.ts';
import { constructionOf, type Stage, type StageNetwork, stagesOf } from '../plan/stage.ts';
import { SourceLayerReader, wholeSourceLayer } from '../source/source-network.ts';
import { type LayerLayout, layerLayout } from '../ticket/layout.ts';
import type { Ticket } from '../ticket/ticket.ts';
import { ticketStage } from '../ticket/ticket-stage.ts';
import { referenceNetwork } from './quantise.ts';
import type { ColumnErrors } from './row-sums.ts';

/** One layer, ready to be checked row by row. */
export interface LayerContext {
  /** 0-based target layer of its stage. */
  readonly index: number;
  /** The source layer that stands for it, λ ≥ 2. */
  readonly sourceLayer: number;
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
  /** What each input channel of the ticket's layer can be, padded zeros included; shape [channels]. */
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

/** Everything that is the same for all layers of one stage; a ticket of the L+1 construction is one stage (plan/stage.ts). */
export interface TicketContext {
  readonly ticket: Ticket;
  readonly network: StageNetwork;
  readonly views: readonly LayerView[];
  /** Scales of the stage's layers in the target as it is (plan/layer-view.ts): `views` are of the quantised one in exact mode. */
  readonly targetScales: readonly number[];
  /** Intervals of what the target's layers read and give, by input channel and neuron of the stage. */
  readonly intervals: readonly LayerIntervals[];
  readonly stage: Stage;
  readonly whole: WholeContext;
}

/** What all stages of a ticket share. */
interface WholeContext {
  readonly ticket: Ticket;
  readonly stages: readonly Stage[];
  readonly targetScales: readonly number[];
  readonly intervals: readonly LayerIntervals[];
}

/** Returns the context of a ticket's first stage against its target, or against the quantised target in exact mode. */
export function ticketContext(ticket: Ticket, target: Network): TicketContext {
  const network = referenceNetwork(target, ticket);
  const stages = stagesOf(network, constructionOf(ticket));
  const targetScales = target.layers.map(({ linear }) => layerScale(linear));
  const intervals = networkIntervals(network, ticket.inputRange);
  return contextOf({ ticket, stages, targetScales, intervals }, 0);
}

/** Returns the context of another stage of the same ticket. The stages before it must have been found sound. */
export function stageContext({ whole }: TicketContext, index: number): TicketContext {
  return contextOf(whole, index);
}

function contextOf(whole: WholeContext, index: number): TicketContext {
  const stage = whole.stages[index];
  if (stage === undefined) throw new Error(`there is no stage ${index}`);
  const { network, firstLayer, positions } = stage;
  const intervals = whole.intervals
    .slice(firstLayer, firstLayer + network.layers.length)
    .map(({ inputs, linear }, layer) => ({
      inputs: layer === 0 ? eachRepeated(inputs, positions) : inputs,
      linear,
    }));
  return {
    ticket: ticketStage(whole.ticket, stage),
    network,
    views: layerViews(network),
    targetScales: whole.targetScales.slice(firstLayer, firstLayer + network.layers.length),
    intervals,
    stage,
    whole,
  };
}

function eachRepeated<T>(values: readonly T[], times: number): readonly T[] {
  return times === 1 ? values : values.flatMap((value) => Array.from({ length: times }, () => value));
}

/**
 * Returns the context of target layer `index` of a stage. Costs a pass over the layer's bits and constants.
 * @param errors of the inputs of a stage behind the first one, by input channel; absent where the inputs are the target's own.
 */
export function layerContext(context: TicketContext, index: number, errors?: ColumnErrors): LayerContext {
  const { ticket, views, intervals } = context;
  const view = views[index];
  const range = intervals[index];
  const source = ticket.source.layers[index + 1];
  if (view === undefined || range === undefined || source === undefined)
    throw new Error(`there is no layer ${index}`);
  const layout = layerLayout(ticket, index, view);
  const half = 2 ** (ticket.source.gridBits - 1);
  const inputs =
    index === 0 && errors !== undefined ? movedInputs(context, range.inputs, errors) : range.inputs;
  const univariate = index === 0 ? univariateContext(context, layout, inputs) : null;
  const firstGain = (ticket.source.layers[0]?.gain ?? 1) / half;
  const slope = univariate === null ? 1 : firstGain * groupSlope(ticket.univariate.signGroups, univariate);
  return {
    index,
    sourceLayer: wholeSourceLayer(ticket.source, index + 1) + 1,
    view,
    layout,
    reader: new SourceLayerReader(ticket.source, index + 1, source),
    weightScale: source.gain / half,
    sampleScale: (source.gain / half) * slope,
    biasScale: source.biasGain / half,
    constants: new Map(edgesInto(context, index).map(({ element, value }) => [element, value])),
    inputs,
    linear: range.linear,
    univariate,
  };
}

/** What the ticket gives where the target gives `inputs`, within what the steps before can give at all. */
function movedInputs(
  { stage }: TicketContext,
  inputs: readonly Interval[],
  errors: ColumnErrors,
): readonly Interval[] {
  if (stage.possible === null) return inputs;
  const [least, most] = hull(stage.possible, [0, 0]);
  return inputs.map(([low, high], channel) => [
    Math.max(least, low + (errors.low[channel] ?? 0)),
    Math.min(most, high + (errors.high[channel] ?? 0)),
  ]);
}

function univariateContext(
  context: TicketContext,
  layout: LayerLayout,
  inputs: readonly Interval[],
): UnivariateContext {
  const { ticket, network, views } = context;
  const activation = network.univariateActivation;
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

function firstConstants({ ticket, network, views }: TicketContext): ConstantNeuron[] {
  const { constantRows, extendedInput } = ticket.univariate;
  const view = views[0];
  if (view === undefined) throw new Error('a network has at least one layer');
  const firstRow = (ticket.source.layers[0]?.rows ?? 0) - constantRows;
  const place = { source: ticket.source, sourceLayer: 0, firstRow, rowCount: constantRows };
  return univariateConstants(place, network.univariateActivation, { view, isExtended: extendedInput });
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
