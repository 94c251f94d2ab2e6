/**
 * Source layer 1: which input each row keeps.
 *
 * The layer is fully random; pruning leaves one weight u of each row, and which one is ours to choose. That freedom pays
 * twice (ours, measured in test/bench): in tolerance mode rows keep weights of at least half the gain, so that the samples
 * u·v are spread like plain samples and miss as rarely; in exact mode rows keep weights of exactly ±1 grid unit where they
 * can, so that the products u·v are plain integers. What is left over serves the inputs that are still short, in row order.
 * Input channels that no weight reads get no rows.
 */
import { type Activation, linearisation } from '../network/activation.ts';
import { SourceLayerReader } from '../source/source-network.ts';
import { firstConstantRow, type Plan, type SignGroups } from './plan.ts';

/** Input of a row that keeps no weight. */
export const noInput = -1;

/** Inputs that a row looks at before it takes the best it saw; bounds the cost for wide inputs. */
const windowInputs = 2048;

/** Inputs that suit a row before it stops looking and serves the one that wants most. */
const candidateMax = 4;

/**
 * Returns the input kept by each row of source layer 1, {@link noInput} for none; shape [rows]. Constant rows keep none, or
 * the constant input (the last column) when the input is extended.
 * @param usedChannels which inputs need rows at all, shape [channels].
 */
export function assignInputs(plan: Plan, usedChannels: Uint8Array): Int32Array {
  const { source, univariate } = plan;
  const layer = source.layers[0];
  if (layer === undefined) throw new Error('a source network has at least one layer');
  const inputs = new Int32Array(layer.rows).fill(noInput);
  const constants = firstConstantRow(source, 0, univariate.constantRows);
  if (univariate.extendedInput) inputs.fill(layer.cols - 1, constants);
  const needs = new Needs(plan, usedChannels);
  const reader = new SourceLayerReader(source, 0, layer);
  const leftOver: number[] = [];
  for (let row = 0; row < constants && needs.open > 0; row++) {
    const input = needs.takePreferred(reader, row);
    if (input === noInput) leftOver.push(row);
    else inputs[row] = input;
  }
  for (const row of leftOver) {
    if (needs.open === 0) break;
    inputs[row] = needs.takeAny(reader, row);
  }
  return inputs;
}

/** Rows still wanted, per input and sign. */
class Needs {
  /** Rows wanted in all. */
  open: number;
  private readonly wanted: Int32Array;
  private readonly channels: number;
  private readonly signs: 1 | 2;
  private readonly positiveOnly: boolean;
  private readonly isPreferred: (weight: number) => boolean;
  private next = 0;

  constructor(plan: Plan, usedChannels: Uint8Array) {
    const { blockSize, signGroups } = plan.univariate;
    this.channels = usedChannels.length;
    this.signs = signGroups === 'both' ? 2 : 1;
    this.positiveOnly = signGroups === 'positive';
    this.wanted = new Int32Array(this.channels * this.signs);
    for (let slot = 0; slot < this.wanted.length; slot++)
      this.wanted[slot] = usedChannels[Math.floor(slot / this.signs)] === 1 ? blockSize : 0;
    this.open = this.wanted.reduce((sum, count) => sum + count, 0);
    const half = 2 ** (plan.source.gridBits - 2);
    this.isPreferred =
      plan.mode === 'exact' ? (weight) => Math.abs(weight) === 1 : (weight) => Math.abs(weight) >= half;
  }

  takePreferred(reader: SourceLayerReader, row: number): number {
    return this.take(reader, row, this.isPreferred);
  }

  takeAny(reader: SourceLayerReader, row: number): number {
    return this.take(reader, row, (weight) => weight !== 0);
  }

  /** Goes round the inputs from where the last row stopped; of the first few accepted ones, the one that wants most is taken. */
  private take(reader: SourceLayerReader, row: number, accept: (weight: number) => boolean): number {
    const tries = Math.min(this.channels, windowInputs);
    let best = noInput;
    let bestSlot = 0;
    let found = 0;
    for (let step = 0; step < tries && found < candidateMax; step++) {
      const input = (this.next + step) % this.channels;
      if (!this.wants(input)) continue;
      const weight = reader.weight(row, input);
      const slot = this.slot(input, weight);
      if (!accept(weight) || (this.wanted[slot] ?? 0) === 0 || (this.positiveOnly && weight < 0)) continue;
      found++;
      if (best !== noInput && (this.wanted[slot] ?? 0) <= (this.wanted[bestSlot] ?? 0)) continue;
      best = input;
      bestSlot = slot;
    }
    if (best === noInput) {
      // The inputs still open may all lie beyond the window: the next row looks further on.
      this.next = (this.next + tries) % this.channels;
      return noInput;
    }
    this.wanted[bestSlot] = (this.wanted[bestSlot] ?? 0) - 1;
    this.open--;
    this.next = (best + 1) % this.channels;
    return best;
  }

  private wants(input: number): boolean {
    const first = input * this.signs;
    return (this.wanted[first] ?? 0) > 0 || (this.signs === 2 && (this.wanted[first + 1] ?? 0) > 0);
  }

  private slot(input: number, weight: number): number {
    return input * this.signs + (this.signs === 2 && weight < 0 ? 1 : 0);
  }
}

/** The columns that serve one block group of target layer 1, with their univariate weights. */
export interface UnivariateGroup {
  readonly channel: number;
  /** Rows of source layer 1, ascending. */
  readonly columns: readonly number[];
  /** Their kept grid integers u. */
  readonly multipliers: readonly number[];
}

/** Returns the block groups of target layer 1, channel by channel, positive before negative. */
export function univariateGroups(plan: Plan, inputs: Int32Array, channels: number): UnivariateGroup[] {
  const { source, univariate } = plan;
  const layer = source.layers[0];
  if (layer === undefined) throw new Error('a source network has at least one layer');
  const reader = new SourceLayerReader(source, 0, layer);
  const signs = univariate.signGroups === 'both' ? 2 : 1;
  const groups = Array.from({ length: channels * signs }, (_, index) => ({
    channel: Math.floor(index / signs),
    columns: [] as number[],
    multipliers: [] as number[],
  }));
  inputs.forEach((input, row) => {
    if (input === noInput || input >= channels) return;
    const weight = reader.weight(row, input);
    const group = groups[input * signs + (signs === 2 && weight < 0 ? 1 : 0)];
    group?.columns.push(row);
    group?.multipliers.push(weight);
  });
  return groups;
}

/** Returns which sign groups an activation needs over an input range. */
export function signGroupsFor(activation: Activation, inputNonNegative: boolean): SignGroups {
  const { slopePositive, slopeNegative } = linearisation(activation);
  if (slopePositive === slopeNegative) return 'any';
  return inputNonNegative ? 'positive' : 'both';
}
