/**
 * What a job's thread and the coordinator's say to each other. The thread computes; whatever it needs of store, ledger and solver it
 * calls for, and each call is answered once. Notes have no answer. Order is kept, and arrays that are large or sent often lie in
 * shared memory.
 */
import type { LayerProblem, Solver, Tile } from '../../src/core/plan/tile.ts';
import type { TileSize } from '../../src/core/plan/tiles.ts';
import type { SolvedTile } from '../tile-observer.ts';
import type { JobProgress } from './job-progress.ts';
import type { JobStore } from './job-store.ts';
import type { TileFate } from './ledger-port.ts';
import type { JobPhase } from './run-job.ts';
import type { PlainError } from './thread-errors.ts';

/** What a thread is started for. */
export type ThreadStart =
  | { readonly kind: 'digest'; readonly network: Uint8Array }
  | {
      readonly kind: 'run';
      readonly job: string;
      readonly priority: number;
      /** encodeJobRequest of the request. */
      readonly request: string;
      readonly tileSize: TileSize | undefined;
      /** The plan solver's concurrency. */
      readonly planConcurrency: number;
      readonly verifyThreads: number;
      readonly isObserved: boolean;
    };

/** What a thread can call for. */
export interface ThreadCalls extends JobStore {
  /** Runs a planner's probe. */
  readonly solve: Solver['solve'];
  /** Has a tile of the layer that was noted last solved. */
  addTile(problemDigest: string, tile: Tile): Promise<TileFate>;
}

/** One call. */
export type ThreadCall = {
  [Name in keyof ThreadCalls]: {
    readonly kind: 'call';
    readonly id: number;
    readonly name: Name;
    readonly args: Parameters<ThreadCalls[Name]>;
  };
}[keyof ThreadCalls];

/** What a thread tells without an answer. */
export type ThreadNote =
  | { readonly kind: 'add-job' }
  | { readonly kind: 'remove-job' }
  | { readonly kind: 'layer'; readonly problem: LayerProblem }
  | { readonly kind: 'progress'; readonly phase: JobPhase; readonly progress: JobProgress | null }
  /** A construction begins; the next three are of it. */
  | { readonly kind: 'observed' }
  | { readonly kind: 'begun'; readonly layer: number }
  | { readonly kind: 'cut'; readonly layer: number; readonly tileIds: readonly string[] }
  | { readonly kind: 'done'; readonly layer: number; readonly solved: Omit<SolvedTile, 'problem'> };

/** From the thread; the last two end it. */
export type FromThread =
  | ThreadCall
  | ThreadNote
  | { readonly kind: 'ended'; readonly text: string }
  | { readonly kind: 'failed'; readonly error: PlainError };

/** To the thread. */
export type ToThread =
  /** The call was taken up; its answer will take a while. */
  | { readonly kind: 'taken'; readonly id: number }
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'refusal'; readonly id: number; readonly error: PlainError };
