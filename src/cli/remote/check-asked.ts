/** Is a coordinator's ticket the one that was asked for? Verification takes mode, tolerance, bits and range from the ticket itself. */
import { failure } from '../../core/errors.ts';
import type { PlanOptions } from '../../core/plan/make-plan.ts';
import { constructionOf } from '../../core/plan/stage.ts';
import type { Ticket } from '../../core/ticket/ticket.ts';

/**
 * Accepts a ticket of the options asked for: one of a wider tolerance, of fewer bits or for a smaller range would verify too.
 * @throws TombolaError (failure) when the ticket differs in any of them, with the first one.
 */
export function checkAsked(ticket: Ticket, options: PlanOptions): void {
  const { mode, epsilon, rule, inputRange, source } = ticket;
  const construction = ticket.layers.length === 1 ? (options.construction ?? 'L+1') : constructionOf(ticket);
  const pairs: readonly [string, unknown, unknown][] = [
    ['mode', mode, options.mode],
    ['epsilon', epsilon, options.mode === 'exact' ? 0 : options.epsilon],
    ['rule', rule, options.rule],
    ['construction', construction, options.construction ?? 'L+1'],
    ['seed', source.seed, options.seed],
    ['number of grid bits', source.gridBits, options.gridBits],
    ['kind of source biases', source.biasInit, options.biasInit],
    ['input range', inputRange.join(), options.inputRange.join()],
  ];
  for (const [what, found, asked] of pairs)
    if (found !== asked)
      throw failure(
        `Cannot use the coordinator's ticket: its ${what} is ${found}, expected ${asked}, as asked for`,
      );
}
