/** The ticket of a construction from what its stages found. */
import { biasRounding } from '../src/core/plan/bias-plan.ts';
import { type LayerPlace, layerPlan } from '../src/core/plan/layer-problem.ts';
import type { Plan } from '../src/core/plan/plan.ts';
import type { LayerProblem } from '../src/core/plan/tile.ts';
import type { SealedLayer } from '../src/core/ticket/merge.ts';
import type { TicketLayer, UnivariateTicket } from '../src/core/ticket/ticket.ts';
import type { Construction } from './construct.ts';

/** What came out of one stage (plan/stage.ts). */
export interface StageConstruction extends Omit<Construction, 'ticket'> {
  readonly univariate: UnivariateTicket;
  readonly layers: readonly TicketLayer[];
}

/** Returns the construction of a plan from those of its stages, of which there is at least one. */
export function joinStages(
  plan: Plan,
  parts: readonly StageConstruction[],
  targetSha256: string,
): Construction {
  const { mode, epsilon, rule, inputRange, source } = plan;
  const [univariate, ...deeperUnivariates] = parts.map((part) => part.univariate);
  if (univariate === undefined) throw new Error('a construction has at least one stage');
  const layers = parts.flatMap((part) => part.layers);
  const total = (pick: (part: StageConstruction) => number): number =>
    parts.reduce((sum, part) => sum + pick(part), 0);
  return {
    ticket: {
      mode,
      epsilon,
      rule,
      inputRange,
      targetSha256,
      source,
      univariate,
      deeperUnivariates,
      layers,
    },
    missedRows: total((part) => part.missedRows),
    blocks: total((part) => part.blocks),
    missingCopies: total((part) => part.missingCopies),
  };
}

/** Returns what is kept of the source layer that stands for a target layer. */
export function ticketLayer(
  place: LayerPlace,
  {
    problem,
    sealed,
    constantElements,
  }: { problem: LayerProblem; sealed: SealedLayer; constantElements: readonly number[] },
): TicketLayer {
  const { biasTolerance, biasUnit, biasQuantum, biasBlockSize, weightUnit } = layerPlan(place);
  const exact = place.plan.mode === 'exact';
  // A layer of zeros alone has nothing that a residual could be relative to, and needs no edge.
  const isExactBias = biasQuantum > 0 || place.view.scale === 0;
  const { copyCounts, copyRows, masks } = sealed;
  return {
    copyCounts,
    copyRows,
    masks,
    biasElements: problem.bias.elements,
    ownBias: problem.bias.ownScale !== 0,
    constantElements: Int32Array.from(constantElements),
    weightQuantum: exact ? weightUnit : 0,
    biasQuantum,
    biasTolerance: isExactBias ? 0 : (biasTolerance + biasRounding(biasBlockSize)) * biasUnit,
  };
}
