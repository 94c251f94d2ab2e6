/**
 * The ledger: who works on which tile, and what has become of it. A pure state machine: {@link apply} takes the state, the time and
 * one event, changes the state it owns and returns effects for a shell to carry out. No clock, no chance, no I/O.
 *
 * States of a tile, and what moves it on:
 *
 *   open        nobody works on it                       → leased     a worker with credit is granted it
 *   leased      one worker, or two (a straggler copy)    → open       every lease on it has expired, been given back, or died
 *                                                        → checking   a result comes in (from anyone: results prove themselves)
 *   checking    a result is being verified               → storing    verified
 *                                                        → open       verified, but it needs a second opinion (unproven misses, or
 *                                                                     the sample): it is held, and the tile goes to a trusted worker
 *                                                        → leased/open  refused; the sender is held to account
 *   storing     the verified result is being committed   → done       the store says new or duplicate: compare-and-set is the commit
 *                                                        → waiting    the store failed; the sender is asked to send it again
 *   waiting     its result was verified, not stored      → checking   the sender comes with it again
 *                                                        → open       it does not
 *   local       tileAttemptMax leases came to nothing, two volunteers' results differ, a second opinion did not come in time or there
 *               is no trusted worker to give one, or none at work for a tile whose result is too long for a volunteer's frame
 *                                                        → storing    the gateway solved it itself
 *                                                        → dead       it could not: the job says "incomplete"
 *   done        durable. Late results are acknowledged as duplicates and dropped
 *
 * Leases are hints, the compare-and-set is the commit: no order of events merges an unverified result or acknowledges one that is not
 * durable. A worker's death (session end, missed heartbeats) releases its leases at once; slowness is never punished.
 * Trust: a worker's quota of leases doubles with each good result and falls to one with a bad one; badOutcomesMax bad ones in its
 * last hundred put it in quarantine, for twice as long each time. A volunteer's "no subset here" carries no proof; the shell has the
 * block solved again, and where it cannot, the whole tile is re-solved before it is believed, as is a sample of all that volunteers
 * send, since a valid answer need not be the unique one. Only a trusted worker or the coordinator gives such a second opinion: two
 * volunteers may be one. Answers are unique, so two honest results are equal byte by byte: the shell gives the digest of each
 * verified result. Where two differ, a trusted worker's counts, or the coordinator's own, and who said otherwise has sent a bad one.
 *
 * The shell sends `tick` every second or more often. A longer gap between events is a stall of its own and extends every deadline.
 * Times are monotonic milliseconds. The order of effects is the order in which they are to be carried out.
 */

import { addJob, addTiles, removeJob } from './ledger/jobs.ts';
import { adoptLease, giveBack } from './ledger/leases.ts';
import {
  acceptStored,
  acceptVerified,
  receiveResult,
  refuseInvalid,
  refuseUnstored,
  solvedHere,
  unsolvableHere,
} from './ledger/results.ts';
import { joinWorker, leaveSession, seeSession, wantWork } from './ledger/sessions.ts';
import { defaultLedgerSettings, type LedgerSettings } from './ledger/settings.ts';
import { emptyLedger, type Ledger } from './ledger/state.ts';
import { passTime } from './ledger/tick.ts';
import { serveIdle } from './scheduler.ts';

export type { Ledger } from './ledger/state.ts';

/** A tile as the ledger knows it. */
export interface LedgerTile {
  /** Content hash. */
  readonly tile: string;
  /** Blocks in it: what a lease of it is worth. */
  readonly blocks: number;
  /** Milliseconds that one thread should take, good to a factor of three; 0 where nothing is said. */
  readonly expectedMs?: number;
}

/** How far a worker is believed: `trusted` results are checked by sample, a `volunteer`'s in full, its misses included. */
export type WorkerKind = 'trusted' | 'volunteer';

/** What happens to the ledger. Sessions are connections; a worker may come back with another one. */
export type LedgerEvent =
  | { readonly kind: 'job-added'; readonly job: string; readonly priority: number }
  /** A tile that is done already is opened again: asking for it means that its result was lost or dropped. */
  | { readonly kind: 'tiles-added'; readonly job: string; readonly tiles: readonly LedgerTile[] }
  | { readonly kind: 'job-removed'; readonly job: string }
  | {
      readonly kind: 'worker-joined';
      readonly session: string;
      /**
       * Trust hangs on this name, so nobody else may be able to take it: a gateway puts the id of the access token before the id
       * that the worker chose.
       */
      readonly worker: string;
      readonly workerKind: WorkerKind;
      readonly threads: number;
      /** What is left of a quarantine that another gateway has put it into. */
      readonly quarantineMs?: number;
    }
  | { readonly kind: 'worker-left'; readonly session: string }
  /**
   * A worker that came back says what it still has in hand (`holding` of hello and beat): it is leased that again if it is open or
   * leased to another session of the same worker. Repeating it does no harm.
   */
  | { readonly kind: 'holds'; readonly session: string; readonly job: string; readonly tile: string }
  | { readonly kind: 'wanted'; readonly session: string; readonly slots: number }
  | { readonly kind: 'beat'; readonly session: string }
  | { readonly kind: 'given-back'; readonly session: string; readonly job: string; readonly tile: string }
  | {
      readonly kind: 'result';
      readonly session: string;
      readonly job: string;
      readonly tile: string;
      /** Names the result for the shell, which keeps its bytes. */
      readonly result: string;
      /** The result may claim rows without a subset; `verified` tells for sure, since only then it has been decoded. */
      readonly claimsMisses: boolean;
    }
  /** `claimsMisses`: it says "no subset here", and that is not proven. `digest`: SHA-256 of the result as it is kept (engine/stored-result.ts), of which there is one, so that equal results have equal digests. */
  | {
      readonly kind: 'verified';
      readonly result: string;
      readonly digest: string;
      readonly claimsMisses?: boolean;
    }
  | { readonly kind: 'invalid'; readonly result: string; readonly reason: string }
  | { readonly kind: 'stored'; readonly result: string; readonly outcome: 'new' | 'duplicate' }
  | {
      readonly kind: 'store-failed';
      readonly result: string;
      readonly reason: string;
      readonly retryMs: number;
    }
  | {
      readonly kind: 'solved-here';
      readonly job: string;
      readonly tile: string;
      readonly result: string;
      readonly digest: string;
    }
  | { readonly kind: 'unsolvable-here'; readonly job: string; readonly tile: string; readonly reason: string }
  | { readonly kind: 'tick' };

