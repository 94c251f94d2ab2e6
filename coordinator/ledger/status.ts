/** What people and metrics see of the ledger. */
import type { WorkerKind } from '../ledger.ts';
import { clockOf, type Ledger, type TileRecord, type TileState } from './state.ts';
import { isQuarantined } from './trust.ts';

/** A job's progress. */
export interface JobStatus {
  readonly job: string;
  readonly priority: number;
  readonly tiles: number;
  /** Tiles in each state. */
  readonly counts: Readonly<Record<TileState, number>>;
  readonly blocksDone: number;
}

/** How a tile stands. */
export interface TileStatus {
  readonly tile: string;
  readonly state: TileState;
  /** Somebody has worked on it in vain: a lease that came to nothing, a bad result, or a result that is doubted. */
  readonly isRetried: boolean;
}

/** A session and its worker's standing. */
export interface SessionStatus {
  readonly session: string;
  readonly worker: string;
  readonly workerKind: WorkerKind;
  readonly threads: number;
  readonly leases: number;
  readonly tilesDone: number;
  /** Observed; 0: nothing yet. */
  readonly blocksPerSecond: number;
  readonly quota: number;
  /** Good results since the last bad one. */
  readonly good: number;
  readonly isQuarantined: boolean;
  /** Milliseconds since its last sign of life. */
  readonly silentMs: number;
}

/** The ledger at a glance. */
export interface LedgerStatus {
  readonly jobs: readonly JobStatus[];
  readonly sessions: readonly SessionStatus[];
  readonly openTiles: number;
  /** Results on their way, of which `heldResults` wait for a second opinion. */
  readonly pendingResults: number;
  readonly heldResults: number;
  readonly localSolves: number;
  /** The store is failing; nothing is granted. */
  readonly isPaused: boolean;
  /** Time the coordinator did not get to run, in all. */
  readonly stalledMs: number;
}

/** Returns the ledger's state for display. O(jobs + sessions). */
export function ledgerStatus(ledger: Ledger, now: number): LedgerStatus {
  const clock = now - ledger.stalledMs;
  return {
    jobs: [...ledger.jobs.values()].map(({ job, priority, tiles, counts, blocksDone }) => ({
      job,
      priority,
      tiles: tiles.size,
      counts: { ...counts },
      blocksDone,
    })),
    sessions: [...ledger.sessions.values()].map(
      ({ session, worker, threads, leases, tilesDone, speed, seenAt }) => ({
        session,
        worker: worker.worker,
        workerKind: worker.kind,
        threads,
        leases: leases.size,
        tilesDone,
        blocksPerSecond: speed * 1000,
        quota: worker.quota,
        good: worker.good,
        isQuarantined: isQuarantined(ledger, worker),
        silentMs: Math.max(0, clock - seenAt),
      }),
    ),
    openTiles: ledger.openCount,
    pendingResults: ledger.results.size,
    heldResults: ledger.heldCount,
    localSolves: ledger.localRunning,
    isPaused: clockOf(ledger) < ledger.pausedUntil,
    stalledMs: ledger.stalledMs,
  };
}

/** Returns a job's tiles that are neither done nor given up. O(their number). */
export function tilesInHand(ledger: Ledger, job: string): readonly TileStatus[] {
  return Array.from(ledger.jobs.get(job)?.inHand ?? [], tileStatus);
}

/** Returns how a tile stands; undefined where the ledger was never asked for it. */
export function statusOfTile(ledger: Ledger, job: string, tile: string): TileStatus | undefined {
  const record = ledger.jobs.get(job)?.tiles.get(tile);
  return record && tileStatus(record);
}

function tileStatus({ tile, state, failures, isDisputed }: TileRecord): TileStatus {
  return { tile, state, isRetried: failures > 0 || isDisputed };
}
