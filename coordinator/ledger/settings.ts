/** The ledger's numbers. Production uses the defaults; tests shrink them. */
import {
  badOutcomesMax,
  canonicalCheckOneIn,
  durationsRemembered,
  heartbeatMsDefault,
  heldResultsMax,
  leasedWorkMs,
  leaseMsMax,
  leaseMsTrusted,
  leaseMsVolunteer,
  leasesPerSessionMax,
  localSolvesMax,
  outcomesRemembered,
  quarantineMsFirst,
  quarantineMsMax,
  resultsPerTileMax,
  resultsPerWorkerMin,
  runningJobsMax,
  sessionsMax,
  tileAttemptMax,
  tileLeaseCountMax,
  tilesPerJobMax,
  volunteerTileBlocksMax,
  workersRememberedMax,
} from '../../src/core/limits.ts';

/** See limits.ts for what each bounds and why. */
export interface LedgerSettings {
  /** Seeds the secret choice of what is checked elsewhere: 32 random bits, other ones in every process. */
  readonly seed: number;
  readonly leaseMsTrusted: number;
  readonly leaseMsVolunteer: number;
  readonly leaseMsMax: number;
  readonly heartbeatMs: number;
  /** A gap between two events longer than this is the shell's own stall: ticks come more often. */
  readonly stallMs: number;
  readonly leasedWorkMs: number;
  readonly leasesPerSessionMax: number;
  readonly tileAttemptMax: number;
  readonly tileLeaseCountMax: number;
  readonly volunteerTileBlocksMax: number;
  readonly resultsPerTileMax: number;
  readonly resultsPerWorkerMin: number;
  readonly heldResultsMax: number;
  readonly localSolvesMax: number;
  readonly sessionsMax: number;
  readonly workersRememberedMax: number;
  readonly runningJobsMax: number;
  readonly tilesPerJobMax: number;
  readonly outcomesRemembered: number;
  readonly badOutcomesMax: number;
  readonly quarantineMsFirst: number;
  readonly quarantineMsMax: number;
  readonly canonicalCheckOneIn: number;
  readonly durationsRemembered: number;
}

/** What the ledger runs with unless told otherwise. */
export const defaultLedgerSettings: LedgerSettings = {
  seed: 1,
  leaseMsTrusted,
  leaseMsVolunteer,
  leaseMsMax,
  heartbeatMs: heartbeatMsDefault,
  stallMs: 2_000,
  leasedWorkMs,
  leasesPerSessionMax,
  tileAttemptMax,
  tileLeaseCountMax,
  volunteerTileBlocksMax,
  resultsPerTileMax,
  resultsPerWorkerMin,
  heldResultsMax,
  localSolvesMax,
  sessionsMax,
  workersRememberedMax,
  runningJobsMax,
  tilesPerJobMax,
  outcomesRemembered,
  badOutcomesMax,
  quarantineMsFirst,
  quarantineMsMax,
  canonicalCheckOneIn,
  durationsRemembered,
};
