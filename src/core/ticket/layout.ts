/**
 * Which edge of the source each mask bit of a ticket layer stands for. The order is plan/tile.ts's: groups, taps, samples,
 * then the bias block.
 */

import type { LayerView } from '../plan/layer-view.ts';
import { SourceLayerReader } from '../source/source-network.ts';
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
  readonly columns: ArrayLike<number>;
  readonly multipliers: ArrayLike<number> | null;
}

/** Returns the layout of target layer `index` (0-based). */
export function layerLayout(ticket: Ticket, index: number, view: LayerView): LayerLayout {
  const layer = ticket.layers[index];
  if (layer === undefined) throw new Error(`the ticket has no layer ${index}`);
  const groups = index === 0 ? signGroups(ticket, view.channels) : copyGroups(ticket, index - 1);
  const samples = groups.reduce((sum, group) => sum + group.columns.length, 0) * view.taps;
  const bits = samples + layer.biasElements.length + (layer.ownBias ? 1 : 0);
  const elements = new Int32Array(bits);
  const multipliers = new Int32Array(bits).fill(1);
  const blockStarts = new Int32Array(groups.length * view.taps + 2);
  const blockWeights = new Int32Array(groups.length * view.taps);
  let bit = 0;
  let block = 0;
  for (const { channel, columns, multipliers: factors } of groups)
    for (let tap = 0; tap < view.taps; tap++, block++) {
      blockStarts[block] = bit;
      blockWeights[block] = channel * view.taps + tap;
      for (let k = 0; k < columns.length; k++, bit++) {
        elements[bit] = (columns[k] ?? 0) * view.taps + tap;
        multipliers[bit] = factors?.[k] ?? 1;
      }
    }
  blockStarts[block] = bit;
  blockStarts[block + 1] = bits;
  elements.set(layer.biasElements, bit);
  if (layer.ownBias) elements[bits - 1] = ownBiasElement;
  return { elements, multipliers, blockStarts, blockWeights, rowBytes: Math.ceil(bits / 8) };
}

/**
 * Writes the bits set in the row that starts at byte `offset` to the front of `kept`, ascending, and returns how many they are.
 * `kept` holds at least as many numbers as the layout has bits. About one bit in nine of a dense layer is set, so bytes are
 * looked at as a whole and only set bits cost a step.
 */
export function keptBits(masks: Uint8Array, offset: number, layout: LayerLayout, kept: Int32Array): number {
  let count = 0;
  for (let place = 0; place < layout.rowBytes; place++) {
    let byte = masks[offset + place] ?? 0;
    while (byte !== 0) {
      kept[count++] = 8 * place + 31 - Math.clz32(byte & -byte);
      byte &= byte - 1;
    }
  }
  // Bits behind the last edge are 0 in a sound ticket and stand for nothing in any other.
  while (count > 0 && (kept[count - 1] ?? 0) >= layout.elements.length) count--;
  return count;
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
    columns: before.copyRows.subarray(offsets[channel] ?? 0, (offsets[channel] ?? 0) + count),
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
