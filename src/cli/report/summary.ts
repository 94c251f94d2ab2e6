/**
 * The figures of a run or a verification: summary.json and what `--json` prints. What was not measured is null.
 */
import type { Evaluation } from '../../../coordinator/evaluate/evaluation.ts';
import { elementCount, networkShapes } from '../../core/network/shapes.ts';
import { layerScale } from '../../core/plan/layer-view.ts';
import type { Mode } from '../../core/plan/plan.ts';
import { type ConstructionKind, constructionOf, sourceLayerOf } from '../../core/plan/stage.ts';
import { sourceWeightCount } from '../../core/source/source-network.ts';
import type { Ticket } from '../../core/ticket/ticket.ts';
import type { TicketVerdict } from '../../core/verify/verify-ticket.ts';
import { type LoadedTarget, nonzeroParameterCount } from '../load-target.ts';

/** Figures of a ticket. */
export interface Summary {
  readonly verified: boolean;
  /** What is wrong, or null. */
  readonly fault: string | null;
  readonly name: string;
  readonly construction: ConstructionKind;
  readonly mode: Mode;
  readonly epsilon: number;
  readonly rule: string;
  /** Bits of the source's numbers; in exact mode also those that the target is quantised to. */
  readonly gridBits: number;
  /** Decimal text: it may exceed what JSON numbers hold. */
  readonly seed: string;
  readonly inputRange: readonly [number, number];
  readonly targetDepth: number;
  readonly sourceDepth: number;
  /** Inputs, then neurons per layer. */
  readonly targetWidths: readonly number[];
  readonly sourceWidths: readonly number[];
  /** Parameters that are not 0. */
  readonly targetWeights: number;
  readonly sourceWeights: number;
  /** Blocks in copies: one per nonzero weight, and one bias block per copy. */
  readonly blocks: number | null;
  /** Rows tried that became no copy. */
  readonly misses: number | null;
  /** Of the misses, how many the plan expected; null where nobody here has made the plan. */
  readonly predictedMisses: number | null;
  readonly missingCopies: number | null;
  readonly keptEdges: number | null;
  readonly layers: readonly LayerSummary[];
  /** Largest |residual| of a weight per target layer. */
  readonly residualMax: readonly number[] | null;
  readonly certifiedBound: number | null;
  readonly linearisationBound: number | null;
  readonly images: number | null;
  readonly maxAbsError: number | null;
  readonly meanAbsError: number | null;
  readonly outputScale: number | null;
  readonly quantisedMaxAbsError: number | null;
  /** Null also where there is one output: it has no classes. */
  readonly agreement: number | null;
  readonly accuracy: { readonly target: number | null; readonly ticket: number | null };
  readonly backend: string | null;
  readonly seconds: Seconds;
  /** Blocks solved now, misses included, per second of solving. */
  readonly blocksPerSecond: number | null;
  readonly ticketBytes: number;
  readonly ticketSha256: string;
  readonly targetSha256: string;
}

/** One target layer and the source layer that stands for it. */
export interface LayerSummary {
  readonly name: string;
  readonly neurons: number;
  readonly sourceRows: number;
  readonly copies: number | null;
  readonly keptEdges: number | null;
  readonly residualMax: number | null;
  /** Largest |residual| that the tolerance allows a weight; 0 in exact mode. */
  readonly residualAllowed: number;
}

/** Seconds of each part. */
export interface Seconds {
  readonly plan: number | null;
  readonly solve: number | null;
  readonly verify: number | null;
  readonly evaluate: number | null;
}

/** What a summary is made of. */
export interface SummarySources {
  readonly name: string;
  readonly ticket: Ticket;
  readonly target: LoadedTarget;
  readonly verdict: TicketVerdict;
  /** From the residuals and the seal. */
  readonly fault: string | null;
  readonly evaluation: Evaluation | null;
  readonly search: {
    readonly misses: number;
    readonly predictedMisses: number | null;
    readonly missingCopies: number;
    readonly blocksPerSecond: number | null;
  } | null;
  readonly seconds: Seconds;
  readonly ticketBytes: number;
  readonly ticketSha256: string;
}

