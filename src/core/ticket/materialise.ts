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
import { keptBits, layerLayout, ownBiasElement } from './layout.ts';
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
  const builder = new SparseBuilder(rows.length, rows.length);
  for (const { row } of rows) {
    const input = univariate.inputs[row] ?? -1;
    const weight = input < 0 ? 0 : (layer.gain * reader.weight(row, input)) / half;
    const ownBias =
      row >= firstConstant && source.biasInit === 'uniform' ? (layer.biasGain * reader.bias(row)) / half : 0;
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
  const places = activePlaces(columns, { cols: source.cols, taps });
  const scale = source.gain / 2 ** (ticket.source.gridBits - 1);
  const biasScale =
    ticket.source.biasInit === 'zero' ? 0 : source.biasGain / 2 ** (ticket.source.gridBits - 1);
  const firstConstant = source.rows - layer.constantElements.length;
  const builder = new SparseBuilder(rows.length, countBits(layer.masks) + layer.constantElements.length);
  const kept = new Int32Array(8 * layout.rowBytes);
  const keep = (row: number, element: number): void => {
    const place = places[element] ?? -1;
    if (place < 0) throw new Error(`row ${row} of source layer ${index + 2} keeps an edge to a pruned row`);
    builder.edge(place, scale * reader.weight(row, element));
  };
  for (const { row, copy } of rows) {
    let keepsBias = copy < 0;
    if (copy < 0) {
      const element = layer.constantElements[row - firstConstant] ?? -1;
      if (element >= 0) keep(row, element);
    } else {
      const count = keptBits(layer.masks, copy * layout.rowBytes, layout, kept);
      for (let k = 0; k < count; k++) {
        const element = layout.elements[kept[k] ?? 0] ?? 0;
        if (element === ownBiasElement) keepsBias = true;
        else keep(row, element);
      }
    }
    builder.endRow(keepsBias && biasScale > 0 ? biasScale * reader.bias(row) : 0);
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

/** Returns for each element col·taps + tap of a source row its element among the active columns, −1 for a pruned column. */
function activePlaces(
  columns: readonly ActiveRow[],
  { cols, taps }: { cols: number; taps: number },
): Int32Array {
  const places = new Int32Array(cols * taps).fill(-1);
  columns.forEach(({ row }, column) => {
    for (let tap = 0; tap < taps; tap++) places[row * taps + tap] = column * taps + tap;
  });
  return places;
}

/** Returns how many bits are set: as many edges as a layer's masks keep, biases included. */
function countBits(bytes: Uint8Array): number {
  let count = 0;
  for (let k = 0; k < bytes.length; k++) for (let byte = bytes[k] ?? 0; byte !== 0; byte &= byte - 1) count++;
  return count;
}

/** Collects edges row by row, in arrays that have room for all of them. */
class SparseBuilder {
  private readonly elements: Int32Array;
  private readonly values: Float64Array;
  private readonly offsets: Int32Array;
  private readonly biases: Float64Array;
  private rows = 0;
  private edges = 0;

  constructor(rows: number, edgesMax: number) {
    this.elements = new Int32Array(edgesMax);
    this.values = new Float64Array(edgesMax);
    this.offsets = new Int32Array(rows + 1);
    this.biases = new Float64Array(rows);
  }

  edge(element: number, value: number): void {
    this.elements[this.edges] = element;
    this.values[this.edges++] = value;
  }

  endRow(bias: number): void {
    this.biases[this.rows++] = bias;
    this.offsets[this.rows] = this.edges;
  }

  build(): Pick<SparseLayer, 'rows' | 'rowOffsets' | 'elements' | 'values' | 'bias'> {
    return {
      rows: this.rows,
      rowOffsets: this.offsets,
      elements: this.elements.subarray(0, this.edges),
      values: this.values.subarray(0, this.edges),
      bias: this.biases,
    };
  }
}
