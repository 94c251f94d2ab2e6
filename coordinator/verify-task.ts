/** What the pool of verifying threads and its threads say to each other. */
import type { Network } from '../src/core/network/network.ts';
import type { Ticket } from '../src/core/ticket/ticket.ts';
import type { ColumnErrors } from '../src/core/verify/row-sums.ts';
import type { RowRange } from '../src/core/verify/verify-rows.ts';

/** What every thread gets once; the arrays lie in shared memory. */
export interface VerifySubject {
  readonly ticket: Ticket;
  readonly network: Network;
  /** Without the fast verifier. */
  readonly isReadable: boolean;
}

/** A range of copies of one layer; the arrays lie in shared memory. */
export interface VerifyTask {
  /** 0-based target layer. */
  readonly index: number;
  readonly range: RowRange;
  readonly errors: ColumnErrors;
}
