/**
 * Which tile next, and for whom. Pure, like the ledger whose state it works on.
 *
 *   jobs       the highest priority first; jobs of one priority take turns, tile by tile
 *   tiles      tiles that wait for a second opinion (they hold memory) or whose results are too long for a volunteer's frame first, to
 *              trusted workers; then first come, first served
 *   how many   what the session's credit, its worker's quota and the room for its results allow; one for a stranger, a tile per
 *              thread for a trusted worker not yet measured, then about leasedWorkMs of work by its observed speed; near the end of the
 *              work no more than a fair share
 *   stragglers when there is nothing else for a worker: a second copy of the oldest lease, if older than twice the 95th percentile of
 *              what leases take, and than twice what the tile should take, and another worker's
 */
import { beginLease } from './ledger/leases.ts';
import {
  clockOf,
  type JobRecord,
  type LeaseRecord,
  type Ledger,
  type SessionRecord,
  type TileRecord,
  type WorkerRecord,
} from './ledger/state.ts';
import { isQuarantined } from './ledger/trust.ts';
import type { LedgerEffect, LedgerTile } from './ledger.ts';

type Grants = Extract<LedgerEffect, { kind: 'grant' }>['leases'][number];

/** Entries of a queue, jobs of a priority and idle sessions that are looked at before giving up for now. */
const scanMax = 16;
/** Idle sessions looked at after every event; a tick looks at all. */
const idleScanMax = 4;
/** Straggler copies are not worth their while below this age. */
const stragglerMsMin = 1_000;

/** Puts an open tile into its job's queue, once. */
export function openTile(ledger: Ledger, tile: TileRecord): void {
  if (!tile.isQueued) {
    tile.isQueued = true;
    (isHeld(tile) || isTooLarge(ledger, tile) ? tile.job.confirm : tile.job.open).push(tile);
  }
  turnsOf(ledger, tile.job.priority).add(tile.job);
}

/** Returns whether a tile has a result that may be too long for a volunteer's frame. */
export function isTooLarge(ledger: Ledger, { blocks }: LedgerTile): boolean {
  return blocks > ledger.settings.volunteerTileBlocksMax;
}

/** Takes a job out of the turns. */
export function closeQueues(ledger: Ledger, job: JobRecord): void {
  const index = ledger.turns.findIndex(({ priority }) => priority === job.priority);
  ledger.turns[index]?.jobs.delete(job);
  if (ledger.turns[index]?.jobs.size === 0) ledger.turns.splice(index, 1);
}

/** Grants a session what it may have of what there is. */
export function fillSession(ledger: Ledger, session: SessionRecord): void {
  if (clockOf(ledger) < ledger.pausedUntil) return;
  const leases: Grants[] = [];
  const share = Math.ceil(ledger.openCount / (2 * ledger.sessions.size));
  while (hasRoom(ledger, session, leases.length < share)) {
    const tile = takeTile(ledger, session.worker);
    if (tile === undefined) break;
    leases.push(grantOf(beginLease(ledger, session, tile)));
  }
  if (leases.length > 0) ledger.effects.push({ kind: 'grant', session: session.session, leases });
}

/** Grants open tiles to sessions that wait for them; `isThorough` looks at every one. */
export function serveIdle(ledger: Ledger, isThorough = false): void {
  let scanned = isThorough ? ledger.idle.size : Math.min(idleScanMax, ledger.idle.size);
  for (; scanned > 0 && ledger.openCount > 0; scanned--) {
    const session = nextIdle(ledger);
    if (session === undefined) return;
    fillSession(ledger, session);
  }
}

/** Returns the idle sessions in turns; an iterator of a set goes on where it is, whatever is added and deleted meanwhile. */
function nextIdle(ledger: Ledger): SessionRecord | undefined {
  const next = ledger.idleRound.next();
  if (next.done !== true) return next.value;
  ledger.idleRound = ledger.idle.values();
  return ledger.idleRound.next().value;
}

