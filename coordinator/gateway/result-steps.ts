/**
 * What the ledger has done to results: checked, committed, or solved here. Each step tells the ledger what came of it, never rejects
 * but for a bug, and takes as long as it takes.
 */
import type { Solver } from '../../src/core/plan/tile.ts';
import type { BodyForm } from '../../src/core/protocol/transport.ts';
import type { Engine } from '../engine/engine.ts';
import { bodyOf } from '../engine/stored-result.ts';
import type { LedgerEffect, LedgerEvent } from '../ledger.ts';
import { reasonOf } from '../reason-of.ts';
import type { AskedTiles } from './asked-tiles.ts';
import type { Log } from './log.ts';
import type { ShellObserver } from './metrics.ts';
import { type PendingResults, troubleRetryMs } from './pending-results.ts';
import type { TileCheckPool } from './tile-check-pool.ts';

/** What the steps work with; see LedgerShellOptions. */
export interface ResultDesk {
  readonly engine: Engine;
  readonly checks: TileCheckPool;
  readonly solver: Solver;
  readonly checkOneIn: number;
  readonly form: BodyForm;
  readonly log: Log;
  readonly observer: ShellObserver;
  readonly tiles: AskedTiles;
  readonly results: PendingResults;
  /** Tells the ledger. */
  readonly happen: (event: LedgerEvent) => void;
}

type Effect<Kind extends LedgerEffect['kind']> = Extract<LedgerEffect, { kind: Kind }>;

/** Checks a result; one that cannot be checked is invalid. */
export async function verifyResult(desk: ResultDesk, effect: Effect<'verify'>): Promise<void> {
  const { result, job, tile, workerKind } = effect;
  const { checks, checkOneIn, form, log, observer, tiles, results, happen } = desk;
  const work = tiles.find({ job, tile });
  const pending = results.find(result);
  if (work === undefined || pending?.body === undefined)
    return happen({ kind: 'invalid', result, reason: 'nobody waits for this tile' });
  const body = pending.body;
  pending.body = undefined;
  const endTimer = observer.timeCheck();
  try {
    const reply = await checks.check({
      problem: work.problem,
      tile: work.tile,
      body,
      form,
      checkOneIn: workerKind === 'trusted' ? checkOneIn : 1,
      provesMisses: workerKind === 'volunteer',
    });
    if (reply.kind === 'refused') return happen({ kind: 'invalid', result, reason: reply.reason });
    const { value, digest, claimsMisses } = reply;
    pending.value = value;
    happen({ kind: 'verified', result, digest, claimsMisses });
  } catch (error) {
    const reason = `it could not be checked: ${reasonOf(error)}`;
    log('check-failed', { job, tile, reason });
    happen({ kind: 'invalid', result, reason });
  } finally {
    endTimer();
  }
}

/** Commits; a commit that failed may still have happened, so it is read back. */
export async function storeResult(desk: ResultDesk, { result, job, tile }: Effect<'store'>): Promise<void> {
  const { engine, log, observer, results, happen } = desk;
  const value = results.find(result)?.value;
  if (value === undefined) throw new Error('Broken invariant: what is stored has been verified');
  const endTimer = observer.timeCommit();
  try {
    const outcome = await engine.commitResult(job, tile, value);
    happen({ kind: 'stored', result, outcome });
  } catch (error) {
    const reason = reasonOf(error);
    log('store-failed', { job, tile, reason });
    const stored = await engine.readResult(job, tile).catch(() => undefined);
    if (stored === undefined) happen({ kind: 'store-failed', result, reason, retryMs: troubleRetryMs });
    else happen({ kind: 'stored', result, outcome: 'duplicate' });
  } finally {
    endTimer();
  }
}

/** Solves a tile that no worker could, and checks that too. */
export async function solveHere(desk: ResultDesk, { job, tile }: Effect<'solve-here'>): Promise<void> {
  const { solver, checks, form, tiles, results, happen } = desk;
  const work = tiles.find({ job, tile });
  try {
    // The ledger waits for one answer each, even when the job has gone.
    if (work === undefined) throw new Error('nobody asks for the tile any more');
    const solved = await solver.solve(work.problem, work.tile);
    const body = bodyOf(work.problem, work.tile, { result: solved, form });
    const sizeBytes = body.length;
    const reply = await checks.check({ ...work, body, form, checkOneIn: 1 });
    if (reply.kind === 'refused') throw new Error(reply.reason);
    const result = results.keep({ sizeBytes, body: undefined, value: reply.value });
    happen({ kind: 'solved-here', job, tile, result, digest: reply.digest });
  } catch (error) {
    happen({ kind: 'unsolvable-here', job, tile, reason: reasonOf(error) });
  }
}
