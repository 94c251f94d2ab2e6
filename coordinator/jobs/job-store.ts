/** The engine as jobs use it, with the store's own failures told apart from the jobs'. */
import { TombolaError } from '../../src/core/errors.ts';
import type { Engine } from '../engine/engine.ts';
import { reasonOf } from '../reason-of.ts';

/** The store could not be used; nothing is wrong with what was asked for, and it may be tried again. */
export class StoreTrouble extends TombolaError {
  constructor(message: string, options?: ErrorOptions) {
    super('failure', message, options);
  }
}

/** An engine whose methods reject with {@link StoreTrouble}. Whoever opened the engine closes it. */
export type JobEngine = Omit<Engine, 'close'>;

/** What a run reads and writes. */
export type JobStore = Pick<
  JobEngine,
  'committedTiles' | 'commitResult' | 'readResult' | 'dropResult' | 'putBlob' | 'readBlob'
>;

/** Returns the engine with its failures told apart. */
export function jobEngineOf(engine: Engine): JobEngine {
  return {
    jobs: () => engine.jobs().catch(rethrow),
    putJob: (job) => engine.putJob(job).catch(rethrow),
    removeJob: (job) => engine.removeJob(job).catch(rethrow),
    commitResult: (job, tile, result) => engine.commitResult(job, tile, result).catch(rethrow),
    readResult: (job, tile) => engine.readResult(job, tile).catch(rethrow),
    committedTiles: (job) => engine.committedTiles(job).catch(rethrow),
    dropResult: (job, tile) => engine.dropResult(job, tile).catch(rethrow),
    putBlob: (bytes) => engine.putBlob(bytes).catch(rethrow),
    readBlob: (sha256) => engine.readBlob(sha256).catch(rethrow),
    blobs: () => engine.blobs().catch(rethrow),
    removeBlob: (sha256) => engine.removeBlob(sha256).catch(rethrow),
  };
}

/** @throws StoreTrouble always: what the store has thrown, as its own failure. */
export function rethrow(error: unknown): never {
  throw new StoreTrouble(reasonOf(error), { cause: error });
}
