/** A job as people and programs see it. */
import type { StoredJob } from '../engine/engine.ts';
import type { JobProgress } from './job-progress.ts';
import type { PlanOptionsJson } from './job-request.ts';
import type { JobResult } from './job-result.ts';
import type { JobPhase } from './run-job.ts';

/** A job as seen from outside. */
export interface JobStatus {
  readonly job: string;
  readonly name: string;
  readonly state: StoredJob['state'];
  /** What a running job is doing; `stalled`: the store cannot be used. Null for others. */
  readonly phase: JobPhase | 'waiting' | 'stalled' | null;
  /** One line: why it is not done, or stalled; '' otherwise. */
  readonly reason: string;
  readonly priority: number;
  readonly sequence: number;
  /** The id of the token that it was submitted with; null where that is not known. */
  readonly submitter: string | null;
  /** Null until it has been planned since this coordinator started. */
  readonly progress: JobProgress | null;
  /** Null until it is done. */
  readonly result: JobResult | null;
  /** What was submitted; null where that cannot be read any more. */
  readonly request: {
    readonly networkBlob: string;
    readonly targetSha256: string;
    readonly options: PlanOptionsJson;
  } | null;
}