/** Gives sessions for which nothing was open a second copy of what takes too long. */
export function serveStragglers(ledger: Ledger): void {
  serveIdle(ledger, true);
  const clock = clockOf(ledger);
  if (ledger.idle.size === 0 || clock < ledger.pausedUntil) return;
  const oldEnough = Math.max(stragglerMsMin, 2 * ledger.durationP95);
  let scanned = 0;
  for (const lease of ledger.singles) {
    const ageMs = clock - lease.grantedAt;
    if (ageMs < oldEnough || ++scanned > ledger.idle.size + scanMax) return;
    if (ageMs < 2 * lease.tile.expectedMs) continue;
    if (lease.tile.leases.length >= ledger.settings.tileLeaseCountMax || lease.tile.local !== 'no') continue;
    const session = findHelper(ledger, lease);
    if (session === undefined) continue;
    const copy = beginLease(ledger, session, lease.tile);
    ledger.effects.push({ kind: 'grant', session: session.session, leases: [grantOf(copy)] });
  }
}

function findHelper(ledger: Ledger, lease: LeaseRecord): SessionRecord | undefined {
  for (let scanned = Math.min(scanMax, ledger.idle.size); scanned > 0; scanned--) {
    const session = nextIdle(ledger);
    if (session === undefined) return undefined;
    const { worker } = session;
    if (worker === lease.session.worker || lease.tile.results.some((result) => result.worker === worker))
      continue;
    if (worker.kind === 'volunteer' && isTooLarge(ledger, lease.tile)) continue;
    if (hasRoom(ledger, session, false)) return session;
  }
  return undefined;
}

function grantOf(lease: LeaseRecord): Grants {
  const { tile, deadline, grantedAt } = lease;
  return {
    job: tile.job.job,
    tile: tile.tile,
    attempt: tile.attempts,
    leaseMs: Math.ceil(deadline - grantedAt),
  };
}

/** Returns whether a session may have one more lease now. */
function hasRoom(ledger: Ledger, session: SessionRecord, isWithinShare: boolean): boolean {
  const { worker } = session;
  const { settings } = ledger;
  if (session.credit === 0 || session.leases.size >= settings.leasesPerSessionMax) return false;
  if (isQuarantined(ledger, worker) || clockOf(ledger) < worker.restsUntil) return false;
  if (worker.leased >= worker.quota) return false;
  const pendingMax = Math.max(settings.resultsPerWorkerMin, 2 * worker.quota);
  if (worker.leased + worker.pending >= pendingMax) return false;
  const isNative = worker.kind === 'trusted';
  if (session.leases.size < (isNative ? (session.speed === 0 ? 1 : 2) * session.threads : 1)) return true;
  return isWithinShare && session.leasedBlocks < session.speed * settings.leasedWorkMs;
}

/** Takes the next tile that the worker may have out of the queues. */
function takeTile(ledger: Ledger, worker: WorkerRecord): TileRecord | undefined {
  for (const { jobs } of ledger.turns) {
    for (let scanned = Math.min(scanMax, jobs.size); scanned > 0; scanned--) {
      const [job] = jobs;
      if (job === undefined) break;
      jobs.delete(job);
      const tile = takeReserved(job, worker) ?? takeOpen(job);
      if (job.open.size + job.confirm.size > 0) jobs.add(job);
      if (tile !== undefined) return tile;
    }
  }
  return undefined;
}

function takeOpen(job: JobRecord): TileRecord | undefined {
  for (;;) {
    const tile = job.open.take();
    if (tile === undefined) return undefined;
    tile.isQueued = false;
    if (tile.state !== 'open') continue;
    if (!isHeld(tile)) return tile;
    tile.isQueued = true;
    job.confirm.push(tile);
  }
}

/** Takes a tile that is for trusted workers alone. */
function takeReserved(job: JobRecord, worker: WorkerRecord): TileRecord | undefined {
  if (worker.kind !== 'trusted') return undefined;
  for (;;) {
    const tile = job.confirm.take();
    if (tile === undefined) return undefined;
    tile.isQueued = false;
    if (tile.state === 'open') return tile;
  }
}

function isHeld(tile: TileRecord): boolean {
  return tile.results.some(({ phase }) => phase === 'held');
}

function turnsOf(ledger: Ledger, priority: number): Set<JobRecord> {
  const { turns } = ledger;
  const known = turns.find((turn) => turn.priority === priority);
  if (known !== undefined) return known.jobs;
  const jobs = new Set<JobRecord>();
  const index = turns.findIndex((turn) => turn.priority < priority);
  turns.splice(index < 0 ? turns.length : index, 0, { priority, jobs });
  return jobs;
}
