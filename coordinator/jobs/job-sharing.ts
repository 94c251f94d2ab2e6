/**
 * How coordinators that share an engine share its jobs. One of them drives a job at a time: plans it, asks for its tiles, seals its
 * ticket. That is no more than thrift: every step may be repeated and gives the same bytes, so two that drive one job for a while
 * only do the work twice.
 */
import type { JobProgress } from './job-progress.ts';
import type { JobStatus } from './job-status.ts';
import type { Jobs } from './jobs.ts';

/** The right to drive a job. */
export interface JobClaim {
  /** Aborts when the right is lost. */
  readonly signal: AbortSignal;
  /** Lets others have it. Never rejects. */
  release(): Promise<void>;
}

/** Settles who drives what. The engine tells {@link Jobs.adopt} of every change of a job, of own ones before they are done. */
export interface JobSharing {
  /** Whether it is worth while to try for the job now. */
  isFree(job: string): boolean;
  /** Resolves with null where somebody else has it, or the engine cannot be asked. */
  claim(job: string): Promise<JobClaim | null>;
  /** Resolves when {@link Jobs.adopt} has been told what is stored of the job now. Rejects where the engine cannot be asked. */
  refresh(job: string): Promise<void>;
  /** Tells the others how far a job is that is driven here; called often. */
  tell(job: string, phase: JobStatus['phase'], progress: JobProgress | null): void;
}
