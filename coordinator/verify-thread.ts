/** What one verifying thread runs. It keeps the context of the layer in hand. */
import { workerData } from 'piscina';
import { openFastVerifier } from '../src/core/verify/fast/fast-verifier.ts';
import { ticketContext } from '../src/core/verify/layer-context.ts';
import type { RowsReport } from '../src/core/verify/verify-rows.ts';
import { localCheck, type RowsCheck } from '../src/core/verify/verify-ticket.ts';
import type { VerifySubject, VerifyTask } from './verify-task.ts';

/** Made with the first task: by then the ticket's structure has been found sound. */
let check: RowsCheck | undefined;

/** Returns the report on a range of copies. Called by piscina. */
export function checkRows({ index, range, errors }: VerifyTask): Promise<RowsReport> {
  check ??= subjectCheck(workerData as VerifySubject);
  return check(index, range, errors);
}

function subjectCheck({ ticket, network, isReadable }: VerifySubject): RowsCheck {
  return localCheck(ticketContext(ticket, network), isReadable ? undefined : openFastVerifier());
}
