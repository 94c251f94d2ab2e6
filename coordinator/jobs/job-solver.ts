/**
 * Solves a job's tiles through the ledger: asks for a tile, waits until its result is durable, and gives what the engine then has.
 * So a ticket is made of nothing that has not been read back.
 */
import { failure } from '../../src/core/errors.ts';
import {
  tileReadAttemptsMax,
  tilesCheckedAtATimeMax,
  tilesInFlightMax,
  tilesPerJobMax,
} from '../../src/core/limits.ts';
import type { LayerProblem, Solver, Tile, TileResult } from '../../src/core/plan/tile.ts';
import { layerProblemDigest } from '../../src/core/plan/tiles.ts';
import { verifyTile } from '../../src/core/verify/verify-tile.ts';
import type { TileStore } from '../construct.ts';
import { readTileResult } from '../engine/tile-store.ts';
import type { JobStore } from './job-store.ts';
import type { JobVerifier } from './job-verifier.ts';
import type { LedgerPort } from './ledger-port.ts';

/** A tile that nobody could solve: the job stays incomplete. */
export class DeadTile extends Error {
  override readonly name = 'DeadTile';
}

/** Where a job's tiles are solved and kept. */
export interface JobTiles {
  readonly job: string;
  readonly store: JobStore;
  readonly ledger: LedgerPort;
  readonly signal: AbortSignal;
  /** Tiles that had a result when the job was started. */
  readonly committed: ReadonlySet<string>;
}

/** Returns the store a construction resumes from. Results were verified before they were committed, so they are not checked again here. */
export function committedTileStore({
  job,
  store,
  committed,
}: Omit<JobTiles, 'ledger' | 'signal'>): TileStore {
  return {
    read: async (problem, tile) =>
      committed.has(tile.id) ? readTileResult({ engine: store, job }, problem, tile) : undefined,
    // The ledger's side has committed it.
    write: () => Promise.resolve(),
  };
}

/**
 * Returns the solver of a construction that resumes. It is asked only for tiles without a usable result, so whatever may lie under
 * the tile's id is dropped first.
 * Its promises reject with {@link DeadTile}, with the signal's reason, with StoreTrouble, or with TombolaError (failure) where the
 * construction has more tiles to solve than a ledger takes.
 */
export function jobSolver(tiles: JobTiles): Solver {
  const count = tileCounter();
  return {
    concurrency: tilesInFlightMax,
    solve: async (problem, tile) => {
      count();
      return solveThrough(tiles, { problem, tile, hasRemains: tiles.committed.has(tile.id) });
    },
  };
}

/**
 * Returns the solver of a construction that repairs: every stored result is checked in full, and solved anew where it does not
 * verify. To be used with a store that has nothing.
 * @param onRepair is told of each tile that had to be solved.
 */
export function repairingSolver(
  tiles: JobTiles,
  { verifier, onRepair }: { verifier: JobVerifier; onRepair: () => void },
): Solver {
  const count = tileCounter();
  return {
    concurrency: tilesCheckedAtATimeMax,
    solve: async (problem, tile) => {
      tiles.signal.throwIfAborted();
      const kept = await readTile(tiles, problem, tile);
      if (kept !== undefined && (await verifier.tile(problem, tile, kept)) === null) return kept;
      count();
      onRepair();
      return solveThrough(tiles, { problem, tile, hasRemains: true });
    },
  };
}

/** Returns what counts a tile that the ledger has to keep until the construction ends, and throws at one too many. */
function tileCounter(): () => void {
  let tileCount = 0;
  return () => {
    tileCount++;
    if (tileCount > tilesPerJobMax)
      throw failure(
        `Cannot solve another tile in this run: it has asked for ${tilesPerJobMax}, expected no more; run it again to go on from those that are solved, or begin anew with larger tiles (--tile-seconds on the coordinator) or fewer --copies`,
      );
  };
}

async function solveThrough(
  tiles: JobTiles,
  { problem, tile, hasRemains }: { problem: LayerProblem; tile: Tile; hasRemains: boolean },
): Promise<TileResult> {
  const { job, store, ledger, signal } = tiles;
  for (let attempt = 0; attempt < tileReadAttemptsMax; attempt++) {
    signal.throwIfAborted();
    if (hasRemains || attempt > 0) await store.dropResult(job, tile.id);
    const fate = await ledger.addTile(job, { problem, problemDigest: digestOf(problem), tile });
    signal.throwIfAborted();
    if (fate.kind === 'dead') throw new DeadTile(fate.reason);
    if (fate.kind === 'removed') throw new Error(`job ${job} was removed from the ledger by somebody else`);
    const result = await readTile(tiles, problem, tile);
    if (result !== undefined) return result;
  }
  throw failure(
    `Cannot read back tile ${tile.id}: its result was damaged or missing ${tileReadAttemptsMax} times, expected what was committed; check the coordinator's disk`,
  );
}

/** Undefined where nothing usable is stored. */
async function readTile(
  { job, store }: JobTiles,
  problem: LayerProblem,
  tile: Tile,
): Promise<TileResult | undefined> {
  const result = await readTileResult({ engine: store, job }, problem, tile);
  if (result === undefined) return undefined;
  const verdict = verifyTile(problem, { tile, result, isChecked: () => false });
  return verdict.kind === 'verified' ? result : undefined;
}

const digests = new WeakMap<LayerProblem, string>();

/** One hash per layer rather than per tile. */
function digestOf(problem: LayerProblem): string {
  const known = digests.get(problem);
  if (known !== undefined) return known;
  const digest = layerProblemDigest(problem);
  digests.set(problem, digest);
  return digest;
}
