/** Jobs and tiles come and go. */
import { invariant } from '../../src/core/errors.ts';
import type { LedgerEvent } from '../ledger.ts';
import { closeQueues } from '../scheduler.ts';
import { endLease } from './leases.ts';
import { dropResult } from './results.ts';
import { Fifo, type Ledger, type TileRecord } from './state.ts';
import { noCounts, setState, settleTile } from './tiles.ts';

/** Adds a job without tiles; one that is there already stays as it is. */
export function addJob(ledger: Ledger, event: Extract<LedgerEvent, { kind: 'job-added' }>): void {
  const { job, priority } = event;
  if (ledger.jobs.has(job)) return;
  invariant(ledger.jobs.size < ledger.settings.runningJobsMax, 'jobs are admitted within runningJobsMax');
  ledger.jobs.set(job, {
    job,
    priority,
    tiles: new Map(),
    inHand: new Set(),
    open: new Fifo(),
    confirm: new Fifo(),
    counts: noCounts(),
    blocksDone: 0,
  });
}

/** Opens tiles of a job. One that is done is opened again: its result was dropped. One that was given up gets another chance. */
export function addTiles(ledger: Ledger, event: Extract<LedgerEvent, { kind: 'tiles-added' }>): void {
  const job = ledger.jobs.get(event.job);
  if (job === undefined) return;
  for (const { tile: name, blocks, expectedMs = 0 } of event.tiles) {
    const known = job.tiles.get(name);
    if (known !== undefined) {
      reopenTile(ledger, known);
      continue;
    }
    invariant(job.tiles.size < ledger.settings.tilesPerJobMax, 'jobs stay within tilesPerJobMax');
    const tile: TileRecord = {
      job,
      tile: name,
      blocks,
      expectedMs,
      state: 'waiting',
      attempts: 0,
      failures: 0,
      leases: [],
      results: [],
      isQueued: false,
      local: 'no',
      isUnsolvable: null,
      isDisputed: false,
      notBefore: Number.NEGATIVE_INFINITY,
      heldUntil: Number.POSITIVE_INFINITY,
      reviewAt: Number.POSITIVE_INFINITY,
    };
    job.tiles.set(name, tile);
    job.inHand.add(tile);
    job.counts.waiting++;
    settleTile(ledger, tile);
  }
}

/** Forgets a job: its leases are cancelled, its results dropped. */
export function removeJob(ledger: Ledger, name: string): void {
  const job = ledger.jobs.get(name);
  if (job === undefined) return;
  ledger.jobs.delete(name);
  closeQueues(ledger, job);
  for (const tile of job.tiles.values()) {
    if (tile.state === 'open') ledger.openCount--;
    for (const lease of [...tile.leases]) {
      endLease(ledger, lease);
      ledger.effects.push({ kind: 'cancel', session: lease.session.session, job: name, tile: tile.tile });
    }
    for (const result of [...tile.results])
      dropResult(ledger, result, { code: 'unknown-tile', reason: 'the job was removed', retryMs: 0 });
  }
}

function reopenTile(ledger: Ledger, tile: TileRecord): void {
  if (tile.state !== 'done' && tile.state !== 'dead') return;
  if (tile.state === 'done') tile.job.blocksDone -= tile.blocks;
  tile.failures = 0;
  tile.isUnsolvable = null;
  setState(ledger, tile, 'waiting');
  settleTile(ledger, tile);
}
