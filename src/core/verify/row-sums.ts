/**
 * The weight blocks of one row of a ticket layer: exact sums, residuals, and what residuals and the errors behind kept edges can do
 * to the row. This is the readable way and the authority; fast/ticket-rows.ts gives the same numbers, bit for bit.
 *
 * Integer sums are exact in float64, in whatever order: grid integers have at most 24 bits, |u|, |v| ≤ 2^23, so |u·v| ≤ 2^46, and
 * every part of a sum of 40 samples stays below 40 · 2^46 < 2^52. ticket-structure.ts refuses longer blocks (exactBlockSizeMax).
 * Σ v over all kept edges of a row stays below 2^53 up to 2^30 edges; a row's edges are the elements of one typed array.
 */
import { keptBits, ownBiasElement } from '../ticket/layout.ts';
import type { Ticket, TicketLayer } from '../ticket/ticket.ts';
import { Bounds } from './bounds.ts';
import type { LayerContext } from './layer-context.ts';

/**
 * Errors of the copies that a layer reads, by source column: copy − target lies in [low[c], high[c]]. Behind a univariate layer: errors
 * of that layer's inputs, by input channel.
 */
export interface ColumnErrors {
  readonly low: Float64Array;
  readonly high: Float64Array;
}

/** What the weight blocks of a row come to. The next row overwrites it. */
export interface RowSums {
  /** The first block out of tolerance; null when there is none. */
  readonly fault: string | null;
  /** Blocks with a nonzero target. */
  readonly blocks: number;
  readonly keptCount: number;
  /** Σ v over the kept edges, on the grid. */
  readonly keptSum: number;
  readonly residualMax: number;
  /** Σ v·e over the kept edges, e the error of the copy that is read or, in the first layer, φ's remainder there. */
  readonly edges: Bounds;
  /** Σ w·e over the blocks behind a univariate layer, e the error of its input; the same for all copies of a neuron. */
  readonly inputErrors: Bounds;
  /** Σ r·x over the blocks. */
  readonly residuals: Bounds;
  /** The kept bits and their grid integers; from `biasFrom` to `keptCount` those of the bias block. */
  readonly kept: Int32Array;
  readonly weights: Int32Array;
  readonly biasFrom: number;
}

/** A layer to sum rows of. */
export interface RowsSubject {
  readonly ticket: Ticket;
  readonly context: LayerContext;
  readonly errors: ColumnErrors;
}

/** Which row: copy number `copy` of the layer, made for `neuron`. */
export interface RowPlace {
  readonly copy: number;
  readonly neuron: number;
}

/** Relative slack when a float64 residual is compared with a tolerance: far above rounding, far below any grid unit. */
const comparisonSlack = 1e-9;

/** Returns the largest |residual| of a weight that a layer of a ticket may have, in the target's units. */
export function residualTolerance(ticket: Ticket, { view }: LayerContext): number {
  return ticket.epsilon * view.scale * (1 + comparisonSlack);
}

/** Sums rows of one layer, bit by bit. */
export class ReadableRows implements RowSums {
  fault: string | null = null;
  blocks = 0;
  keptCount = 0;
  keptSum = 0;
  residualMax = 0;
  readonly edges = new Bounds();
  readonly inputErrors = new Bounds();
  readonly residuals = new Bounds();
  readonly kept: Int32Array;
  readonly weights: Int32Array;
  private readonly layer: TicketLayer;
  private readonly context: LayerContext;
  private readonly errors: ColumnErrors;
  private readonly tolerance: number;
  private readonly exact: boolean;
  /** How many kept bits belong to blocks that are done. */
  private cursor = 0;
  /** Residuals of a channel's positive blocks, by tap, until the negative ones are known. */
  private readonly pending: number[] = [];

  constructor({ ticket, context, errors }: RowsSubject) {
    const layer = ticket.layers[context.index];
    if (layer === undefined) throw new Error(`the ticket has no layer ${context.index}`);
    this.layer = layer;
    this.context = context;
    this.errors = errors;
    this.kept = new Int32Array(8 * context.layout.rowBytes);
    this.weights = new Int32Array(8 * context.layout.rowBytes);
    this.exact = ticket.mode === 'exact';
    this.tolerance = residualTolerance(ticket, context);
  }

  get biasFrom(): number {
    return this.cursor;
  }

  /** Sums a row. */
  sum({ copy, neuron }: RowPlace): RowSums {
    const { context, layer } = this;
    const row = layer.copyRows[copy] ?? 0;
    this.fault = null;
    this.blocks = this.keptSum = this.residualMax = this.cursor = 0;
    this.edges.clear();
    this.inputErrors.clear();
    this.residuals.clear();
    this.keptCount = keptBits(layer.masks, copy * context.layout.rowBytes, context.layout, this.kept);
    this.weightBlocks(row, neuron);
    for (let index = this.cursor; index < this.keptCount; index++) {
      const element = context.layout.elements[this.kept[index] ?? 0] ?? 0;
      this.weights[index] = element === ownBiasElement ? 0 : context.reader.weight(row, element);
    }
    return this;
  }

  private weightBlocks(row: number, neuron: number): void {
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
      // Once a weight: with sign groups, at the positive blocks.
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
        this.edges.add(
          weightScale * integer,
          univariate.remainderLow[bit] ?? 0,
          univariate.remainderHigh[bit] ?? 0,
        );
    }
    return sum;
  }

  private addInputError(weight: number, channel: number): void {
    this.inputErrors.add(weight, this.errors.low[channel] ?? 0, this.errors.high[channel] ?? 0);
  }

  private addColumnError(weight: number, element: number): void {
    const { taps } = this.context.view;
    const column = taps === 1 ? element : Math.floor(element / taps);
    this.edges.add(weight, this.errors.low[column] ?? 0, this.errors.high[column] ?? 0);
  }

  /** (Weight represented) − target; in exact mode 0, or NaN when the whole numbers differ. */
  private residual(sum: number, target: number): number {
    if (!this.exact) return sum * this.context.sampleScale - target;
    return sum === Math.round(target / this.layer.weightQuantum) ? 0 : Number.NaN;
  }

  private addResidual(residual: number, channel: number): void {
    const [low, high] = this.context.inputs[channel] ?? [0, 0];
    this.residuals.add(residual, low, high);
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
    this.residuals.addHull(ends);
  }

  private place(position: number): string {
    const { taps } = this.context.view;
    return taps === 1
      ? `weight ${position}`
      : `channel ${Math.floor(position / taps)}, tap ${position % taps}`;
  }

  private reject(reason: string): void {
    this.fault ??= reason;
  }
}
