/**
 * One stage of a ticket of the 2L construction, as a ticket of its own.
 */
import { inputElements, type Stage, stageSource } from '../plan/stage.ts';
import type { Ticket, UnivariateTicket } from './ticket.ts';

/** Input of a univariate row that keeps a weight which no input of its stage lies at. */
const strayInput = 2 ** 31 - 1;

/**
 * Returns a stage as a ticket for the stage's network: its inputs are numbered as the stage's are, and its source is a part of the
 * whole one. A ticket of one stage is returned as it is. The stages before must have been found sound.
 */
export function ticketStage(ticket: Ticket, stage: Stage): Ticket {
  if (ticket.deeperUnivariates.length === 0) return ticket;
  const { firstLayer, network, positions, possible } = stage;
  const before = ticket.layers[firstLayer - 1];
  const own = {
    deeperUnivariates: [],
    layers: ticket.layers.slice(firstLayer, firstLayer + network.layers.length),
  };
  const source = stageSource(ticket.source, stage, before?.copyRows ?? null);
  const univariate = ticket.deeperUnivariates[firstLayer - 1];
  if (before === undefined || univariate === undefined) return { ...ticket, ...own, source };
  const inputs = numberedInputs(univariate, inputElements(before.copyRows, positions));
  return {
    ...ticket,
    ...own,
    source,
    univariate: { ...univariate, inputs },
    inputRange: possible ?? ticket.inputRange,
  };
}

/** From places in the source, col·taps + tap, to numbers of inputs. */
function numberedInputs({ inputs }: UnivariateTicket, elements: Int32Array): Int32Array {
  const numbers = new Map(Array.from(elements, (element, input) => [element, input]));
  return inputs.map((element) => (element === -1 ? -1 : (numbers.get(element) ?? strayInput)));
}
