/**
 * The source layers of a ticket under their masks, row by row, each weight in its own place in the source. Nothing that is pruned is
 * made, so that a layer costs its masks and one row, however wide it is.
 *
 * Source layer 1 takes over the padding of a convolutional first target layer, source layer 2 its strides and dilations: a padded
 * zero passes through φ in layer 1 like any other input, so the intercept φ(0) is the same at the border as inside, and constants reach
 * the border too (ours; with the padding in layer 2 a sigmoid network would be wrong at every border). So does every univariate layer
 * of the 2L construction (plan/stage.ts).
 */
import type { Network, Padding, Pair, Step } from '../network/network.ts';
import { type LayerView, layerViews } from '../plan/layer-view.ts';
import { constructionOf, type Stage, stagesOf } from '../plan/stage.ts';
import { type SourceLayer, SourceLayerReader } from '../source/source-network.ts';
import { keptBits, layerLayout, ownBiasElement } from './layout.ts';
import type { Ticket } from './ticket.ts';
import { ticketStage } from './ticket-stage.ts';

/** What one row keeps. It is overwritten by the next reading of its layer. */
export interface KeptRow {
  /** The first `count` entries: col·taps + tap of each kept weight; ascending only within a block. */
  readonly elements: Int32Array;
  count: number;
  keepsBias: boolean;
}

/** One source layer and what its rows keep. */
export interface MaskedLayer {
  readonly kind: 'dense' | 'convolution';
  readonly source: SourceLayer;
  readonly reader: SourceLayerReader;
  /** Real weight of one grid unit: gain / 2^(b−1). */
  readonly weightScale: number;
  /** Real bias of one grid unit; 0 where the source's biases are zero. */
  readonly biasScale: number;
  /** The input column that is 1 for every input, behind the network's own; −1 for none. Source layer 1 only. */
  readonly onesColumn: number;
  /** Rows that something downstream may read: copies, neuron by neuron, then constants. All others are pruned away. */
  readonly rows: Int32Array;
  /** Returns what row rows[place] keeps. */
  readonly keptRow: (place: number) => KeptRow;
  readonly kernel: Pair;
  readonly strides: Pair;
  readonly dilations: Pair;
  readonly padding: Padding;
  /** What stands behind the layer. */
  readonly steps: readonly Step[];
}

/** Returns the source layers of a ticket. `target` gives the geometry and the steps, none of its weights. */
export function maskedLayers(ticket: Ticket, target: Network): MaskedLayer[] {
  return stagesOf(target, constructionOf(ticket)).flatMap((stage, index) => {
    const part = ticketStage(ticket, stage);
    const views = layerViews(stage.network);
    return [
      univariateLayer(ticket, { stage, index, view: views[0] }),
      ...part.layers.map((_, layer) => deeperLayer(part, layer, views[layer])),
    ];
  });
}

function univariateLayer(
  ticket: Ticket,
  { stage, index, view }: { stage: Stage; index: number; view: LayerView | undefined },
): MaskedLayer {
  const univariate = index === 0 ? ticket.univariate : ticket.deeperUnivariates[index - 1];
  if (view === undefined || univariate === undefined) throw new Error(`there is no stage ${index}`);
  const { inputs, constantRows, extendedInput } = univariate;
  const firstConstant = inputs.length - constantRows;
  const rows = Int32Array.from(inputs.keys()).filter(
    (row) => row >= firstConstant || (inputs[row] ?? -1) >= 0,
  );
  const base = sourceParts(ticket, stage.firstSourceLayer);
  const kept: KeptRow = { elements: new Int32Array(1), count: 0, keepsBias: false };
  return {
    ...base,
    kind: view.convolution === null ? 'dense' : 'convolution',
    onesColumn: extendedInput ? view.channels : -1,
    rows,
    keptRow: (place) => {
      const row = rows[place] ?? 0;
      const input = inputs[row] ?? -1;
      kept.elements[0] = input;
      kept.count = input < 0 ? 0 : 1;
      kept.keepsBias = row >= firstConstant && base.biasScale > 0;
      return kept;
    },
    kernel: [1, 1],
    strides: [1, 1],
    dilations: [1, 1],
    padding: view.convolution?.padding ?? [0, 0, 0, 0],
    steps: [{ kind: 'activation', activation: stage.network.univariateActivation }],
  };
}

function deeperLayer(ticket: Ticket, index: number, view: LayerView | undefined): MaskedLayer {
  const layer = ticket.layers[index];
  if (layer === undefined || view === undefined) throw new Error(`there is no layer ${index}`);
  const { convolution } = view;
  const base = sourceParts(ticket, index + 1);
  const { constantElements, copyRows } = layer;
  const firstConstant = base.source.rows - constantElements.length;
  const rows = new Int32Array(copyRows.length + constantElements.length);
  rows.set(copyRows);
  for (let k = 0; k < constantElements.length; k++) rows[copyRows.length + k] = firstConstant + k;
  const layout = layerLayout(ticket, index, view);
  const bits = new Int32Array(8 * layout.rowBytes);
  const kept: KeptRow = { elements: new Int32Array(bits.length + 1), count: 0, keepsBias: false };
  const copy = (place: number): void => {
    const count = keptBits(layer.masks, place * layout.rowBytes, layout, bits);
    for (let k = 0; k < count; k++) {
      const element = layout.elements[bits[k] ?? 0] ?? 0;
      if (element === ownBiasElement) kept.keepsBias = base.biasScale > 0;
      else kept.elements[kept.count++] = element;
    }
  };
  const constant = (element: number): void => {
    kept.keepsBias = base.biasScale > 0;
    if (element >= 0) kept.elements[kept.count++] = element;
  };
  return {
    ...base,
    kind: convolution === null ? 'dense' : 'convolution',
    onesColumn: -1,
    rows,
    keptRow: (place) => {
      kept.count = 0;
      kept.keepsBias = false;
      if (place < copyRows.length) copy(place);
      else constant(constantElements[place - copyRows.length] ?? -1);
      return kept;
    },
    kernel: convolution?.kernel ?? [1, 1],
    strides: convolution?.strides ?? [1, 1],
    dilations: convolution?.dilations ?? [1, 1],
    padding: convolution === null || index === 0 ? [0, 0, 0, 0] : convolution.padding,
    steps: view.layer.steps,
  };
}

function sourceParts(
  ticket: Ticket,
  index: number,
): Pick<MaskedLayer, 'source' | 'reader' | 'weightScale' | 'biasScale'> {
  const source = ticket.source.layers[index];
  if (source === undefined) throw new Error(`the source has no layer ${index}`);
  const half = 2 ** (ticket.source.gridBits - 1);
  return {
    source,
    reader: new SourceLayerReader(ticket.source, index, source),
    weightScale: source.gain / half,
    biasScale: ticket.source.biasInit === 'zero' ? 0 : source.biasGain / half,
  };
}
