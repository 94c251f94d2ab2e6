/**
 * The ticket verifier: from a ticket and its target alone, decides whether the ticket is what it claims (mathematics.md §10).
 *
 * 1. Structure: shapes, distinct rows, masks only on existing edges, an honest quantum and tolerance.
 * 2. Every block: the exact residual, from the seed, in plain TypeScript or by the fast verifier (verify-rows.ts).
 * 3. Certificate: a bound of |ticket − target| over the declared input box (|ticket − quantised target| in exact mode).
 *
 * The function on data, with real activations in every layer, is checked by whoever has data (coordinator/evaluate).
 */
import { readsPadding } from '../network/intervals.ts';
import type { Network } from '../network/network.ts';
import { copyOffsets } from '../ticket/layout.ts';
import type { Ticket, TicketLayer } from '../ticket/ticket.ts';
import type { FastVerifier } from './fast/fast-verifier.ts';
import {
  type LayerContext,
  layerContext,
  stageContext,
  type TicketContext,
  ticketContext,
} from './layer-context.ts';
import type { ColumnErrors } from './row-sums.ts';
import { layerFault, stageFault, ticketFault } from './ticket-structure.ts';
import { type RowRange, type RowsReport, verifyRows } from './verify-rows.ts';

/** What verification found out about one target layer. */
export interface LayerVerdict {
  readonly copies: number;
  /** Blocks with a nonzero target, and one bias block per row. */
  readonly blocks: number;
  readonly keptEdges: number;
  /** Largest |residual| of a weight, in the target's units. */
  readonly residualMax: number;
  readonly biasResidualMax: number;
}

/** The verdict on a ticket. */
export interface TicketVerdict {
  /** What is wrong and where; null when nothing is. */
  readonly fault: string | null;
  readonly layers: readonly LayerVerdict[];
  /** Edges and biases kept in all source layers. */
  readonly keptEdges: number;
  readonly blocks: number;
  /** Upper bound of |ticket − reference| over the declared input box, over all outputs. */
  readonly certifiedBound: number;
  /** The part of a first-layer row's error, before its activation, that linearising the activation costs at most. */
  readonly linearisationBound: number;
}

/** Checks a range of copies of target layer `index`; may run in another thread. */
export type RowsCheck = (index: number, range: RowRange, errors: ColumnErrors) => Promise<RowsReport>;

/** Copies per call of a {@link RowsCheck}. */
const rowsPerCheck = 64;

/**
 * Returns the verdict on a ticket against its target.
 * @param target with its digest, as network-file.ts makes it.
 * @param check where rows are checked; by default here, one after the other.
 */
export async function verifyTicket(
  ticket: Ticket,
  target: { readonly network: Network; readonly sha256: string },
  check?: RowsCheck,
): Promise<TicketVerdict> {
  const structural = ticketFault(ticket, target.network, target.sha256);
  if (structural !== null) return refusal(structural);
  const first = ticketContext(ticket, target.network);
  const walk = new TicketWalk(target.network, check ?? localCheck(first));
  for (const index of first.whole.stages.keys()) {
    const fault = await walk.stage(index === 0 ? first : stageContext(first, index));
    if (fault !== null) return { ...refusal(fault), layers: walk.layers };
  }
  const { layers, keptBesides, certifiedBound, linearisationBound } = walk;
  return {
    fault: null,
    layers,
    keptEdges: layers.reduce((sum, layer) => sum + layer.keptEdges, keptBesides),
    blocks: layers.reduce((sum, layer) => sum + layer.blocks, 0),
    certifiedBound: hasBounds(first) ? orInfinity(certifiedBound) : Number.POSITIVE_INFINITY,
    linearisationBound: orInfinity(linearisationBound),
  };
}

/** Checks stage by stage and layer by layer, and carries the errors of what is checked to what reads it. */
class TicketWalk {
  readonly layers: LayerVerdict[] = [];
  /** Edges and biases kept in univariate and constant rows. */
  keptBesides = 0;
  certifiedBound = 0;
  linearisationBound = 0;
  private readonly target: Network;
  private readonly run: RowsCheck;
  /** Of the layer checked last, by copy; null before the first. */
  private before: ColumnErrors | null = null;

