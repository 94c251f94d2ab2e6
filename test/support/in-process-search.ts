/** The whole construction in one thread, for tests: plan, construct, encode, decode, verify. */
import { type Construction, construct } from '../../coordinator/construct.ts';
import { networkDigest } from '../../src/core/format/network-file.ts';
import { decodeTicket, encodeTicket } from '../../src/core/format/ticket-file.ts';
import type { Network } from '../../src/core/network/network.ts';
import { makePlan, type PlanOptions } from '../../src/core/plan/make-plan.ts';
import type { Plan } from '../../src/core/plan/plan.ts';
import type { Solver } from '../../src/core/plan/tile.ts';
import type { Ticket } from '../../src/core/ticket/ticket.ts';
import { type TicketVerdict, verifyTicket } from '../../src/core/verify/verify-ticket.ts';
import { loadKernel } from '../../worker/kernel/kernel.ts';

/** Options that a test changes one or two of. */
export const defaultOptions: PlanOptions = {
  mode: 'tolerance',
  epsilon: 0.01,
  rule: 'fewest',
  seed: 1n,
  gridBits: 24,
  copies: 'auto',
  biasInit: 'uniform',
  failureProbability: 1e-3,
  inputRange: [0, 1],
};

/** A solver that runs the kernel on the caller's thread. */
export async function kernelSolver(): Promise<Solver> {
  const kernel = await loadKernel();
  return { concurrency: 1, solve: (problem, tile) => Promise.resolve(kernel.solveTile(problem, tile)) };
}

export interface Searched {
  readonly plan: Plan;
  readonly construction: Construction;
  /** As decoded from the encoded file. */
  readonly ticket: Ticket;
  readonly bytes: Uint8Array;
  readonly sha256: string;
  readonly verdict: TicketVerdict;
}

/** Returns everything a search makes; throws what the search throws. */
export async function searchInProcess(
  network: Network,
  options: Partial<PlanOptions>,
  solver: Solver,
): Promise<Searched> {
  const plan = await makePlan(network, { ...defaultOptions, ...options }, solver);
  const sha256 = networkDigest(network);
  const construction = await construct(plan, network, {
    solver,
    store: { read: () => Promise.resolve(undefined), write: () => Promise.resolve() },
    targetSha256: sha256,
    checkOneIn: 1,
    onEvent: () => undefined,
    signal: new AbortController().signal,
  });
  const bytes = encodeTicket(construction.ticket);
  const { ticket } = decodeTicket(bytes);
  return {
    plan,
    construction,
    ticket,
    bytes,
    sha256,
    verdict: await verifyTicket(ticket, { network, sha256 }),
  };
}
