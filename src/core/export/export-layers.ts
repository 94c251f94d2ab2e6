/**
 * A ticket's source layers as the exports give them: matrices of the source's own numbers and of what is kept of them.
 *
 * In the form `pruned` a layer has the rows that something downstream may read, copies neuron by neuron and then constants, and the
 * columns that the layer before it has as rows. In the form `full` it has every row and column of the source, in the source's order;
 * the outputs of the network are then the ones named by {@link ExportNetwork.outputs}.
 *
 * A number is gain·q/2^(b−1) for the grid integer q (source/source-network.ts), rounded to float32: gains are folded into the
 * weights, nothing else is. In both forms an input that is 1 for every image (biases that start at zero) is left out and its
 * column becomes the layer's bias, which computes the same.
 */
import type { Network, Padding, Pair, Step } from '../network/network.ts';
import { elementCount, networkShapes, type Shape } from '../network/shapes.ts';
import { type MaskedLayer, maskedLayers } from '../ticket/masked-layer.ts';
import { prunedElements } from '../ticket/materialise.ts';
import type { Ticket } from '../ticket/ticket.ts';

/** Whether rows and columns that nothing reads are left out. */
export type ExportForm = 'pruned' | 'full';

/** One source layer, row by row. */
export interface ExportLayer {
  readonly kind: 'dense' | 'convolution';
  /** [rows, inputs] of a dense layer, [rows, channels, height, width] of a convolution. */
  readonly shape: readonly number[];
  /** The row of the source that each row is; shape [rows]. */
  readonly sourceRows: Int32Array;
  /** Writes the source's weights of a row, pruned ones too, over `values`. Costs a random number each. */
  readonly weights: (row: number, values: Float32Array) => void;
  /** Writes the kept weights of a row into `values`, which are 0. */
  readonly keptWeights: (row: number, values: Float32Array) => void;
  /** Writes a 1 for each kept weight of a row into `values`, which are 0. */
  readonly mask: (row: number, values: Uint8Array) => void;
  /** The source's biases, pruned ones too; shape [rows]. */
  readonly bias: Float32Array;
  /** 1 for each kept bias; shape [rows]. */
  readonly biasMask: Uint8Array;
  readonly kernel: Pair;
  readonly strides: Pair;
  readonly dilations: Pair;
  readonly padding: Padding;
  readonly steps: readonly Step[];
}

/** A ticket, ready to be written row by row. */
export interface ExportNetwork {
  readonly form: ExportForm;
  readonly inputShape: readonly number[];
  readonly inputSteps: readonly Step[];
  readonly layers: readonly ExportLayer[];
  /** Shape of one output of the target, and of the ticket once the outputs are chosen. */
  readonly outputShape: readonly number[];
  /** Form `full`: which entries along the first axis of what the chain gives are the network's outputs, in order; else null. */
  readonly outputs: Int32Array | null;
}

/** Returns the layers of a sound ticket. `target` gives the geometry and the steps, none of its weights. */
export function exportNetwork(ticket: Ticket, target: Network, form: ExportForm): ExportNetwork {
  const masked = maskedLayers(ticket, target);
  const { output } = networkShapes(target);
  return {
    form,
    inputShape: target.inputShape,
    inputSteps: target.inputSteps,
    layers: masked.map((layer, index) =>
      exportLayer(layer, layerPlaces(form, layer, masked[index - 1] ?? null)),
    ),
    outputShape: output,
    outputs: form === 'full' ? outputPlaces(masked.at(-1), target, output) : null,
  };
}

/** The copies of the last layer, one for each output; where a flatten follows, all positions of each. */
function outputPlaces(last: MaskedLayer | undefined, target: Network, output: Shape): Int32Array {
  const neurons = target.layers.at(-1)?.linear.outputs ?? 0;
  const positions = output.length === 1 ? elementCount(output) / neurons : 1;
  return Int32Array.from(
    { length: neurons * positions },
    (_, k) => (last?.rows[Math.floor(k / positions)] ?? 0) * positions + (k % positions),
  );
}

