/**
 * What the ledger remembers. Everything is reached by name in O(1); what has to be found by time or in turn stands in a queue of its
 * own. Queues hold entries lazily: an entry whose record has moved on is dropped when it comes up, and no record has two entries in
 * one queue, so every queue is bounded by the number of its records.
 */
import type { LedgerEffect, LedgerTile, WorkerKind } from '../ledger.ts';
import type { LedgerSettings } from './settings.ts';
import { TimeQueue } from './time-queue.ts';

/** Where a tile is; see the table in ledger.ts. */
export type TileState = 'open' | 'leased' | 'checking' | 'storing' | 'local' | 'done' | 'dead' | 'waiting';

/** Who may work on a tile until when. */
export interface LeaseRecord {
  readonly tile: TileRecord;
  session: SessionRecord;
  readonly grantedAt: number;
  deadline: number;
  isLive: boolean;
}

/** A result on its way: being verified, waiting for a second opinion or for the store, or being stored. */
export interface ResultRecord {
  readonly result: string;
  readonly tile: TileRecord;
  /** Null: solved by the coordinator itself. */
  readonly worker: WorkerRecord | null;
  /** Whom to tell; null when the sender has gone and has not come back. */
  session: SessionRecord | null;
  claimsMisses: boolean;
  /** `held`: verified, but believed only when a trusted worker or the coordinator finds the same. `agreed`: waits for the store's answer. */
  phase: 'checking' | 'held' | 'agreed' | 'storing';
  digest: string;
}

/** One tile of a job. */
export interface TileRecord extends LedgerTile {
  readonly job: JobRecord;
  readonly expectedMs: number;
  state: TileState;
  /** Grants so far. */
  attempts: number;
  /** Leases that came to nothing and results that were bad. */
  failures: number;
  leases: LeaseRecord[];
  results: ResultRecord[];
  /** Has an entry in the job's queue of open tiles. */
  isQueued: boolean;
  /** The coordinator's own solving of it: waiting its turn, or at it. */
  local: 'no' | 'queued' | 'running';
  isUnsolvable: string | null;
  /** Volunteers cannot settle it, and no trusted worker has in time or is there to: the coordinator is to. */
  isDisputed: boolean;
  /** Not handed out before this time (ledger clock). */
  notBefore: number;
  /** When the coordinator stops waiting for a second opinion and solves the tile itself (ledger clock). */
  heldUntil: number;
  /** When its next review is due; Infinity: none is. */
  reviewAt: number;
}

/** A job. */
export interface JobRecord {
  readonly job: string;
  readonly priority: number;
  readonly tiles: Map<string, TileRecord>;
  /** Tiles that are neither done nor dead. */
  readonly inHand: Set<TileRecord>;
  /** Open tiles, first come first served. */
  readonly open: Fifo<TileRecord>;
  /** Open tiles that are for trusted workers: they wait for a second opinion, or are too large for volunteers. */
  readonly confirm: Fifo<TileRecord>;
  readonly counts: Record<TileState, number>;
  blocksDone: number;
}

/** A worker under its name, across sessions: what its trust hangs on. */
export interface WorkerRecord {
  readonly worker: string;
  readonly kind: WorkerKind;
  readonly sessions: Set<SessionRecord>;
  /** Good results since the last bad one. */
  good: number;
  /** Leases it may hold at a time. */
  quota: number;
  /** The last outcomes, one bit each (1 = bad), oldest first in `outcomes`. */
  readonly outcomes: boolean[];
  quarantines: number;
  quarantinedUntil: number;
  /** Times in a row that it gave back or dropped a lease. */
  losses: number;
  restsUntil: number;
  /** Results of it that are on their way. */
  pending: number;
  /** Leases of all its sessions. */
  leased: number;
}

/** A connection of a worker. */
export interface SessionRecord {
  readonly session: string;
  readonly worker: WorkerRecord;
  readonly threads: number;
  credit: number;
  readonly leases: Map<TileRecord, LeaseRecord>;
  leasedBlocks: number;
  seenAt: number;
  /** Blocks per millisecond, observed; 0: nothing yet. */
  speed: number;
  /** What the speed is made of, fading sums. */
  recentBlocks: number;
  recentMs: number;
  lastResultAt: number;
  /** Tiles accepted of it. */
  tilesDone: number;
}

