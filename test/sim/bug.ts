/** Where a planted bug may reach into a simulated world. Production code knows nothing of it. */

import type { LedgerSettings } from '../../coordinator/ledger/settings.ts';
import type { Ledger, LedgerEffect, LedgerEvent } from '../../coordinator/ledger.ts';
import type { Session, SessionEffect, SessionEvent } from '../../worker/session.ts';
import type { StoreBugs } from './sim-store.ts';

/** A planted bug. */
export interface Bug {
  readonly name: string;
  readonly settings?: Partial<LedgerSettings>;
  readonly store?: StoreBugs;
  /** What the ledger is told instead. */
  readonly event?: (event: LedgerEvent, ledger: Ledger) => LedgerEvent | null;
  /** What is done instead, and to the ledger. */
  readonly effects?: (effects: LedgerEffect[], event: LedgerEvent, ledger: Ledger) => LedgerEffect[];
  readonly session?: (
    effects: SessionEffect[],
    event: SessionEvent,
    session: Session,
    nowMs: number,
  ) => SessionEffect[];
  /** Mistakes of the shell around the ledger. */
  readonly shell?: {
    readonly skipsVerify?: boolean;
    readonly skipsProof?: boolean;
    readonly believesOtherTiles?: boolean;
    readonly failureIsSuccess?: boolean;
    readonly duplicateIsFailure?: boolean;
    readonly sealsUnread?: boolean;
    readonly startsEarly?: boolean;
    readonly trustsLeasesOnRestart?: boolean;
    readonly sameDigest?: boolean;
    readonly randomDigest?: boolean;
    readonly reusesResultNames?: boolean;
    readonly forgetsJobs?: boolean;
  };
}
