/**
 * Checks rows of one ticket layer: every block's exact residual, and how far the copy can be from its neuron.
 *
 * For a row that is a copy of neuron j, with kept edges v over sources x′ = x + e (e: error of the copy read) and residuals
 * r_i = (weight represented) − w_ji:
 *
 *     z′ − z = Σ_i r_i·x_i + Σ_k v_k·e_k + r_bias  [+ Σ_k v_k·ρ_k in the first layer, ρ_k the remainder of φ in row k]
 *
 * Behind a univariate layer whose inputs err by e_i (2L construction), with x′_i = x_i + e_i:
 *
 *     z′ − z = Σ_i r_i·x′_i + Σ_i w_ji·e_i + r_bias + Σ_k v_k·ρ_k(x′)
 *
 * Each term is bounded by interval arithmetic over the declared input box (mathematics.md §10.3; the per-term form is ours).
 * Integer sums are exact: |u·v| ≤ 2^46, at most 40 terms, stays below 2^53.
 */
import type { Interval } from '../network/activation.ts';
import { widen } from '../network/intervals.ts';
import { keptBits, ownBiasElement } from '../ticket/layout.ts';
import type { Ticket, TicketLayer } from '../ticket/ticket.ts';
import { errorBehindSteps } from './errors-of-steps.ts';
import type { LayerContext } from './layer-context.ts';

/**
 * Errors of the copies that a layer reads, by source column: copy − target lies in [low[c], high[c]]. Behind a univariate layer: errors
 * of that layer's inputs, by input channel.
 */
export interface ColumnErrors {
  readonly low: Float64Array;
  readonly high: Float64Array;
}

/** What the check of some rows found. */
export interface RowsReport {
  /** The first fault, or null if every block of every row is within tolerance. */
  readonly fault: string | null;
  readonly keptEdges: number;
  /** Blocks with a nonzero target, and all bias blocks. */
  readonly blocks: number;
  /** Largest |residual| of a weight and of a bias, in the target's units. */
  readonly residualMax: number;
  readonly biasResidualMax: number;
  /** Error of each row behind the steps; shape [rows checked]. */
  readonly errorLow: Float64Array;
  readonly errorHigh: Float64Array;
  /** Largest width of the first layer's remainder terms alone, before the steps; 0 for every other layer. */
  readonly remainderMax: number;
}

/** Which rows: copies `from` … `to`−1 of the layer, each with the neuron it stands for. */
export interface RowRange {
  readonly from: number;
  readonly to: number;
  /** Shape [copies of the layer]: the neuron of each copy. */
  readonly neurons: Int32Array;
}

/** Returns the report on a range of copies. */
export function verifyRows(
  ticket: Ticket,
  context: LayerContext,
  range: RowRange,
  errors: ColumnErrors,
): RowsReport {
  const check = new RowVerifier(ticket, context, errors);
  const errorLow = new Float64Array(range.to - range.from);
  const errorHigh = new Float64Array(range.to - range.from);
  for (let copy = range.from; copy < range.to; copy++) {
    const [low, high] = check.row(copy, range.neurons[copy] ?? 0);
    errorLow[copy - range.from] = low;
    errorHigh[copy - range.from] = high;
  }
  const { fault, keptEdges, blocks, residualMax, biasResidualMax, remainderMax } = check;
  return { fault, keptEdges, blocks, residualMax, biasResidualMax, errorLow, errorHigh, remainderMax };
}

/** Relative slack when a float64 residual is compared with a tolerance: far above rounding, far below any grid unit. */
const comparisonSlack = 1e-9;

/**
 * Rounding of a bias in float64 relative to the sum of its terms' sizes: 4,096 terms err by less than 5e-13 of it. Used only up to
 * a small part of the tolerance, or of the quantum, so that huge terms that cancel cannot hide a residual.
 */
const biasSlack = 1e-12;

class RowVerifier {
  fault: string | null = null;
  keptEdges = 0;
  blocks = 0;
  residualMax = 0;
  biasResidualMax = 0;
  remainderMax = 0;
  private readonly layer: TicketLayer;
  private readonly context: LayerContext;
  private readonly errors: ColumnErrors;
  private readonly tolerance: number;
  private readonly exact: boolean;
  /** Sums over the row in hand. */
  private low = 0;
  private high = 0;
  private scale = 0;
  private remainderLow = 0;
  private remainderHigh = 0;
  private keptSum = 0;
  /** The row's kept bits, how many they are, and how many of them belong to blocks that are done. */
  private readonly kept: Int32Array;
  private keptCount = 0;
  private cursor = 0;
  /** Residuals of a channel's positive blocks, by tap, until the negative ones are known. */
  private readonly pending: number[] = [];

