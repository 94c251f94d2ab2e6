/**
 * What the job driver asks of whoever has tiles solved: the gateway with its ledger and workers, or a solver in this process
 * (solver-port.ts). Solving a tile means committing its verified result to the engine: `commitResult(job, tile.id, value)` with a
 * value as engine/stored-result.ts has it. The driver reads it back from there; no result passes through here.
 */
import type { LayerProblem, Tile } from '../../src/core/plan/tile.ts';

/** A tile to be solved. */
export interface TileWork {
  /** The same object for all tiles of a layer. */
  readonly problem: LayerProblem;
  /** layerProblemDigest(problem). */
  readonly problemDigest: string;
  readonly tile: Tile;
}

/** What became of a tile. */
export type TileFate =
  /** Its verified result is durable in the engine, whoever solved it and whenever. */
  | { readonly kind: 'done' }
  /** Nobody could solve it. */
  | { readonly kind: 'dead'; readonly reason: string }
  /** The job was removed first. */
  | { readonly kind: 'removed' };

/** Has tiles solved. All methods are idempotent; a job that is not known has no tiles. */
export interface LedgerPort {
  /** Makes the job known; higher priorities come first, equal ones share the workers. */
  addJob(job: string, priority: number): void;
  /**
   * Asks for a tile of a known job; resolves with its fate. At most tilesInFlightMax of a job are asked for at a time.
   * A tile is asked for again after `done` only when its stored result was lost or did not verify, and has been dropped from the
   * engine: it has to be solved anew.
   */
  addTile(job: string, work: TileWork): Promise<TileFate>;
  /** Forgets the job and its tiles; what has been asked for resolves with `removed`. The job may be added again later. */
  removeJob(job: string): void;
}
