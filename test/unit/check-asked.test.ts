/** A coordinator's ticket that would verify, but is not what was asked for. */
import { describe, expect, it } from 'vitest';
import { checkAsked } from '../../src/cli/remote/check-asked.ts';
import type { PlanOptions } from '../../src/core/plan/make-plan.ts';
import type { Ticket } from '../../src/core/ticket/ticket.ts';
import { defaultOptions } from '../support/in-process-search.ts';
import { denseTarget, smallTicket } from '../support/small-tickets.ts';

const options: PlanOptions = { ...defaultOptions, mode: 'exact', epsilon: 0, gridBits: 8, seed: 5n };
const { ticket } = await smallTicket(denseTarget, options);

describe("a coordinator's ticket", () => {
  it('is taken when it is what was asked for', () => {
    expect(() => checkAsked(ticket, options)).not.toThrow();
  });

  it.each<[string, Partial<Ticket>]>([
    ['mode is tolerance, expected exact', { mode: 'tolerance' }],
    ['epsilon is 0.5, expected 0', { epsilon: 0.5 }],
    ['rule is closest, expected fewest', { rule: 'closest' }],
    ['construction is 2L, expected L+1', { deeperUnivariates: [ticket.univariate, ticket.univariate] }],
    ['seed is 6, expected 5', { source: { ...ticket.source, seed: 6n } }],
    ['number of grid bits is 2, expected 8', { source: { ...ticket.source, gridBits: 2 } }],
    ['kind of source biases is zero, expected uniform', { source: { ...ticket.source, biasInit: 'zero' } }],
    ['input range is 0,0, expected 0,1', { inputRange: [0, 0] }],
  ])('is refused when its %s', (what, change) => {
    expect(() => checkAsked({ ...ticket, ...change }, options)).toThrow(
      `Cannot use the coordinator's ticket: its ${what}, as asked for`,
    );
  });
});