  constructor(target: Network, run: RowsCheck) {
    this.target = target;
    this.run = run;
  }

  /** Returns what is wrong with a stage, or null. */
  async stage(context: TicketContext): Promise<string | null> {
    const fault = stageFault(context);
    if (fault !== null) return fault;
    let errors = this.inputErrors(context);
    for (const [index, layer] of context.ticket.layers.entries()) {
      const wrong = layerFault(context, index) ?? (await this.layer(context, { index, layer, errors }));
      if (wrong !== null) return wrong;
      errors = spread(layer, context.ticket.source.layers[index + 1]?.rows ?? 0, this.before ?? noErrors(0));
      this.includePadding(errors, context.stage.firstLayer + index + 1);
    }
    this.keptBesides += keptBesides(context.ticket, context);
    return null;
  }

  private async layer(
    { stage }: TicketContext,
    { index, layer, errors }: { index: number; layer: TicketLayer; errors: ColumnErrors },
  ): Promise<string | null> {
    const reports = await checkLayer(layer, stage.firstLayer + index, { run: this.run, errors });
    const wrong = reports.find((report) => report.fault !== null);
    this.layers.push(summary(layer, reports));
    if (wrong !== undefined) return wrong.fault ?? '';
    this.linearisationBound = reports.reduce(
      (max, report) => Math.max(max, report.remainderMax),
      this.linearisationBound,
    );
    const low = Float64Array.from(reports.flatMap((report) => [...report.errorLow]));
    const high = Float64Array.from(reports.flatMap((report) => [...report.errorHigh]));
    this.certifiedBound = low.reduce((max, value, row) => Math.max(max, -value, high[row] ?? 0), 0);
    this.before = { low, high };
    return null;
  }

  /** Errors of a stage's inputs: the stage before has one copy of each neuron, which gives `positions` of them. */
  private inputErrors({ stage, views }: TicketContext): ColumnErrors {
    const errors = noErrors(views[0]?.channels ?? 0);
    if (this.before === null) return errors;
    const { low, high } = this.before;
    for (let input = 0; input < errors.low.length; input++) {
      const neuron = Math.floor(input / stage.positions);
      errors.low[input] = low[neuron] ?? 0;
      errors.high[input] = high[neuron] ?? 0;
    }
    this.includePadding(errors, stage.firstLayer);
    return errors;
  }

  private includePadding(errors: ColumnErrors, layer: number): void {
    const next = this.target.layers[layer];
    if (next !== undefined && readsPadding(next.linear)) includeZero(errors);
  }
}

/** Tells whether interval arithmetic along the target stays within numbers. Where it overflows nothing can be said of what follows. */
function hasBounds({ whole }: TicketContext): boolean {
  return whole.intervals.every(({ inputs, linear }) =>
    [...inputs, ...linear].every((interval) => interval.every(Number.isFinite)),
  );
}

/** Where errors overflow, 0 · ∞ leaves no number: nothing is certified. */
function orInfinity(bound: number): number {
  return Number.isNaN(bound) ? Number.POSITIVE_INFINITY : bound;
}

/** Returns the neuron each copy of a layer stands for; shape [copies]. */
export function neuronsOfCopies(layer: TicketLayer): Int32Array {
  const offsets = copyOffsets(layer.copyCounts);
  const neurons = new Int32Array(layer.copyRows.length);
  layer.copyCounts.forEach((count, neuron) => {
    neurons.fill(neuron, offsets[neuron], (offsets[neuron] ?? 0) + count);
  });
  return neurons;
}

/**
 * Returns a check that runs here, building each layer's context once. Layers must come in order, each one sound.
 * @param fast looks at rows first, if given.
 */
