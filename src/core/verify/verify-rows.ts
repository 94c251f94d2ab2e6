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
 * The weight blocks are summed by row-sums.ts, or by the fast verifier where one is given and finds nothing wrong.
 */
import type { Interval } from '../network/activation.ts';
import { widen } from '../network/intervals.ts';
import { ownBiasElement } from '../ticket/layout.ts';
import type { TicketLayer } from '../ticket/ticket.ts';
import { errorBehindSteps } from './errors-of-steps.ts';
import type { FastVerifier } from './fast/fast-verifier.ts';
import type { FastTicketRows } from './fast/ticket-rows.ts';
import type { LayerContext } from './layer-context.ts';
import { ReadableRows, type RowPlace, type RowSums, type RowsSubject } from './row-sums.ts';

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

/**
 * Returns the report on a range of copies.
 * @param fast sums the rows if given; rows that it finds fault with are summed again by the readable code, whose word counts.
 */
export function verifyRows(subject: RowsSubject, range: RowRange, fast?: FastVerifier): RowsReport {
  const check = new RowVerifier(subject, fast?.ticketRows(subject));
  const errorLow = new Float64Array(range.to - range.from);
  const errorHigh = new Float64Array(range.to - range.from);
  for (let copy = range.from; copy < range.to; copy++) {
    const [low, high] = check.row({ copy, neuron: range.neurons[copy] ?? 0 });
    errorLow[copy - range.from] = low;
    errorHigh[copy - range.from] = high;
  }
  const { fault, keptEdges, blocks, residualMax, biasResidualMax, remainderMax } = check;
  return { fault, keptEdges, blocks, residualMax, biasResidualMax, errorLow, errorHigh, remainderMax };
}

/**
 * Rounding of a bias in float64 relative to the sum of its terms' sizes: longBlockSizeMax edges (ticket-structure.ts refuses more), the
 * row's own bias, intercept and target err by less than 4,100 · 2^-53 < 5e-13 of it. A residual counts with all of it, so that huge terms
 * that cancel cannot hide one; a quantised bias is hit only where rounding is a small part of its quantum.
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
  private readonly subject: RowsSubject;
  private readonly fast: FastTicketRows | undefined;
  private readable: ReadableRows | undefined;

  constructor(subject: RowsSubject, fast: FastTicketRows | undefined) {
    const { ticket, context } = subject;
    const layer = ticket.layers[context.index];
    if (layer === undefined) throw new Error(`the ticket has no layer ${context.index}`);
    this.layer = layer;
    this.context = context;
    this.subject = subject;
    this.fast = fast;
  }

  /** Checks one copy; returns the interval of its error behind the steps. */
  row(place: RowPlace): Interval {
    const { context } = this;
    const sums = this.fast?.sum(place) ?? this.readableSums(place);
    this.reject(sums.fault);
    this.keptEdges += sums.keptCount;
    this.blocks += sums.blocks + 1;
    this.residualMax = Math.max(this.residualMax, sums.residualMax);
    const { edges, inputErrors, residuals } = sums;
    this.bias(place, sums);
    if (context.univariate !== null) this.remainderMax = Math.max(this.remainderMax, -edges.low, edges.high);
    const error = widen(
      [residuals.low + edges.low + inputErrors.low, residuals.high + edges.high + inputErrors.high],
      residuals.size + edges.size + inputErrors.size,
    );
    const { neuron } = place;
    return errorBehindSteps(context.view.layer.steps, context.linear[neuron] ?? [0, 0], error);
  }

  private readableSums(place: RowPlace): RowSums {
    this.readable ??= new ReadableRows(this.subject);
    return this.readable.sum(place);
  }

  private bias(
    { copy, neuron }: RowPlace,
    { keptSum, kept, weights, biasFrom, keptCount, residuals }: RowSums,
  ): void {
    const { layout, reader, weightScale, biasScale, constants, univariate, view } = this.context;
    const row = this.layer.copyRows[copy] ?? 0;
    const target = view.bias[neuron] ?? 0;
    let value = (univariate?.intercept ?? 0) * keptSum * weightScale;
    let size = Math.abs(value) + Math.abs(target);
    for (let index = biasFrom; index < keptCount; index++) {
      const element = layout.elements[kept[index] ?? 0] ?? 0;
      const term =
        element === ownBiasElement
          ? biasScale * reader.bias(row)
          : weightScale * (weights[index] ?? 0) * (constants.get(element) ?? Number.NaN);
      value += term;
      size += Math.abs(term);
    }
    const residual = this.biasResidual(value - target, { size, where: `neuron ${neuron}, row ${row}, bias` });
    residuals.add(residual, 1, 1);
    if (residual !== 0) residuals.size += size;
  }

  private biasResidual(found: number, { size, where }: { size: number; where: string }): number {
    const { biasQuantum, biasTolerance } = this.layer;
    const noise = biasSlack * size;
    const isHit = Math.abs(found) <= noise && noise <= biasQuantum / 64;
    const residual = isHit ? 0 : found;
    if (!isHit && !(Math.abs(found) + noise <= biasTolerance * (1 + 1e-6))) {
      const blur =
        Math.abs(found) <= biasTolerance ? ` of numbers so large that it may be off by ${noise}` : '';
      this.reject(`${where}: residual ${found}${blur}, tolerance ${biasTolerance}`);
    }
    this.biasResidualMax = Math.max(this.biasResidualMax, Math.abs(residual));
    return residual;
  }

  private reject(reason: string | null): void {
    if (reason !== null) this.fault ??= `source layer ${this.context.sourceLayer}, ${reason}`;
  }
}