/** Returns the summary. */
export function summarise(sources: SummarySources): Summary {
  const { name, ticket, target, verdict, evaluation, search, seconds } = sources;
  const fault = sources.fault ?? evaluation?.fault ?? null;
  const isChecked = verdict.fault === null;
  const [low, high] = ticket.inputRange;
  return {
    verified: fault === null,
    fault,
    name,
    construction: constructionOf(ticket),
    mode: ticket.mode,
    epsilon: ticket.epsilon,
    rule: ticket.rule,
    gridBits: ticket.source.gridBits,
    seed: ticket.source.seed.toString(),
    inputRange: [low, high],
    targetDepth: target.network.layers.length,
    sourceDepth: ticket.source.layers.length,
    targetWidths: targetWidths(target),
    sourceWidths: [ticket.source.layers[0]?.cols ?? 0, ...ticket.source.layers.map(({ rows }) => rows)],
    targetWeights: nonzeroParameterCount(target.network),
    sourceWeights: sourceWeightCount(ticket.source),
    blocks: isChecked ? verdict.blocks : null,
    misses: search?.misses ?? null,
    predictedMisses: search?.predictedMisses ?? null,
    missingCopies: search?.missingCopies ?? null,
    keptEdges: isChecked ? verdict.keptEdges : null,
    layers: layerSummaries(sources),
    residualMax: isChecked ? verdict.layers.map(({ residualMax }) => residualMax) : null,
    certifiedBound: isChecked ? verdict.certifiedBound : null,
    linearisationBound: isChecked ? verdict.linearisationBound : null,
    ...functionFigures(evaluation, elementCount(networkShapes(target.network).output)),
    seconds,
    blocksPerSecond: search?.blocksPerSecond ?? null,
    ticketBytes: sources.ticketBytes,
    ticketSha256: sources.ticketSha256,
    targetSha256: target.sha256,
  };
}

/** Returns the widths of a target: inputs (channels) of the first layer, then neurons per layer. */
export function targetWidths({ network }: LoadedTarget): number[] {
  return [network.layers[0]?.linear.inputs ?? 0, ...network.layers.map(({ linear }) => linear.outputs)];
}

/** Of a single output the largest is no class: there is nothing to agree on. */
function functionFigures(evaluation: Evaluation | null, outputs: number) {
  const hasClasses = outputs > 1;
  return {
    images: evaluation?.images ?? null,
    maxAbsError: measured(evaluation?.maxAbsError),
    meanAbsError: measured(evaluation?.meanAbsError),
    outputScale: measured(evaluation?.outputScale),
    quantisedMaxAbsError: measured(evaluation?.quantised?.maxAbsError),
    agreement: hasClasses ? measured(evaluation?.agreement) : null,
    accuracy: {
      target: hasClasses ? measured(evaluation?.accuracy?.target) : null,
      ticket: hasClasses ? measured(evaluation?.accuracy?.ticket) : null,
    },
    backend: evaluation?.backend ?? null,
  };
}

/** NaN stands for a figure that a fault kept from being reached. */
function measured(value: number | undefined): number | null {
  return value === undefined || Number.isNaN(value) ? null : value;
}

function layerSummaries({ ticket, target, verdict }: SummarySources): LayerSummary[] {
  return target.network.layers.map(({ name, linear }, index) => ({
    name,
    neurons: linear.outputs,
    sourceRows: ticket.source.layers[sourceLayerOf(constructionOf(ticket), index)]?.rows ?? 0,
    copies: verdict.layers[index]?.copies ?? null,
    keptEdges: verdict.layers[index]?.keptEdges ?? null,
    residualMax: verdict.layers[index]?.residualMax ?? null,
    residualAllowed: ticket.epsilon * layerScale(linear),
  }));
}
