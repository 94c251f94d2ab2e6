/** A tile's state follows from its leases and results; {@link settleTile} works it out after every change and acts on it. */
import { isTooLarge, openTile } from '../scheduler.ts';
import { clockOf, type JobRecord, type Ledger, type TileRecord, type TileState } from './state.ts';

/** Returns the tile, if the ledger has it. */
export function findTile(
  ledger: Ledger,
  { job, tile }: { readonly job: string; readonly tile: string },
): TileRecord | undefined {
  return ledger.jobs.get(job)?.tiles.get(tile);
}

/** Moves a tile to where its leases and results say it is: reopens it, has it solved here, or gives it up. */
export function settleTile(ledger: Ledger, tile: TileRecord): void {
  if (tile.state === 'done' || !isCurrent(ledger, tile)) return;
  const state = restingState(ledger, tile);
  if (state === 'waiting') reviewAt(ledger, tile, tile.notBefore);
  if (state === 'local' && tile.local === 'no') {
    tile.local = 'queued';
    ledger.localQueue.push(tile);
  }
  if (state === 'dead' && tile.state !== 'dead')
    ledger.effects.push({
      kind: 'tile-dead',
      job: tile.job.job,
      tile: tile.tile,
      reason: tile.isUnsolvable ?? '',
    });
  setState(ledger, tile, state);
  if (state === 'open') {
    openTile(ledger, tile);
    if (isTooLarge(ledger, tile)) reviewAt(ledger, tile, clockOf(ledger) + ledger.settings.leaseMsTrusted);
  }
  startLocal(ledger);
}

/** Sets a tile's state and keeps the counts. */
export function setState(ledger: Ledger, tile: TileRecord, state: TileState): void {
  if (tile.state === state) return;
  if (tile.state === 'open') ledger.openCount--;
  if (state === 'open') ledger.openCount++;
  tile.job.counts[tile.state]--;
  tile.job.counts[state]++;
  if (state === 'done' || state === 'dead') tile.job.inHand.delete(tile);
  else tile.job.inHand.add(tile);
  tile.state = state;
}

/** Returns whether the tile belongs to a job that is still there. */
export function isCurrent(ledger: Ledger, tile: TileRecord): boolean {
  return ledger.jobs.get(tile.job.job) === tile.job;
}

/** Has the tile looked at again at a time, unless that is to happen sooner. */
export function reviewAt(ledger: Ledger, tile: TileRecord, at: number): void {
  if (at >= tile.reviewAt) return;
  tile.reviewAt = at;
  ledger.reviews.push(at, tile);
}

/** Has the coordinator solve an open tile that is too large for all the workers that do anything: one may hang that it is for. */
export function reviewLarge(ledger: Ledger, tile: TileRecord): void {
  if (tile.state !== 'open' || !isTooLarge(ledger, tile) || ledger.sessions.size === 0) return;
  const since = clockOf(ledger) - ledger.settings.leaseMsTrusted;
  const isAwaited = [...ledger.sessions.values()].some(
    ({ worker, credit, lastResultAt }) => worker.kind === 'trusted' && (credit > 0 || lastResultAt > since),
  );
  if (!isAwaited) tile.isDisputed = true;
}

/** Returns counts of no tile. */
export function noCounts(): JobRecord['counts'] {
  return { open: 0, leased: 0, checking: 0, storing: 0, local: 0, done: 0, dead: 0, waiting: 0 };
}

/** One of the coordinator's own solvings has ended, one way or the other; the tile may be gone by now. */
export function endLocal(ledger: Ledger, tile: TileRecord | undefined): void {
  ledger.localRunning = Math.max(0, ledger.localRunning - 1);
  if (tile?.local === 'running') tile.local = 'no';
}

/** Has the coordinator solve the tiles that are its own to solve, as many at a time as allowed. */
export function startLocal(ledger: Ledger): void {
  while (ledger.localRunning < ledger.settings.localSolvesMax) {
    const tile = ledger.localQueue.take();
    if (tile === undefined) return;
    if (tile.state !== 'local' || !isCurrent(ledger, tile)) {
      tile.local = 'no';
      continue;
    }
    tile.local = 'running';
    ledger.localRunning++;
    ledger.effects.push({ kind: 'solve-here', job: tile.job.job, tile: tile.tile });
  }
}

function restingState(ledger: Ledger, tile: TileRecord): TileState {
  if (tile.results.some(({ phase }) => phase === 'storing')) return 'storing';
  if (tile.results.some(({ phase }) => phase === 'checking')) return 'checking';
  if (tile.isUnsolvable !== null) return 'dead';
  if (tile.local !== 'no') return 'local';
  if (clockOf(ledger) < tile.notBefore) return 'waiting';
  // Even while it is leased: workers that hang could else pass it between them for ever, each lease begun before the other ends.
  if (tile.isDisputed || tile.failures >= ledger.settings.tileAttemptMax) return 'local';
  return tile.leases.length > 0 ? 'leased' : 'open';
}
