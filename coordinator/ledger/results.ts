/** A result's way: received, verified, perhaps confirmed by a trusted worker, stored, acknowledged. */
import type { LedgerEffect, LedgerEvent } from '../ledger.ts';
import { cancelLeases, endLease, leaseMsLeast } from './leases.ts';
import { recordDuration, recordSpeed } from './observe.ts';
import { sayQuarantined, touch } from './sessions.ts';
import { clockOf, type Ledger, type ResultRecord, type SessionRecord, type TileRecord } from './state.ts';
import { endLocal, findTile, isCurrent, reviewAt, setState, settleTile, startLocal } from './tiles.ts';
import { blame, isQuarantined, needsSecondOpinion, praise } from './trust.ts';

type Received = Extract<LedgerEvent, { kind: 'result' }>;

/** What a sender is told. */
type Refusal = Pick<Extract<LedgerEffect, { kind: 'refuse' }>, 'code' | 'reason' | 'retryMs'>;

/** Milliseconds after which a result is to be sent again that was one too many. */
const crowdedRetryMs = 2_000;
/** A failing store is not tried again sooner, whatever the shell says. */
const storageRetryMsMin = 1_000;

/** Takes a result in, from whoever sends it, and has it verified; or says why not. */
export function receiveResult(ledger: Ledger, event: Received): void {
  const session = touch(ledger, event.session);
  if (ledger.results.has(event.result)) return;
  const tile = findTile(ledger, event);
  const own = tile?.results.find(({ worker }) => worker !== null && worker === session?.worker);
  if (session === undefined || own !== undefined) {
    if (own !== undefined && session !== undefined) own.session = session;
    ledger.effects.push({ kind: 'forget', result: event.result });
    return;
  }
  if (tile?.state === 'done') {
    ledger.effects.push(
      {
        kind: 'acknowledge',
        session: session.session,
        job: event.job,
        tile: event.tile,
        outcome: 'duplicate',
      },
      { kind: 'forget', result: event.result },
    );
    return;
  }
  const refusal = refusalOf(ledger, { tile, session, claimsMisses: event.claimsMisses });
  if (refusal !== undefined || tile === undefined) {
    ledger.effects.push(
      {
        kind: 'refuse',
        session: session.session,
        job: event.job,
        tile: event.tile,
        ...(refusal ?? unknownTile),
      },
      { kind: 'forget', result: event.result },
    );
    return;
  }
  admit(ledger, { event, tile, session });
}

/** Believes a verified result, or has it found again by a trusted worker or here first. */
export function acceptVerified(
  ledger: Ledger,
  { result, digest, claimsMisses }: Extract<LedgerEvent, { kind: 'verified' }>,
): void {
  const record = ledger.results.get(result);
  if (record === undefined || record.phase !== 'checking') return;
  const { tile } = record;
  record.digest = digest;
  record.claimsMisses = claimsMisses ?? record.claimsMisses;
  const held = tile.results.filter(({ phase }) => phase === 'held');
  const isSettled = tile.state === 'done' || tile.results.some(({ phase }) => phase === 'storing');
  const isTrusted = record.worker?.kind === 'trusted';
  if (tile.state === 'done') acknowledge(ledger, record, 'duplicate');
  else if (isSettled) record.phase = 'agreed';
  else if (isTrusted && held.length > 0) {
    judge(ledger, held, digest);
    store(ledger, record);
  } else if (held.length > 0) {
    // Two volunteers may be one: their agreement is worth nothing, their disagreement is.
    hold(ledger, record);
    if (held[0]?.digest !== digest) tile.isDisputed = true;
  } else if (needsSecondOpinion(ledger, record)) hold(ledger, record);
  else store(ledger, record);
  settleTile(ledger, tile);
}

/** Drops a result that does not verify, and holds it against its sender. */
export function refuseInvalid(
  ledger: Ledger,
  { result, reason }: { readonly result: string; readonly reason: string },
): void {
  const record = ledger.results.get(result);
  if (record === undefined || record.phase !== 'checking') return;
  condemn(ledger, record, reason);
  settleTile(ledger, record.tile);
}

