/**
 * The coordinator's jobs. A job's state in the engine is all that a restart needs:
 *
 *   running     is waiting or being worked on                 → done        ticket and summary are stored and verified
 *                                                             → failed      it cannot be done; the reason says why
 *                                                             → incomplete  some tile was solved by nobody
 *                                                             → cancelled   somebody asked for it
 *   the others  are final until the same job is submitted again: then it runs again, from the tiles it has
 *
 * A store that cannot be used changes no state: the job says so and tries again every jobStoreRetryMs until it can, or is cancelled.
 */
import type { Solver } from '../../src/core/plan/tile.ts';
import type { TileSize } from '../../src/core/plan/tiles.ts';
import type { Engine, StoredJob } from '../engine/engine.ts';
import type { TileObserver } from '../tile-observer.ts';
import { JobList } from './job-list.ts';
import type { JobProgress } from './job-progress.ts';
import type { Submission } from './job-request.ts';
import type { JobRunner } from './job-runner.ts';
import type { JobSharing } from './job-sharing.ts';
import type { JobStatus } from './job-status.ts';
import type { LedgerPort } from './ledger-port.ts';

/** What the jobs run with. */
export interface JobsOptions {
  readonly engine: Engine;
  readonly ledger: LedgerPort;
  /** Runs the planner's probes: the coordinator's own threads. */
  readonly planSolver: Solver;
  readonly runner: JobRunner;
  /** Called after every change of a job, often; it must return fast. */
  readonly onChange?: (job: string) => void;
  /** Returns who sees a job's tiles while they are solved. */
  readonly tileObserver?: (job: string) => TileObserver;
  /** How jobs are shared with other coordinators of the engine; by default all are this one's. */
  readonly sharing?: JobSharing;
  /** See {@link JobEnvironment}. */
  readonly tileSize?: TileSize | undefined;
  readonly storeRetryMs?: number;
  /** How long {@link Jobs.close} waits for a store that does not answer. */
  readonly closeMs?: number;
}

/** All jobs of one coordinator. Whoever starts them closes them. */
export interface Jobs {
  /**
   * Returns the id of the job for a submission, once it is durable. The same network and options are the same job: one that is
   * done or running stays as it is and whose it was, any other runs again, for who submits it now.
   * @throws TombolaError (misuse, failure) when the submission cannot be a job.
   */
  submit(submission: Submission): Promise<string>;
  /** Ends a running job; what it has solved is kept. Resolves when the cancellation is durable. False if no such job runs. */
  cancel(job: string): Promise<boolean>;
  /** Ends a job and removes all its results, and the blobs that no other job refers to. False if there is none. */
  remove(job: string): Promise<boolean>;
  /** In the order of submission. */
  list(): readonly JobStatus[];
  /** Those that run, in the order they came. */
  running(): readonly JobStatus[];
  /** Returns at most `countMax` jobs, those that run first, then the latest. */
  latest(countMax: number): readonly JobStatus[];
  /** Returns how many jobs are in each state. */
  counts(): Readonly<Record<StoredJob['state'], number>>;
  /** Returns the job as it is known here. */
  status(job: string): JobStatus | undefined;
  /**
   * As {@link Jobs.status}, of what the engine has now: another coordinator may have changed it a moment ago.
   * @throws StoreTrouble where the engine cannot be asked about a job that is not known here.
   */
  find(job: string): Promise<JobStatus | undefined>;
  /** Returns the part of the status that costs nothing: a change is told with every tile. */
  stateOf(job: string): StoredJob['state'] | undefined;
  /** Resolves when the job is not running any more; undefined if there is none, or not any more. */
  whenOver(job: string): Promise<JobStatus | undefined>;
  /** Takes note of what is stored of a job by now, where other coordinators change it too; null: it was removed. */
  adopt(job: string, stored: StoredJob | null): void;
  /** Takes note of how far a job is that another coordinator drives. */
  hear(job: string, phase: JobStatus['phase'], progress: JobProgress | null): void;
  /** Starts jobs that have become free. */
  fill(): void;
  /** Interrupts all jobs, which go on when they are started again. Idempotent. */
  close(): Promise<void>;
}

/** Returns the engine's jobs, with those that were running at work again. */
export async function startJobs(options: JobsOptions): Promise<Jobs> {
  const list = new JobList(options);
  await list.load();
  return list;
}