  constructor(ticket: Ticket, context: LayerContext, errors: ColumnErrors) {
    const layer = ticket.layers[context.index];
    if (layer === undefined) throw new Error(`the ticket has no layer ${context.index}`);
    this.layer = layer;
    this.context = context;
    this.errors = errors;
    this.kept = new Int32Array(8 * context.layout.rowBytes);
    this.exact = ticket.mode === 'exact';
    this.tolerance = ticket.epsilon * (context.view.weightMax || 1) * (1 + comparisonSlack);
  }

  /** Checks one copy; returns the interval of its error behind the steps. */
  row(copy: number, neuron: number): Interval {
    const { context, layer } = this;
    const row = layer.copyRows[copy] ?? 0;
    this.low = this.high = this.scale = this.remainderLow = this.remainderHigh = this.keptSum = 0;
    this.keptCount = keptBits(layer.masks, copy * context.layout.rowBytes, context.layout, this.kept);
    this.keptEdges += this.keptCount;
    this.cursor = 0;
    this.weights(row, neuron);
    this.bias(row, neuron);
    this.remainderMax = Math.max(this.remainderMax, -this.remainderLow, this.remainderHigh);
    const error = widen([this.low + this.remainderLow, this.high + this.remainderHigh], this.scale);
    return errorBehindSteps(context.view.layer.steps, context.linear[neuron] ?? [0, 0], error);
  }

  private weights(row: number, neuron: number): void {
    const { view, layout } = this.context;
    const weights = layout.blockWeights.length;
    const signs = this.context.univariate?.signs ?? 1;
    const size = view.channels * view.taps;
    for (let block = 0; block < weights; block++) {
      const position = layout.blockWeights[block] ?? 0;
      const target = view.weights[neuron * size + position] ?? 0;
      const sum = this.blockSum(row, block);
      if (target !== 0) this.blocks++;
      const residual = this.residual(sum, target);
      if (Number.isNaN(residual))
        this.reject(
          `neuron ${neuron}, row ${row}, ${this.place(position)}: the samples sum to ${sum}, expected ${Math.round(target / this.layer.weightQuantum)}`,
        );
      else if (Math.abs(residual) > this.tolerance && !this.exact)
        this.reject(
          `neuron ${neuron}, row ${row}, ${this.place(position)}: residual ${residual}, tolerance ${this.tolerance}`,
        );
      this.residualMax = Math.max(this.residualMax, Math.abs(residual));
      if (this.context.univariate !== null && block % (signs * view.taps) < view.taps)
        this.addInputError(target, Math.floor(position / view.taps));
      if (signs === 1) this.addResidual(residual, Math.floor(position / view.taps));
      else this.collectSigns(block, residual);
    }
  }

  /** Positive blocks of all taps of a channel come before the negative ones: pairs are `taps` blocks apart. */
  private collectSigns(block: number, residual: number): void {
    const { taps } = this.context.view;
    const half = Math.floor(block / taps) % 2;
    if (half === 0) {
      this.pending[block % taps] = residual;
      return;
    }
    this.addSignedResiduals(this.pending[block % taps] ?? 0, residual, Math.floor(block / (2 * taps)));
  }

  /**
   * Exact Σ u·v of the next block; adds the errors of the rows read on the way. About 40 ns an edge, on top of drawing its
   * random number, which takes most of the time.
   */
  private blockSum(row: number, block: number): number {
    const { layout, reader, weightScale, univariate } = this.context;
    const { kept, keptCount } = this;
    const end = layout.blockStarts[block + 1] ?? 0;
    let sum = 0;
    for (; this.cursor < keptCount && (kept[this.cursor] ?? end) < end; this.cursor++) {
      const bit = kept[this.cursor] ?? 0;
      const element = layout.elements[bit] ?? 0;
      const integer = reader.weight(row, element);
      this.keptSum += integer;
      sum += integer * (layout.multipliers[bit] ?? 1);
      if (univariate === null) this.addColumnError(weightScale * integer, element);
      else
        this.addRemainder(
          weightScale * integer,
          univariate.remainderLow[bit] ?? 0,
          univariate.remainderHigh[bit] ?? 0,
        );
    }
    return sum;
  }