/** What the shell has to do. */
export type LedgerEffect =
  | {
      readonly kind: 'grant';
      readonly session: string;
      readonly leases: readonly {
        readonly job: string;
        readonly tile: string;
        readonly attempt: number;
        readonly leaseMs: number;
      }[];
    }
  | {
      readonly kind: 'verify';
      readonly result: string;
      readonly job: string;
      readonly tile: string;
      readonly workerKind: WorkerKind;
    }
  | { readonly kind: 'store'; readonly result: string; readonly job: string; readonly tile: string }
  | {
      readonly kind: 'acknowledge';
      readonly session: string;
      readonly job: string;
      readonly tile: string;
      readonly outcome: 'new' | 'duplicate';
    }
  | {
      readonly kind: 'refuse';
      readonly session: string;
      readonly job: string;
      readonly tile: string;
      readonly code: 'residual' | 'unknown-tile' | 'quarantine' | 'storage' | 'quota';
      readonly reason: string;
      readonly retryMs: number;
    }
  | { readonly kind: 'cancel'; readonly session: string; readonly job: string; readonly tile: string }
  | { readonly kind: 'slow'; readonly session: string; readonly retryMs: number }
  | { readonly kind: 'disconnect'; readonly session: string; readonly reason: string }
  /** To be answered by exactly one `solved-here` or `unsolvable-here`, also if the job is removed meanwhile. */
  | { readonly kind: 'solve-here'; readonly job: string; readonly tile: string }
  /** The result is durable; whoever waits for the tile (the job's construction) may read it from the store. */
  | { readonly kind: 'tile-done'; readonly job: string; readonly tile: string }
  | { readonly kind: 'tile-dead'; readonly job: string; readonly tile: string; readonly reason: string }
  /** The result's bytes are no longer needed. */
  | { readonly kind: 'forget'; readonly result: string };

/** Returns an empty ledger. Give every process its own random `seed`: workers must not guess which of their misses are checked. */
export function createLedger(settings: Partial<LedgerSettings> = {}): Ledger {
  return emptyLedger({ ...defaultLedgerSettings, ...settings });
}

/**
 * Applies one event: changes `ledger` and returns what is to be done, in order. O(log n) in leases and O(1) in tiles, except for
 * jobs coming and going and for ticks, which take time in proportion to what is due.
 * @param now monotonic milliseconds; never smaller than before.
 */
export function apply(ledger: Ledger, now: number, event: LedgerEvent): LedgerEffect[] {
  const effects: LedgerEffect[] = [];
  ledger.effects = effects;
  advance(ledger, now);
  change(ledger, event);
  serveIdle(ledger);
  return effects;
}

/** Moves the clock on, by no more than the shell can have lived through. */
function advance(ledger: Ledger, now: number): void {
  if (Number.isNaN(ledger.lastNow)) {
    ledger.lastNow = now;
    ledger.startedAt = now;
  }
  const gap = now - ledger.lastNow;
  if (gap > ledger.settings.stallMs) ledger.stalledMs += gap - ledger.settings.stallMs;
  if (gap > 0) ledger.lastNow = now;
}

function change(ledger: Ledger, event: LedgerEvent): void {
  switch (event.kind) {
    case 'job-added':
      addJob(ledger, event);
      break;
    case 'tiles-added':
      addTiles(ledger, event);
      break;
    case 'job-removed':
      removeJob(ledger, event.job);
      break;
    case 'worker-joined':
      joinWorker(ledger, event);
      break;
    case 'worker-left':
      leaveSession(ledger, event.session);
      break;
    case 'holds':
      adoptLease(ledger, event);
      break;
    case 'wanted':
      wantWork(ledger, event);
      break;
    case 'beat':
      seeSession(ledger, event.session);
      break;
    case 'given-back':
      giveBack(ledger, event);
      break;
    case 'result':
      receiveResult(ledger, event);
      break;
    case 'verified':
      acceptVerified(ledger, event);
      break;
    case 'invalid':
      refuseInvalid(ledger, event);
      break;
    case 'stored':
      acceptStored(ledger, event);
      break;
    case 'store-failed':
      refuseUnstored(ledger, event);
      break;
    case 'solved-here':
      solvedHere(ledger, event);
      break;
    case 'unsolvable-here':
      unsolvableHere(ledger, event);
      break;
    case 'tick':
      passTime(ledger);
      break;
  }
}

export { type LedgerStatus, ledgerStatus } from './ledger/status.ts';