/** A queue with O(1) push and take. */
export class Fifo<T> {
  private items: T[] = [];
  private head = 0;

  get size(): number {
    return this.items.length - this.head;
  }

  push(item: T): void {
    this.items.push(item);
  }

  peek(): T | undefined {
    return this.items[this.head];
  }

  take(): T | undefined {
    const item = this.items[this.head];
    if (item === undefined) return undefined;
    this.head++;
    if (this.head > 1024 && this.head * 2 > this.items.length) {
      this.items = this.items.slice(this.head);
      this.head = 0;
    }
    return item;
  }
}

/** The ledger's state. Owned by one shell; others read it through status.ts. */
export interface Ledger {
  readonly settings: LedgerSettings;
  readonly jobs: Map<string, JobRecord>;
  readonly sessions: Map<string, SessionRecord>;
  /** Least recently seen first: touched records move to the end. */
  readonly bySeen: Set<SessionRecord>;
  /** Least recently joined first. */
  readonly workers: Map<string, WorkerRecord>;
  readonly results: Map<string, ResultRecord>;
  /** Jobs with open tiles by priority, highest first; within one, whose turn it is comes first. */
  readonly turns: { readonly priority: number; readonly jobs: Set<JobRecord> }[];
  /** Sessions with unused credit. */
  readonly idle: Set<SessionRecord>;
  /** Where the round through them has got to. */
  idleRound: Iterator<SessionRecord>;
  readonly deadlines: TimeQueue<LeaseRecord>;
  /** Tiles to look at again at a time: reopen, or stop waiting for a second opinion. */
  readonly reviews: TimeQueue<TileRecord>;
  /** The only lease of its tile, oldest first: candidates for a straggler copy. */
  readonly singles: Set<LeaseRecord>;
  /** Tiles that the coordinator is to solve, beyond those it is solving. */
  readonly localQueue: Fifo<TileRecord>;
  localRunning: number;
  openCount: number;
  heldCount: number;
  /** The last durations from grant to result, a ring, and their 95th percentile. */
  readonly durations: number[];
  durationCount: number;
  durationP95: number;
  startedAt: number;
  lastNow: number;
  /** Time that the shell did not live through: subtracted from `now`, so that its own stalls expire nobody. */
  stalledMs: number;
  /** No grants before this time (ledger clock): the store is failing. */
  pausedUntil: number;
  chance: number;
  /** Effects of the event being applied. */
  effects: LedgerEffect[];
}

/** Returns an empty ledger. */
export function emptyLedger(settings: LedgerSettings): Ledger {
  return {
    settings,
    jobs: new Map(),
    sessions: new Map(),
    bySeen: new Set(),
    workers: new Map(),
    results: new Map(),
    turns: [],
    idle: new Set(),
    idleRound: new Set<SessionRecord>().values(),
    deadlines: new TimeQueue(),
    reviews: new TimeQueue(),
    singles: new Set(),
    localQueue: new Fifo(),
    localRunning: 0,
    openCount: 0,
    heldCount: 0,
    durations: [],
    durationCount: 0,
    durationP95: Number.POSITIVE_INFINITY,
    startedAt: Number.NaN,
    lastNow: Number.NaN,
    stalledMs: 0,
    pausedUntil: Number.NEGATIVE_INFINITY,
    chance: scrambled(settings.seed),
    effects: [],
  };
}

/** Returns the ledger's clock: `now` without the shell's stalls. */
export function clockOf(ledger: Ledger): number {
  return ledger.lastNow - ledger.stalledMs;
}

/** Returns the next number in [0, 1): xorshift32 (Marsaglia 2003) from the settings' seed, which workers do not know. */
export function nextChance(ledger: Ledger): number {
  let word = ledger.chance;
  word ^= word << 13;
  word ^= word >>> 17;
  word ^= word << 5;
  ledger.chance = word >>> 0;
  return ledger.chance / 2 ** 32;
}

/** Spreads a seed's bits over the word, so that small seeds do not begin with small numbers (MurmurHash3's finalizer, Appleby 2011). */
function scrambled(seed: number): number {
  let word = Math.imul(seed ^ (seed >>> 16), 0x85ebca6b);
  word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35);
  return (word ^ (word >>> 16)) >>> 0 || 1;
}