export function localCheck(first: TicketContext, fast?: FastVerifier): RowsCheck {
  let stage = first;
  let current: { index: number; context: LayerContext } | undefined;
  return (index, range, errors) => {
    if (current?.index !== index) {
      stage = stageOfLayer(stage, index);
      const isMoved = stage.stage.firstLayer === index && index > 0;
      const context = layerContext(stage, index - stage.stage.firstLayer, isMoved ? errors : undefined);
      current = { index, context };
    }
    const subject = { ticket: stage.ticket, context: current.context, errors };
    return Promise.resolve(verifyRows(subject, range, fast));
  };
}

function stageOfLayer(context: TicketContext, layer: number): TicketContext {
  const index = context.whole.stages.findLastIndex(({ firstLayer }) => firstLayer <= layer);
  return context.whole.stages[index] === context.stage ? context : stageContext(context, index);
}

function checkLayer(
  layer: TicketLayer,
  index: number,
  { run, errors }: { run: RowsCheck; errors: ColumnErrors },
): Promise<RowsReport[]> {
  const neurons = neuronsOfCopies(layer);
  const checks: Promise<RowsReport>[] = [];
  for (let from = 0; from < neurons.length; from += rowsPerCheck)
    checks.push(run(index, { from, to: Math.min(neurons.length, from + rowsPerCheck), neurons }, errors));
  return Promise.all(checks);
}

function summary(layer: TicketLayer, reports: readonly RowsReport[]): LayerVerdict {
  const total = (pick: (report: RowsReport) => number): number =>
    reports.reduce((sum, report) => sum + pick(report), 0);
  const largest = (pick: (report: RowsReport) => number): number =>
    reports.reduce((max, report) => Math.max(max, pick(report)), 0);
  return {
    copies: layer.copyRows.length,
    blocks: total((report) => report.blocks),
    keptEdges: total((report) => report.keptEdges),
    residualMax: largest((report) => report.residualMax),
    biasResidualMax: largest((report) => report.biasResidualMax),
  };
}

/** Errors by source row: those of the copies, 0 for constants. */
function spread(layer: TicketLayer, rows: number, byCopy: ColumnErrors): ColumnErrors {
  const errors = noErrors(rows);
  layer.copyRows.forEach((row, copy) => {
    errors.low[row] = byCopy.low[copy] ?? 0;
    errors.high[row] = byCopy.high[copy] ?? 0;
  });
  return errors;
}

/** A padded position is 0 in the ticket and in the target alike: there the error is 0, whatever it is elsewhere. */
function includeZero({ low, high }: ColumnErrors): void {
  for (let row = 0; row < low.length; row++) {
    low[row] = Math.min(0, low[row] ?? 0);
    high[row] = Math.max(0, high[row] ?? 0);
  }
}

function noErrors(rows: number): ColumnErrors {
  return { low: new Float64Array(rows), high: new Float64Array(rows) };
}

/** The univariate rows' kept weights, and the biases or edges of the constants that some row in use reads. */
function keptBesides(ticket: Ticket, context: TicketContext): number {
  const { inputs, constantRows, extendedInput } = ticket.univariate;
  let kept = inputs.subarray(0, inputs.length - constantRows).filter((input) => input >= 0).length;
  const hasBias = ticket.source.biasInit === 'uniform';
  // From the last layer down: a constant is in use if a bias block or a constant in use above it reads it.
  let used = new Set<number>();
  for (let index = ticket.layers.length - 1; index >= 0; index--) {
    const { biasElements = [], constantElements = [] } = ticket.layers[index] ?? {};
    const taps = context.views[index]?.taps ?? 1;
    const firstConstant = (ticket.source.layers[index + 1]?.rows ?? 0) - constantElements.length;
    const edges = Array.from(used, (row) => constantElements[row - firstConstant] ?? -1).filter(
      (edge) => edge >= 0,
    );
    kept += hasBias ? used.size : edges.length;
    used = new Set([...biasElements, ...edges].map((element) => Math.floor(element / taps)));
  }
  return kept + (hasBias || extendedInput ? used.size : 0);
}

function refusal(fault: string): TicketVerdict {
  return {
    fault,
    layers: [],
    keptEdges: 0,
    blocks: 0,
    certifiedBound: Number.POSITIVE_INFINITY,
    linearisationBound: 0,
  };
}
