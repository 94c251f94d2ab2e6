/**
 * Checks a ticket against its target: seal, structure and every residual; then, where there are data, the function.
 */
import { evaluateTicket } from '../../coordinator/evaluate/evaluate-ticket.ts';
import type { Evaluation } from '../../coordinator/evaluate/evaluation.ts';
import { openVerifyPool } from '../../coordinator/verify-pool.ts';
import type { DecodedTicket } from '../core/format/ticket-file.ts';
import { type RowsCheck, type TicketVerdict, verifyTicket } from '../core/verify/verify-ticket.ts';
import type { LoadedData } from './load-data.ts';
import type { LoadedTarget } from './load-target.ts';
import type { Progress } from './progress.ts';
import { unlessAborted } from './unless-aborted.ts';

/** What a check needs. */
export interface CheckSubject {
  readonly decoded: DecodedTicket;
  readonly target: LoadedTarget;
  readonly threads: number;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  /** Check residuals with the readable verifier alone. */
  readonly isReadable?: boolean;
}

/** What the residual check found. */
export interface ResidualCheck {
  readonly verdict: TicketVerdict;
  /** What is wrong, the seal included; null when nothing is. */
  readonly fault: string | null;
  readonly seconds: number;
}

/** What the comparison over data found. */
export interface FunctionCheck {
  readonly evaluation: Evaluation;
  readonly seconds: number;
}

/** Returns the verdict on structure, residuals and certificate. */
export async function checkResiduals(subject: CheckSubject): Promise<ResidualCheck> {
  const { decoded, target, threads, progress, signal, isReadable } = subject;
  const { ticket, changedTensors } = decoded;
  const start = performance.now();
  const rows = ticket.layers.reduce((sum, layer) => sum + layer.copyRows.length, 0);
  const pool = openVerifyPool({ ticket, network: target.network, threads, isReadable });
  let checked = 0;
  const check: RowsCheck = async (index, range, errors) => {
    const report = await pool.check(index, range, errors);
    checked += range.to - range.from;
    progress.show(checked / rows, `rows checked: ${checked} of ${rows}`);
    return report;
  };
  try {
    const verdict = await unlessAborted(signal, verifyTicket(ticket, target, check));
    return { verdict, fault: faultOf(verdict, changedTensors), seconds: secondsSince(start) };
  } finally {
    progress.clear();
    await pool.close();
  }
}

/** Returns the comparison of target and ticket over data. */
export async function checkFunction(subject: CheckSubject, data: LoadedData): Promise<FunctionCheck> {
  const { ticket } = subject.decoded;
  const start = performance.now();
  const evaluation = await evaluateTicket({
    ticket,
    network: subject.target.network,
    ...data,
    threads: subject.threads,
    signal: subject.signal,
  });
  return { evaluation, seconds: secondsSince(start) };
}

/** Returns the seconds since a reading of performance.now(). */
export function secondsSince(start: number): number {
  return (performance.now() - start) / 1000;
}

/** A changed tensor is named even where the residuals find nothing, and they say where where they do. */
function faultOf(verdict: TicketVerdict, changedTensors: readonly string[]): string | null {
  if (changedTensors.length === 0) return verdict.fault;
  const seal = `not what was sealed: ${changedTensors.join(', ')}`;
  return verdict.fault === null ? `${seal} (every residual still holds)` : `${seal}; ${verdict.fault}`;
}