  /** Once a weight: with sign groups, at the positive blocks. */
  private addInputError(weight: number, channel: number): void {
    this.addProduct(weight, this.errors.low[channel] ?? 0, this.errors.high[channel] ?? 0);
  }

  private addColumnError(weight: number, element: number): void {
    const { taps } = this.context.view;
    const column = taps === 1 ? element : Math.floor(element / taps);
    this.addProduct(weight, this.errors.low[column] ?? 0, this.errors.high[column] ?? 0);
  }

  /** (Weight represented) − target; in exact mode 0, or NaN when the whole numbers differ. */
  private residual(sum: number, target: number): number {
    if (!this.exact) return sum * this.context.sampleScale - target;
    return sum === Math.round(target / this.layer.weightQuantum) ? 0 : Number.NaN;
  }

  private addResidual(residual: number, channel: number): void {
    const [low, high] = this.context.inputs[channel] ?? [0, 0];
    this.addProduct(residual, low, high);
  }

  /**
   * With sign groups the represented slope is (m₊·P + m₋·N)/M for x ≥ 0 and (m₋·P + m₊·N)/M for x < 0, where P and N are what
   * the two blocks represent and M = m₊ + m₋; so the residuals mix alike.
   */
  private addSignedResiduals(positive: number, negative: number, channel: number): void {
    const { slopePositive = 1, slopeNegative = 0 } = this.context.univariate ?? {};
    const [low, high] = this.context.inputs[channel] ?? [0, 0];
    const sum = slopePositive + slopeNegative;
    const right = (slopePositive * positive + slopeNegative * negative) / sum;
    const left = (slopeNegative * positive + slopePositive * negative) / sum;
    const ends = low <= 0 && high >= 0 ? [0] : [];
    if (high > 0) ends.push(right * high, right * Math.max(0, low));
    if (low < 0) ends.push(left * low, left * Math.min(0, high));
    this.low += Math.min(...ends);
    this.high += Math.max(...ends);
    this.scale += Math.max(...ends.map(Math.abs));
  }

  private bias(row: number, neuron: number): void {
    const { layout, reader, weightScale, biasScale, constants, univariate, view } = this.context;
    const target = view.bias[neuron] ?? 0;
    let value = (univariate?.intercept ?? 0) * this.keptSum * weightScale;
    let size = Math.abs(value) + Math.abs(target);
    this.blocks++;
    for (; this.cursor < this.keptCount; this.cursor++) {
      const element = layout.elements[this.kept[this.cursor] ?? 0] ?? 0;
      const term =
        element === ownBiasElement
          ? biasScale * reader.bias(row)
          : weightScale * reader.weight(row, element) * (constants.get(element) ?? Number.NaN);
      value += term;
      size += Math.abs(term);
    }
    this.addBiasResidual(value - target, { size, where: `neuron ${neuron}, row ${row}, bias` });
  }

  private addBiasResidual(found: number, { size, where }: { size: number; where: string }): void {
    const { biasQuantum, biasTolerance } = this.layer;
    const noise = biasSlack * size;
    const residual = Math.abs(found) <= Math.min(noise, biasQuantum / 64) ? 0 : found;
    if (!(Math.abs(residual) <= biasTolerance + Math.min(noise, 1e-6 * biasTolerance)))
      this.reject(`${where}: residual ${residual}, tolerance ${biasTolerance}`);
    this.biasResidualMax = Math.max(this.biasResidualMax, Math.abs(residual));
    this.addProduct(residual, 1, 1);
    if (residual !== 0) this.scale += size;
  }

  private addProduct(factor: number, low: number, high: number): void {
    if (factor >= 0) {
      this.low += factor * low;
      this.high += factor * high;
    } else {
      this.low += factor * high;
      this.high += factor * low;
    }
    this.scale += Math.abs(factor) * Math.max(Math.abs(low), Math.abs(high));
  }

  private addRemainder(weight: number, low: number, high: number): void {
    this.remainderLow += weight >= 0 ? weight * low : weight * high;
    this.remainderHigh += weight >= 0 ? weight * high : weight * low;
    this.scale += Math.abs(weight) * Math.max(Math.abs(low), Math.abs(high));
  }

  private place(position: number): string {
    const { taps } = this.context.view;
    return taps === 1
      ? `weight ${position}`
      : `channel ${Math.floor(position / taps)}, tap ${position % taps}`;
  }

  private reject(reason: string): void {
    this.fault ??= `source layer ${this.context.sourceLayer}, ${reason}`;
  }
}
