/** The fast sums of a ticket layer's rows: the numbers of row-sums.ts, bit for bit, of rows that nothing is wrong with. */
import { ownBiasElement } from '../../ticket/layout.ts';
import type { TicketLayer } from '../../ticket/ticket.ts';
import { Bounds } from '../bounds.ts';
import {
  type ColumnErrors,
  type RowPlace,
  type RowSums,
  type RowsSubject,
  residualTolerance,
} from '../row-sums.ts';
import { type RowModule, type RowShape, reportFields } from './row-module.ts';

/** Rows of one ticket layer. Lost when the module is set up for something else. */
export class FastTicketRows implements RowSums {
  readonly fault = null;
  blocks = 0;
  keptCount = 0;
  keptSum = 0;
  residualMax = 0;
  biasFrom = 0;
  readonly edges = new Bounds();
  readonly inputErrors = new Bounds();
  readonly residuals = new Bounds();
  private readonly subject: Omit<RowsSubject, 'errors'>;
  private errors: ColumnErrors;
  private readonly module: RowModule;
  private readonly layer: TicketLayer;
  private neuron = -1;

  private constructor(module: RowModule, subject: RowsSubject, layer: TicketLayer) {
    this.module = module;
    this.subject = subject;
    this.errors = subject.errors;
    this.layer = layer;
  }

  /** Sets the module up; undefined when the layer is too large for it. */
  static open(module: RowModule, subject: RowsSubject): FastTicketRows | undefined {
    const layer = subject.ticket.layers[subject.context.index];
    if (layer === undefined) return undefined;
    const rows = new FastTicketRows(module, subject, layer);
    if (!module.setUp(rows, shapeOf(subject))) return undefined;
    rows.setUpBlocks();
    rows.writeErrors();
    return rows;
  }

  /** Returns whether the module still has this layer, and the layer is the subject's. */
  isSetUpFor({ ticket, context, errors }: RowsSubject): boolean {
    const isSame = this.subject.ticket === ticket && this.subject.context === context;
    return isSame && this.errors.low.length === errors.low.length && this.module.isSetUpFor(this);
  }

  /** Takes other errors: every message to a thread brings new ones, mostly equal. */
  setErrors(errors: ColumnErrors): void {
    if (errors === this.errors) return;
    this.errors = errors;
    this.neuron = -1;
    this.writeErrors();
  }

  get kept(): Int32Array {
    return this.module.kept;
  }

  get weights(): Int32Array {
    return this.module.weights;
  }

  /** Returns a row's sums; undefined when a block is out of tolerance. */
  sum({ copy, neuron }: RowPlace): RowSums | undefined {
    const { module, layer } = this;
    const { rowBytes } = this.subject.context.layout;
    if (neuron !== this.neuron) this.aim(neuron);
    module.mask.set(layer.masks.subarray(copy * rowBytes, (copy + 1) * rowBytes));
    if (module.exports.measureRow(layer.copyRows[copy] ?? 0) === 0) return undefined;
    const { report } = module;
    this.keptCount = report[reportFields.keptCount] ?? 0;
    this.biasFrom = report[reportFields.edgeCount] ?? 0;
    this.keptSum = report[reportFields.keptSum] ?? 0;
    this.residualMax = report[reportFields.residualMax] ?? 0;
    readBounds(this.edges, report, reportFields.edges);
    readBounds(this.residuals, report, reportFields.residuals);
    return this;
  }

  /** Hands the neuron's targets over, in units of the blocks' sums in exact mode, and sums what depends on them alone. */
  private aim(neuron: number): void {
    const { errors } = this;
    const { ticket, context } = this.subject;
    const { targets } = this.module;
    const { view, layout, univariate } = context;
    const first = neuron * view.channels * view.taps;
    const unit = ticket.mode === 'exact' ? this.layer.weightQuantum : 0;
    const pair = (univariate?.signs ?? 1) * view.taps;
    this.blocks = 0;
    this.inputErrors.clear();
    for (let block = 0; block < targets.length; block++) {
      const position = layout.blockWeights[block] ?? 0;
      const target = view.weights[first + position] ?? 0;
      if (target !== 0) this.blocks++;
      targets[block] = unit === 0 ? target : Math.round(target / unit);
      if (univariate === null || block % pair >= view.taps) continue;
      const channel = Math.floor(position / view.taps);
      this.inputErrors.add(target, errors.low[channel] ?? 0, errors.high[channel] ?? 0);
    }
    this.neuron = neuron;
  }

  private setUpBlocks(): void {
    const { ticket, context } = this.subject;
    const { exports } = this.module;
    const { view, layout, univariate } = context;
    const exact = ticket.mode === 'exact';
    exports.setBlocks(univariate === null ? 0 : 1, 1, exact ? 0 : residualTolerance(ticket, context));
    const { signs = 1, slopePositive = 1, slopeNegative = 0 } = univariate ?? {};
    const sumScale = exact ? 1 : context.sampleScale;
    exports.setErrors(sumScale, context.weightScale, signs, view.taps, slopePositive, slopeNegative);
    const weightBits = layout.blockStarts[layout.blockWeights.length] ?? 0;
    const { taps } = view;
    this.module.write(
      exports.channelsOfBlocks,
      layout.blockWeights.map((weight) => Math.floor(weight / taps)),
    );
    this.writeSpreads(
      exports.inputSpreads,
      Float64Array.from(context.inputs, ([low]) => low),
      Float64Array.from(context.inputs, ([, high]) => high),
    );
    this.module.write(
      exports.spreadsOfBits,
      layout.elements
        .subarray(0, weightBits)
        .map((element, bit) => (univariate === null ? Math.floor(element / taps) : bit)),
    );
    if (univariate !== null)
      this.writeSpreads(exports.edgeSpreads, univariate.remainderLow, univariate.remainderHigh);
  }

  private writeErrors(): void {
    if (this.subject.context.univariate !== null) return;
    this.writeSpreads(this.module.exports.edgeSpreads, this.errors.low, this.errors.high);
  }

  private writeSpreads(area: { readonly value: number }, low: Float64Array, high: Float64Array): void {
    const spreads = new Float64Array(this.module.exports.memory.buffer, area.value, 4 * low.length);
    for (let index = 0; index < low.length; index++) {
      const [from = 0, to = 0] = [low[index], high[index]];
      spreads[4 * index] = from;
      spreads[4 * index + 1] = to;
      spreads[4 * index + 2] = Math.max(Math.abs(from), Math.abs(to));
    }
  }
}

function readBounds(bounds: Bounds, report: Float64Array, at: number): void {
  bounds.low = report[at] ?? 0;
  bounds.high = report[at + 1] ?? 0;
  bounds.size = report[at + 2] ?? 0;
}

function shapeOf({ ticket, context, errors }: RowsSubject): RowShape {
  const { layout, view, univariate, index } = context;
  const source = ticket.source.layers[index + 1];
  const weightBlocks = layout.blockWeights.length;
  return {
    seed: ticket.source.seed,
    gridBits: ticket.source.gridBits,
    sourceLayer: context.sourceLayer - 1,
    rows: source?.rows ?? 0,
    rowElements: (source?.cols ?? 0) * view.taps,
    elements: layout.elements.map((element) => (element === ownBiasElement ? 0 : element)),
    blockStarts: layout.blockStarts.subarray(0, weightBlocks + 1),
    multipliers:
      univariate === null ? null : layout.multipliers.subarray(0, layout.blockStarts[weightBlocks] ?? 0),
    spreads: {
      edges: univariate === null ? errors.low.length : univariate.remainderLow.length,
      channels: view.channels,
    },
  };
}