/** Where the parts of a source layer go. */
interface Places {
  /** The source row of each exported row. */
  readonly rows: Int32Array;
  /** For each exported row the index of what it keeps, −1 for nothing. */
  readonly kept: Int32Array;
  /** The source's element of each exported one. */
  readonly elements: Int32Array;
  /** The exported element of each of the source's, −1 for none. */
  readonly targets: Int32Array;
}

function layerPlaces(form: ExportForm, layer: MaskedLayer, before: MaskedLayer | null): Places {
  const { source, rows } = layer;
  const targets = form === 'pruned' ? prunedElements(layer, before) : allElements(layer);
  const elements = new Int32Array(targets.reduce((count, place) => count + (place < 0 ? 0 : 1), 0));
  targets.forEach((place, element) => {
    if (place >= 0) elements[place] = element;
  });
  if (form === 'pruned') return { rows, kept: Int32Array.from(rows.keys()), elements, targets };
  const kept = new Int32Array(source.rows).fill(-1);
  rows.forEach((row, place) => {
    kept[row] = place;
  });
  return { rows: Int32Array.from(kept.keys()), kept, elements, targets };
}

function allElements({ source, onesColumn }: MaskedLayer): Int32Array {
  return Int32Array.from({ length: source.cols * source.taps }, (_, element) =>
    element === onesColumn ? -1 : element,
  );
}

function exportLayer(layer: MaskedLayer, places: Places): ExportLayer {
  const { kind, source, reader, weightScale, onesColumn, kernel, strides, dilations, padding, steps } = layer;
  const { rows, kept, elements, targets } = places;
  const ofKept = (row: number, visit: (element: number) => void): void => {
    const place = kept[row] ?? -1;
    if (place < 0) return;
    const found = layer.keptRow(place);
    for (let k = 0; k < found.count; k++) visit(found.elements[k] ?? 0);
  };
  const inputs = elements.length;
  return {
    kind,
    shape: kind === 'dense' ? [rows.length, inputs] : [rows.length, inputs / source.taps, ...kernel],
    sourceRows: rows,
    weights: (row, values) => {
      const from = rows[row] ?? 0;
      for (let k = 0; k < inputs; k++) values[k] = weightScale * reader.weight(from, elements[k] as number);
    },
    keptWeights: (row, values) => {
      const from = rows[row] ?? 0;
      ofKept(row, (element) => {
        if (element !== onesColumn)
          values[placeOf(targets, element)] = weightScale * reader.weight(from, element);
      });
    },
    mask: (row, values) => {
      ofKept(row, (element) => {
        if (element !== onesColumn) values[placeOf(targets, element)] = 1;
      });
    },
    ...biases(layer, places),
    kernel,
    strides,
    dilations,
    padding,
    steps,
  };
}

function placeOf(targets: Int32Array, element: number): number {
  const target = targets[element] ?? -1;
  if (target < 0) throw new Error(`the ticket keeps an edge, ${element}, to a pruned row`);
  return target;
}

/** The input that is 1 stands for the bias where biases start at zero; no layer has both. */
function biases(layer: MaskedLayer, { rows, kept }: Places): Pick<ExportLayer, 'bias' | 'biasMask'> {
  const { reader, weightScale, biasScale, onesColumn } = layer;
  const bias = new Float32Array(rows.length);
  const biasMask = new Uint8Array(rows.length);
  rows.forEach((row, index) => {
    if (onesColumn >= 0) bias[index] = weightScale * reader.weight(row, onesColumn);
    else if (biasScale > 0) bias[index] = biasScale * reader.bias(row);
    const place = kept[index] ?? -1;
    if (place < 0) return;
    const { elements, count, keepsBias } = layer.keptRow(place);
    biasMask[index] = onesColumn >= 0 ? Number(count === 1 && elements[0] === onesColumn) : Number(keepsBias);
  });
  return { bias, biasMask };
}