/** The result is durable: everyone who sent the same is told, everyone who still works on it is stopped. */
export function acceptStored(
  ledger: Ledger,
  { result, outcome }: { readonly result: string; readonly outcome: 'new' | 'duplicate' },
): void {
  const record = ledger.results.get(result);
  if (record === undefined || record.phase !== 'storing') return;
  const { tile } = record;
  setState(ledger, tile, 'done');
  tile.job.blocksDone += tile.blocks;
  tile.isDisputed = false;
  if (record.session !== null) record.session.tilesDone++;
  acknowledge(ledger, record, outcome);
  for (const other of [...tile.results])
    if (other.phase !== 'checking') acknowledge(ledger, other, 'duplicate');
  cancelLeases(ledger, tile);
  ledger.effects.push({ kind: 'tile-done', job: tile.job.job, tile: tile.tile });
}

/** The store failed: nothing is granted for a while, and the senders keep the result and try again. */
export function refuseUnstored(ledger: Ledger, event: Extract<LedgerEvent, { kind: 'store-failed' }>): void {
  const record = ledger.results.get(event.result);
  if (record === undefined || record.phase !== 'storing') return;
  const { tile } = record;
  const retryMs = Math.max(storageRetryMsMin, event.retryMs);
  for (const other of [...tile.results])
    if (other === record || other.phase === 'agreed')
      dropResult(ledger, other, { code: 'storage', reason: event.reason, retryMs });
  const clock = clockOf(ledger);
  ledger.pausedUntil = Math.max(ledger.pausedUntil, clock + retryMs);
  // The sender is to come back with it before anybody else is set to work on it.
  tile.notBefore = clock + 2 * retryMs;
  settleTile(ledger, tile);
}

/** Stores what the coordinator found itself; who said otherwise has sent a bad result. */
export function solvedHere(ledger: Ledger, event: Extract<LedgerEvent, { kind: 'solved-here' }>): void {
  const tile = findTile(ledger, event);
  endLocal(ledger, tile);
  startLocal(ledger);
  const isSettled = tile?.state === 'done' || tile?.results.some(({ phase }) => phase === 'storing');
  if (tile === undefined || isSettled === true || ledger.results.has(event.result)) {
    ledger.effects.push({ kind: 'forget', result: event.result });
    return;
  }
  judge(
    ledger,
    tile.results.filter(({ phase }) => phase === 'held'),
    event.digest,
  );
  const record: ResultRecord = {
    result: event.result,
    tile,
    worker: null,
    session: null,
    claimsMisses: false,
    phase: 'checking',
    digest: event.digest,
  };
  ledger.results.set(record.result, record);
  tile.results.push(record);
  store(ledger, record);
  settleTile(ledger, tile);
}

/** Gives a tile up that not even the coordinator can solve; a result that still comes in is welcome. */
export function unsolvableHere(
  ledger: Ledger,
  event: Extract<LedgerEvent, { kind: 'unsolvable-here' }>,
): void {
  const tile = findTile(ledger, event);
  endLocal(ledger, tile);
  startLocal(ledger);
  if (tile === undefined || tile.state === 'done') return;
  tile.isUnsolvable = event.reason;
  tile.isDisputed = false;
  cancelLeases(ledger, tile);
  for (const result of tile.results.filter(({ phase }) => phase === 'held'))
    dropResult(ledger, result, { code: 'unknown-tile', reason: event.reason, retryMs: 0 });
  settleTile(ledger, tile);
}

/** Has the coordinator solve a tile whose second opinion has not come in time. */
export function reviewHeld(ledger: Ledger, tile: TileRecord): void {
  const isHeld = tile.results.some(({ phase }) => phase === 'held');
  if (!isHeld || tile.state === 'done') return;
  if (clockOf(ledger) < tile.heldUntil) reviewAt(ledger, tile, tile.heldUntil);
  else tile.isDisputed = true;
}

/** Forgets a result and says why to its sender. */
export function dropResult(ledger: Ledger, record: ResultRecord, refusal: Refusal): void {
  const { session, tile } = record;
  if (session !== null && ledger.sessions.has(session.session))
    ledger.effects.push({
      kind: 'refuse',
      session: session.session,
      job: tile.job.job,
      tile: tile.tile,
      ...refusal,
    });
  remove(ledger, record);
}

const unknownTile: Refusal = { code: 'unknown-tile', reason: 'no job here has this tile', retryMs: 0 };

