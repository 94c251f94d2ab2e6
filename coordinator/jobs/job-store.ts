/** The part of the engine that a job's run uses, with the store's own failures told apart from the job's. */
import type { Engine } from '../engine/engine.ts';

/** The store could not be used; nothing is wrong with the job, and it may be tried again. */
export class StoreTrouble extends Error {
  override readonly name = 'StoreTrouble';
}

/** What a run reads and writes. Methods reject with {@link StoreTrouble} where the engine's do. */
export type JobStore = Pick<
  Engine,
  'committedTiles' | 'commitResult' | 'readResult' | 'dropResult' | 'putBlob' | 'readBlob'
>;

/** Returns the engine as the store of a job's run. */
export function jobStoreOf(
  engine: Engine,
  putBlob: JobStore['putBlob'] = (bytes) => engine.putBlob(bytes),
): JobStore {
  return {
    committedTiles: (job) => engine.committedTiles(job).catch(rethrow),
    commitResult: (job, tile, result) => engine.commitResult(job, tile, result).catch(rethrow),
    readResult: (job, tile) => engine.readResult(job, tile).catch(rethrow),
    dropResult: (job, tile) => engine.dropResult(job, tile).catch(rethrow),
    putBlob: (bytes) => putBlob(bytes).catch(rethrow),
    readBlob: (sha256) => engine.readBlob(sha256).catch(rethrow),
  };
}

function rethrow(error: unknown): never {
  throw new StoreTrouble(error instanceof Error ? error.message : String(error), { cause: error });
}
