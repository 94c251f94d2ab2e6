/**
 * Which edge of the source each mask bit of a ticket layer stands for. The order is plan/tile.ts's: groups, taps, samples,
 * then the bias block.
 */
import { SourceLayerReader } from '../source/source-network.ts';
import type { LayerView } from '../plan/layer-view.ts';
import type { Ticket } from './ticket.ts';

/** Element that stands for a row's own bias. */
export const ownBiasElement = -1;

/** The bits of one row of a ticket layer. */
export interface LayerLayout {
  /** Shape [bits]: col·taps + tap, or {@link ownBiasElement}. */
  readonly elements: Int32Array;
  /** Shape [bits]: the univariate grid integer u behind the edge; 1 behind any other layer and for the bias block. */
  readonly multipliers: Int32Array;
  /** Shape [blocks + 1]: first bit of each block; the last block is the bias block. */
  readonly blockStarts: Int32Array;
  /** Shape [blocks − 1]: channel·taps + tap of each block's target weight. */
  readonly blockWeights: Int32Array;
  /** Bytes of a row. */
  readonly rowBytes: number;
}

interface Group {
  readonly channel: number;
  readonly columns: readonly number[];
  readonly multipliers: readonly number[] | null;
}

/** Returns the layout of target layer `index` (0-based). */
export function layerLayout(ticket: Ticket, index: number, view: LayerView): LayerLayout {
  const layer = ticket.layers[index];
  if (layer === undefined) throw new Error(`the ticket has no layer ${index}`);
  const groups = index === 0 ? signGroups(ticket, view.channels) : copyGroups(ticket, index - 1);
  const elements: number[] = [];
  const multipliers: number[] = [];
  const blockStarts: number[] = [];
  const blockWeights: number[] = [];
  for (const { channel, columns, multipliers: factors } of groups)
    for (let tap = 0; tap < view.taps; tap++) {
      blockStarts.push(elements.length);
      blockWeights.push(channel * view.taps + tap);
      columns.forEach((column, k) => {
        elements.push(column * view.taps + tap);
        multipliers.push(factors?.[k] ?? 1);
      });
    }
  blockStarts.push(elements.length);
  for (const element of layer.biasElements) elements.push(element);
  if (layer.ownBias) elements.push(ownBiasElement);
  while (multipliers.length < elements.length) multipliers.push(1);
  blockStarts.push(elements.length);
  return {
    elements: Int32Array.from(elements),
    multipliers: Int32Array.from(multipliers),
    blockStarts: Int32Array.from(blockStarts),
    blockWeights: Int32Array.from(blockWeights),
    rowBytes: Math.ceil(elements.length / 8),
  };
}

/** Calls `visit` for each bit set in [from, to) of the row that starts at byte `offset`. */
export function forEachKept(
  masks: Uint8Array,
  offset: number,
  { from, to }: { from: number; to: number },
  visit: (bit: number) => void,
): void {
  for (let bit = from; bit < to; ) {
    const byte = (masks[offset + (bit >> 3)] ?? 0) >> (bit & 7);
    if (byte === 0) {
      bit = (bit | 7) + 1;
      continue;
    }
    if ((byte & 1) === 1) visit(bit);
    bit++;
  }
}

/** Returns Σ of the counts before each neuron: the index of its first copy; shape [neurons + 1]. */
export function copyOffsets(copyCounts: Int32Array): Int32Array {
  const offsets = new Int32Array(copyCounts.length + 1);
  copyCounts.forEach((count, neuron) => {
    offsets[neuron + 1] = (offsets[neuron] ?? 0) + count;
  });
  return offsets;
}

/** Copies of each neuron of the layer before. */
function copyGroups(ticket: Ticket, index: number): Group[] {
  const before = ticket.layers[index];
  if (before === undefined) throw new Error(`the ticket has no layer ${index}`);
  const offsets = copyOffsets(before.copyCounts);
  return Array.from(before.copyCounts, (count, channel) => ({
    channel,
    columns: Array.from(before.copyRows.subarray(offsets[channel] ?? 0, (offsets[channel] ?? 0) + count)),
    multipliers: null,
  }));
}

/** Univariate rows of each input; with sign groups, those of positive weight before those of negative weight. */
function signGroups(ticket: Ticket, channels: number): Group[] {
  const { inputs, signGroups: kind, constantRows } = ticket.univariate;
  const layer = ticket.source.layers[0];
  if (layer === undefined) throw new Error('a source network has at least one layer');
  const reader = new SourceLayerReader(ticket.source, 0, layer);
  const signs = kind === 'both' ? 2 : 1;
  const groups = Array.from({ length: channels * signs }, (_, slot) => ({
    channel: Math.floor(slot / signs),
    columns: [] as number[],
    multipliers: [] as number[],
  }));
  inputs.subarray(0, inputs.length - constantRows).forEach((input, row) => {
    if (input < 0 || input >= channels) return;
    const weight = reader.weight(row, input);
    const group = groups[input * signs + (signs === 2 && weight < 0 ? 1 : 0)];
    group?.columns.push(row);
    group?.multipliers.push(weight);
  });
  return groups;
}
