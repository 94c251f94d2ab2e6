/** The ticket of a construction from what its stages found. */
import type { Plan } from '../src/core/plan/plan.ts';
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