function refusalOf(
  ledger: Ledger,
  {
    tile,
    session: { worker },
    claimsMisses,
  }: { tile: TileRecord | undefined; session: SessionRecord; claimsMisses: boolean },
): Refusal | undefined {
  const { resultsPerWorkerMin, resultsPerTileMax, heldResultsMax } = ledger.settings;
  if (tile === undefined) return unknownTile;
  if (isQuarantined(ledger, worker)) {
    const retryMs = Math.ceil(worker.quarantinedUntil - clockOf(ledger));
    return { code: 'quarantine', reason: 'too many bad results', retryMs };
  }
  const isCrowded =
    worker.pending >= Math.max(resultsPerWorkerMin, 2 * worker.quota) ||
    tile.results.length >= resultsPerTileMax ||
    (claimsMisses && worker.kind === 'volunteer' && ledger.heldCount >= heldResultsMax);
  if (!isCrowded) return undefined;
  return { code: 'quota', reason: 'too many results are being checked', retryMs: crowdedRetryMs };
}

function admit(
  ledger: Ledger,
  { event, tile, session }: { event: Received; tile: TileRecord; session: SessionRecord },
): void {
  const { worker } = session;
  const lease = session.leases.get(tile) ?? tile.leases.find((other) => other.session.worker === worker);
  if (lease !== undefined) {
    recordDuration(ledger, clockOf(ledger) - lease.grantedAt);
    recordSpeed(ledger, session, lease);
    endLease(ledger, lease);
  }
  const record: ResultRecord = {
    result: event.result,
    tile,
    worker,
    session,
    claimsMisses: event.claimsMisses,
    phase: 'checking',
    digest: '',
  };
  worker.pending++;
  ledger.results.set(record.result, record);
  tile.results.push(record);
  settleTile(ledger, tile);
  ledger.effects.push({
    kind: 'verify',
    result: event.result,
    job: event.job,
    tile: event.tile,
    workerKind: worker.kind,
  });
}

function hold(ledger: Ledger, record: ResultRecord): void {
  record.phase = 'held';
  ledger.heldCount++;
  const { tile } = record;
  if ([...ledger.sessions.values()].some(({ worker }) => worker.kind === 'trusted')) {
    tile.heldUntil = clockOf(ledger) + leaseMsLeast(ledger, 'trusted', tile);
    reviewAt(ledger, tile, tile.heldUntil);
  } else tile.isDisputed = true;
}

function store(ledger: Ledger, record: ResultRecord): void {
  const { tile, worker } = record;
  record.phase = 'storing';
  tile.isDisputed = false;
  if (worker !== null) praise(ledger, worker);
  ledger.effects.push({ kind: 'store', result: record.result, job: tile.job.job, tile: tile.tile });
}

/** Sorts held results into those that agree with what is now believed and those that lied. */
function judge(ledger: Ledger, held: readonly ResultRecord[], digest: string): void {
  for (const record of held) {
    if (record.digest !== digest) {
      condemn(ledger, record, 'another worker found a different result, and the answer is unique');
      continue;
    }
    if (record.phase === 'held') ledger.heldCount--;
    record.phase = 'agreed';
    if (record.worker !== null) praise(ledger, record.worker);
  }
}

function condemn(ledger: Ledger, record: ResultRecord, reason: string): void {
  dropResult(ledger, record, { code: 'residual', reason, retryMs: 0 });
  record.tile.failures++;
  const { worker } = record;
  if (worker === null || !blame(ledger, worker)) return;
  for (const session of worker.sessions) {
    sayQuarantined(ledger, session);
    for (const { tile } of [...session.leases.values()]) {
      const lease = session.leases.get(tile);
      if (lease === undefined) continue;
      endLease(ledger, lease);
      ledger.effects.push({
        kind: 'cancel',
        session: session.session,
        job: tile.job.job,
        tile: tile.tile,
      });
      if (isCurrent(ledger, tile)) settleTile(ledger, tile);
    }
  }
}

function acknowledge(ledger: Ledger, record: ResultRecord, outcome: 'new' | 'duplicate'): void {
  const { session, tile } = record;
  if (session !== null && ledger.sessions.has(session.session))
    ledger.effects.push({
      kind: 'acknowledge',
      session: session.session,
      job: tile.job.job,
      tile: tile.tile,
      outcome,
    });
  remove(ledger, record);
}

function remove(ledger: Ledger, record: ResultRecord): void {
  const { tile, worker } = record;
  if (record.phase === 'held') ledger.heldCount--;
  if (worker !== null) worker.pending--;
  ledger.results.delete(record.result);
  const index = tile.results.indexOf(record);
  if (index >= 0) tile.results.splice(index, 1);
  ledger.effects.push({ kind: 'forget', result: record.result });
}
