/**
 * The ticket as a pruned network of depth L+1 that can be run: real weights, only the rows that something downstream reads.
 *
 * Source layer 1 takes over the padding of a convolutional first target layer, source layer 2 its strides and dilations: a padded
 * zero passes through φ in layer 1 like any other input, so the intercept φ(0) is the same at the border as inside, and constants reach
 * the border too (ours; with the padding in layer 2 a sigmoid network would be wrong at every border). An input that is extended
 * by a channel of ones is extended after padding, so its edges act as biases and appear as such here.
 */
import type { Network, Step } from '../network/network.ts';
import { firstActivation, type LayerView, layerViews } from '../plan/layer-view.ts';
import { SourceLayerReader } from '../source/source-network.ts';
import { forEachKept, layerLayout, ownBiasElement } from './layout.ts';
import type { SparseLayer, SparseNetwork } from './sparse-layer.ts';
import type { Ticket } from './ticket.ts';

/** Returns the pruned network. `target` gives the geometry and the steps, none of its weights. */
export function materialise(ticket: Ticket, target: Network): SparseNetwork {
  const views = layerViews(target);
  const layers: SparseLayer[] = [];
  let activeRows = univariateRows(ticket);
  layers.push(univariateLayer(ticket, { target, views, rows: activeRows }));
  ticket.layers.forEach((_, index) => {
    const view = views[index];
    if (view === undefined) throw new Error(`the target has no layer ${index}`);
    const rows = activeRowsOf(ticket, index);
    layers.push(deeperLayer(ticket, { index, view, rows, columns: activeRows }));
    activeRows = rows;
  });
  return { inputShape: target.inputShape, inputSteps: target.inputSteps, layers };
}

interface ActiveRow {
  readonly row: number;
  /** Index among the layer's copies, or −1 for a constant. */
  readonly copy: number;
}

function univariateRows(ticket: Ticket): ActiveRow[] {
  const { inputs, constantRows } = ticket.univariate;
  const rows: ActiveRow[] = [];
  inputs.forEach((input, row) => {
    if (row >= inputs.length - constantRows || input >= 0) rows.push({ row, copy: -1 });
  });
  return rows;
}

function activeRowsOf(ticket: Ticket, index: number): ActiveRow[] {
  const layer = ticket.layers[index];
  if (layer === undefined) throw new Error(`the ticket has no layer ${index}`);
  const constants = layer.constantElements.length;
  const first = (ticket.source.layers[index + 1]?.rows ?? 0) - constants;
  const copies = Array.from(layer.copyRows, (row, copy) => ({ row, copy }));
  return [...copies, ...Array.from({ length: constants }, (_, k) => ({ row: first + k, copy: -1 }))];
}

function univariateLayer(
  ticket: Ticket,
  { target, views, rows }: { target: Network; views: readonly LayerView[]; rows: readonly ActiveRow[] },
): SparseLayer {
  const { source, univariate } = ticket;
  const layer = source.layers[0];
  const view = views[0];
  if (layer === undefined || view === undefined) throw new Error('a network has at least one layer');
  const reader = new SourceLayerReader(source, 0, layer);
  const half = 2 ** (source.gridBits - 1);
  const firstConstant = univariate.inputs.length - univariate.constantRows;
  const builder = new SparseBuilder();
  for (const { row } of rows) {
    const input = univariate.inputs[row] ?? -1;
    const weight = input < 0 ? 0 : (layer.gain * reader.weight(row, input)) / half;
    const ownBias = row >= firstConstant && source.biasInit === 'uniform' ? (layer.biasGain * reader.bias(row)) / half : 0;
    const isOnesInput = input >= view.channels;
    if (input >= 0 && !isOnesInput) builder.edge(input, weight);
    builder.endRow(ownBias + (isOnesInput ? weight : 0));
  }
  const steps: Step[] = [{ kind: 'activation', activation: firstActivation(target) }];
  return {
    kind: view.convolution === null ? 'dense' : 'convolution',
    cols: view.channels,
    taps: 1,
    ...builder.build(),
    kernel: [1, 1],
    strides: [1, 1],
    dilations: [1, 1],
    padding: view.convolution?.padding ?? [0, 0, 0, 0],
    steps,
  };
}

function deeperLayer(
  ticket: Ticket,
  part: { index: number; view: LayerView; rows: readonly ActiveRow[]; columns: readonly ActiveRow[] },
): SparseLayer {
  const { index, view, rows, columns } = part;
  const source = ticket.source.layers[index + 1];
  const layer = ticket.layers[index];
  if (source === undefined || layer === undefined) throw new Error(`the ticket has no layer ${index}`);
  const { taps } = view;
  const reader = new SourceLayerReader(ticket.source, index + 1, source);
  const layout = layerLayout(ticket, index, view);
  const half = 2 ** (ticket.source.gridBits - 1);
  const active = new Map(columns.map(({ row }, position) => [row, position]));
  const firstConstant = source.rows - layer.constantElements.length;
  const builder = new SparseBuilder();
  const keep = (row: number, element: number): void => {
    const column = active.get(Math.floor(element / taps));
    if (column === undefined) throw new Error(`row ${row} of source layer ${index + 2} keeps an edge to a pruned row`);
    builder.edge(column * taps + (element % taps), (source.gain * reader.weight(row, element)) / half);
  };
  const bias = (row: number): number =>
    ticket.source.biasInit === 'zero' ? 0 : (source.biasGain * reader.bias(row)) / half;
  for (const { row, copy } of rows) {
    let ownBias = copy < 0 ? bias(row) : 0;
    if (copy < 0) {
      const element = layer.constantElements[row - firstConstant] ?? -1;
      if (element >= 0) keep(row, element);
    } else
      forEachKept(layer.masks, copy * layout.rowBytes, { from: 0, to: layout.elements.length }, (bit) => {
        const element = layout.elements[bit] ?? 0;
        if (element === ownBiasElement) ownBias = bias(row);
        else keep(row, element);
      });
    builder.endRow(ownBias);
  }
  const { convolution } = view;
  return {
    kind: convolution === null ? 'dense' : 'convolution',
    cols: columns.length,
    taps,
    ...builder.build(),
    kernel: convolution?.kernel ?? [1, 1],
    strides: convolution?.strides ?? [1, 1],
    dilations: convolution?.dilations ?? [1, 1],
    padding: convolution === null || index === 0 ? [0, 0, 0, 0] : convolution.padding,
    steps: view.layer.steps,
  };
}

/** Collects edges row by row. */
class SparseBuilder {
  private readonly elements: number[] = [];
  private readonly values: number[] = [];
  private readonly offsets: number[] = [0];
  private readonly biases: number[] = [];

  edge(element: number, value: number): void {
    this.elements.push(element);
    this.values.push(value);
  }

  endRow(bias: number): void {
    this.offsets.push(this.elements.length);
    this.biases.push(bias);
  }

  build(): Pick<SparseLayer, 'rows' | 'rowOffsets' | 'elements' | 'values' | 'bias'> {
    return {
      rows: this.biases.length,
      rowOffsets: Int32Array.from(this.offsets),
      elements: Int32Array.from(this.elements),
      values: Float64Array.from(this.values),
      bias: Float64Array.from(this.biases),
    };
  }
}
