/** Leases begin and end. */
import type { LedgerEvent, WorkerKind } from '../ledger.ts';
import { isTooLarge } from '../scheduler.ts';
import { touch } from './sessions.ts';
import { clockOf, type LeaseRecord, type Ledger, type SessionRecord, type TileRecord } from './state.ts';
import { findTile, isCurrent, setState, settleTile } from './tiles.ts';
import { rest } from './trust.ts';

/** How many times as long as expected a worker may take that has not shown its speed: its cores are slow, and the tile is harder. */
const slownessMax = 10;

/** Leases a tile to a session; the caller tells the worker. */
export function beginLease(ledger: Ledger, session: SessionRecord, tile: TileRecord): LeaseRecord {
  const clock = clockOf(ledger);
  tile.attempts++;
  const lease = {
    tile,
    session,
    grantedAt: clock,
    deadline: clock + leaseMsFor(ledger, session, tile),
    isLive: true,
  };
  tile.leases.push(lease);
  attach(ledger, session, lease);
  const [first] = tile.leases;
  if (tile.leases.length === 1 && first !== undefined) ledger.singles.add(first);
  else if (first !== undefined) ledger.singles.delete(first);
  ledger.deadlines.push(lease.deadline, lease);
  if (ledger.deadlines.size > 1024 + 4 * liveLeaseBound(ledger))
    ledger.deadlines.keep(({ isLive }) => isLive);
  if (tile.state === 'open') setState(ledger, tile, 'leased');
  return lease;
}

/** Ends a lease, whatever the reason; the caller settles the tile. */
export function endLease(ledger: Ledger, lease: LeaseRecord): void {
  if (!lease.isLive) return;
  lease.isLive = false;
  const { tile } = lease;
  tile.leases.splice(tile.leases.indexOf(lease), 1);
  detach(lease);
  ledger.singles.delete(lease);
  const [rest] = tile.leases;
  if (rest !== undefined) ledger.singles.add(rest);
}

/** Ends a lease that came to nothing. */
export function failLease(ledger: Ledger, lease: LeaseRecord): void {
  if (!lease.isLive) return;
  endLease(ledger, lease);
  lease.tile.failures++;
  settleTile(ledger, lease.tile);
}

/** Tells everyone who still works on the tile to stop. */
export function cancelLeases(ledger: Ledger, tile: TileRecord): void {
  for (const lease of [...tile.leases]) {
    endLease(ledger, lease);
    ledger.effects.push({
      kind: 'cancel',
      session: lease.session.session,
      job: tile.job.job,
      tile: tile.tile,
    });
  }
}

/** A worker gives a lease back. Doing so again and again, it has to rest, or it would burn every tile's attempts. */
export function giveBack(ledger: Ledger, event: Extract<LedgerEvent, { kind: 'given-back' }>): void {
  const session = touch(ledger, event.session);
  const tile = findTile(ledger, event);
  const lease = tile && session?.leases.get(tile);
  if (session === undefined || lease === undefined) return;
  rest(ledger, session.worker);
  failLease(ledger, lease);
}

/** Leases a worker again what it says it has in hand. */
export function adoptLease(ledger: Ledger, event: Extract<LedgerEvent, { kind: 'holds' }>): void {
  const session = touch(ledger, event.session);
  const tile = findTile(ledger, event);
  if (session === undefined || tile === undefined || session.leases.has(tile)) return;
  if (tile.state === 'done') {
    ledger.effects.push({ kind: 'cancel', session: event.session, job: event.job, tile: event.tile });
    return;
  }
  const own = tile.leases.find((lease) => lease.session.worker === session.worker);
  if (own !== undefined) {
    detach(own);
    attach(ledger, session, own);
    return;
  }
  const { worker } = session;
  const isFree = tile.state === 'open' && !tile.results.some((result) => result.worker === worker);
  if (worker.kind === 'volunteer' && isTooLarge(ledger, tile)) return;
  if (!isFree || worker.leased >= worker.quota || worker.quarantinedUntil > clockOf(ledger)) return;
  beginLease(ledger, session, tile);
}

/** Returns how long a worker has: at least what its kind has for the tile, longer if it has been seen to be slow. */
export function leaseMsFor(ledger: Ledger, session: SessionRecord, tile: TileRecord): number {
  const least = leaseMsLeast(ledger, session.worker.kind, tile);
  if (session.speed === 0) return least;
  // Its threads share what it has, but one alone solves the tile.
  const expected = (session.leasedBlocks + session.threads * tile.blocks) / session.speed;
  return Math.min(ledger.settings.leaseMsMax, Math.max(least, 4 * expected));
}

/** Returns how long any worker of a kind has for a tile. */
export function leaseMsLeast({ settings }: Ledger, kind: WorkerKind, { expectedMs }: TileRecord): number {
  const least = kind === 'trusted' ? settings.leaseMsTrusted : settings.leaseMsVolunteer;
  return Math.min(settings.leaseMsMax, Math.max(least, slownessMax * expectedMs));
}

/** Ends leases that are past their deadline. */
export function expireLeases(ledger: Ledger): void {
  const clock = clockOf(ledger);
  // What was leased before a restart comes back as `holds`; it gets its time.
  const { leaseMsTrusted } = ledger.settings;
  if (clock < ledger.startedAt + leaseMsTrusted) return;
  for (;;) {
    const lease = ledger.deadlines.takeDue(clock);
    if (lease === undefined) return;
    if (!lease.isLive || !isCurrent(ledger, lease.tile)) continue;
    failLease(ledger, lease);
  }
}

function attach(ledger: Ledger, session: SessionRecord, lease: LeaseRecord): void {
  lease.session = session;
  session.leases.set(lease.tile, lease);
  session.worker.leased++;
  session.leasedBlocks += lease.tile.blocks;
  session.credit = Math.max(0, session.credit - 1);
  if (session.credit === 0) ledger.idle.delete(session);
}

function detach(lease: LeaseRecord): void {
  lease.session.leases.delete(lease.tile);
  lease.session.worker.leased--;
  lease.session.leasedBlocks -= lease.tile.blocks;
}

/** Every live lease is the only one of its tile or one of two. */
function liveLeaseBound(ledger: Ledger): number {
  return 2 * (ledger.singles.size + ledger.sessions.size);
}
