/** What must hold of the ledger after every event, however it came there. */

import { defaultLedgerSettings } from '../../coordinator/ledger/settings.ts';
import { clockOf, type TileRecord, type WorkerRecord } from '../../coordinator/ledger/state.ts';
import type { Ledger, LedgerEffect } from '../../coordinator/ledger.ts';
import { isTooLarge } from '../../coordinator/scheduler.ts';
import { promise } from './clockwork.ts';

/** Checks what the ledger wants done. */
export function checkEffects(ledger: Ledger, effects: readonly LedgerEffect[]): void {
  for (const effect of effects) {
    if (effect.kind !== 'grant') continue;
    const session = ledger.sessions.get(effect.session);
    promise(session !== undefined, 'only sessions that are there are granted leases');
    const { worker } = session;
    promise(worker.quarantinedUntil <= clockOf(ledger), 'nobody in quarantine is granted a lease');
    promise(effect.leases.length > 0, 'no grant is empty');
  }
}

/** Checks the ledger's own books: the cheap ones always, all of them if `isThorough`. */
export function checkLedger(ledger: Ledger, isThorough: boolean): void {
  const limits = defaultLedgerSettings;
  promise(ledger.heldCount >= 0 && ledger.heldCount <= limits.heldResultsMax, 'held results are bounded');
  promise(ledger.openCount >= 0, 'the count of open tiles is right');
  promise(
    ledger.localRunning >= 0 && ledger.localRunning <= limits.localSolvesMax,
    'tiles being solved here are bounded',
  );
  for (const worker of ledger.workers.values()) checkWorker(worker);
  if (!isThorough) return;
  let open = 0;
  let tiles = 0;
  for (const job of ledger.jobs.values()) {
    let counted = 0;
    for (const count of Object.values(job.counts)) counted += count;
    promise(counted === job.tiles.size, 'every tile of a job is in one state');
    open += job.counts.open;
    tiles += job.tiles.size;
    for (const tile of job.tiles.values()) checkTile(ledger, tile);
    promise(job.open.size + job.confirm.size <= job.tiles.size, 'a queue of open tiles holds each tile once');
  }
  promise(open === ledger.openCount, 'the count of open tiles is the sum over all jobs');
  let held = 0;
  for (const result of ledger.results.values()) if (result.phase === 'held') held++;
  promise(held === ledger.heldCount, 'the count of held results is right');
  promise(ledger.results.size <= tiles * limits.resultsPerTileMax, 'results on their way are bounded');
  promise(ledger.reviews.size <= 16 + 4 * tiles + 64 * ledger.sessions.size, 'reviews are bounded');
  promise(ledger.idle.size <= ledger.sessions.size, 'only sessions wait for work');
}

const peakQuota = new WeakMap<WorkerRecord, number>();

function checkWorker(worker: WorkerRecord): void {
  const { resultsPerWorkerMin } = defaultLedgerSettings;
  const peak = Math.max(peakQuota.get(worker) ?? 1, worker.quota);
  peakQuota.set(worker, peak);
  promise(
    worker.pending >= 0 && worker.pending <= Math.max(resultsPerWorkerMin, 2 * peak),
    'results of one worker on their way are bounded',
  );
  let leased = 0;
  for (const { leases } of worker.sessions) leased += leases.size;
  promise(leased === worker.leased, 'the count of leases of a worker is right');
  promise(leased <= Math.max(1, peak), 'nobody holds more leases than its quota was at most');
}

function checkTile(ledger: Ledger, tile: TileRecord): void {
  const { tileLeaseCountMax, resultsPerTileMax } = defaultLedgerSettings;
  promise(tile.leases.length <= tileLeaseCountMax, 'a tile has at most two leases');
  promise(tile.results.length <= resultsPerTileMax + 1, 'a tile has a bounded number of results');
  for (const { session } of tile.leases)
    promise(
      session.worker.kind === 'trusted' || !isTooLarge(ledger, tile),
      'no volunteer is leased a tile whose result it could not send',
    );
  const workers = new Set(tile.leases.map(({ session }) => session.worker));
  promise(workers.size === tile.leases.length, 'two leases of a tile are of different workers');
  for (const { phase, worker } of tile.results)
    promise(
      phase !== 'held' || worker === null || !workers.has(worker),
      'a second opinion is asked of another worker',
    );
  for (const lease of tile.leases) promise(lease.isLive, 'a lease in the books is alive');
  const isBusy = tile.leases.length > 0 || tile.results.some(({ phase }) => phase !== 'held');
  promise(tile.state !== 'open' || !isBusy, 'an open tile is nobody’s');
  promise(tile.state !== 'done' || tile.leases.length === 0, 'a tile that is done is leased to nobody');
}
