/**
 * The ticket as a pruned network of depth L+1 (or 2L) that can be run: real weights, only the rows that something downstream reads.
 * An input that is extended by a channel of ones is extended after padding, so its edges act as biases and appear as such here.
 */
import type { Network } from '../network/network.ts';
import { countBits } from '../plan/count-bits.ts';
import { type MaskedLayer, maskedLayers } from './masked-layer.ts';
import type { SparseLayer, SparseNetwork } from './sparse-layer.ts';
import type { Ticket } from './ticket.ts';

/** Returns the pruned network. `target` gives the geometry and the steps, none of its weights. */
export function materialise(ticket: Ticket, target: Network): SparseNetwork {
  const sizes = edgesMax(ticket);
  let before: MaskedLayer | null = null;
  const layers: SparseLayer[] = [];
  for (const [index, layer] of maskedLayers(ticket, target).entries()) {
    layers.push(sparseLayer(layer, { before, edgesMax: sizes[index] ?? 0 }));
    before = layer;
  }
  return { inputShape: target.inputShape, inputSteps: target.inputSteps, layers };
}

/**
 * Returns for each element col·taps + tap of a source row its element in the pruned network, −1 for a column that is pruned away.
 * `before` is the source layer before it, null for source layer 1.
 */
export function prunedElements({ source, onesColumn }: MaskedLayer, before: MaskedLayer | null): Int32Array {
  const { cols, taps } = source;
  const places = new Int32Array(cols * taps).fill(-1);
  const columns = before === null ? places.keys() : before.rows;
  let place = 0;
  for (const column of columns) {
    if (column === onesColumn) continue;
    for (let tap = 0; tap < taps; tap++) places[column * taps + tap] = place++;
  }
  return places;
}

function sparseLayer(
  layer: MaskedLayer,
  { before, edgesMax }: { before: MaskedLayer | null; edgesMax: number },
): SparseLayer {
  const { kind, source, reader, rows, onesColumn, kernel, strides, dilations, padding, steps } = layer;
  const places = prunedElements(layer, before);
  const builder = new SparseBuilder(rows.length, edgesMax);
  rows.forEach((row, place) => {
    const { elements, count, keepsBias } = layer.keptRow(place);
    let bias = keepsBias ? layer.biasScale * reader.bias(row) : 0;
    for (let k = 0; k < count; k++) {
      const element = elements[k] ?? 0;
      const value = layer.weightScale * reader.weight(row, element);
      if (element === onesColumn) bias += value;
      else builder.edge(places[element] ?? -1, value);
    }
    builder.endRow(bias);
  });
  return {
    kind,
    cols: before?.rows.length ?? (onesColumn < 0 ? source.cols : source.cols - 1),
    taps: source.taps,
    ...builder.build(),
    kernel,
    strides,
    dilations,
    padding,
    steps,
  };
}

/** Returns at least as many edges as each source layer keeps. */
function edgesMax({ univariate, deeperUnivariates, layers }: Ticket): number[] {
  return layers.flatMap(({ masks, constantElements }, index) => {
    const before = index === 0 ? univariate : deeperUnivariates[index - 1];
    const own = countBits(masks) + constantElements.length;
    return before === undefined ? [own] : [before.inputs.length, own];
  });
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
    if (element < 0) throw new Error(`row ${this.rows} of the ticket keeps an edge to a pruned row`);
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
