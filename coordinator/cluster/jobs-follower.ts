/** Tells this gateway's jobs what other gateways do with them, and clears away what a job leaves in the queue when it is over. */
import { z } from 'zod';
import { closeMsMax } from '../../src/core/limits.ts';
import type { StoredJob } from '../engine/engine.ts';
import type { NatsEngine } from '../engine/nats/nats-engine.ts';
import type { Signals } from '../engine/nats/signals.ts';
import type { WorkStream } from '../engine/nats/work-stream.ts';
import type { JobProgress } from '../jobs/job-progress.ts';
import type { JobSharing } from '../jobs/job-sharing.ts';
import type { Jobs } from '../jobs/jobs.ts';
import { reasonOf } from '../reason-of.ts';
import { waitAtMost } from '../wait-at-most.ts';
import { ExpiringMap } from './expiring-map.ts';

/** What a follower works with. */
export interface JobsFollowerOptions {
  readonly engine: NatsEngine;
  readonly work: WorkStream;
  readonly signals: Signals;
  /** Names this gateway. */
  readonly gateway: string;
  readonly onTrouble: (reason: string) => void;
}

const progressTopic = 'progress';
const progressSchema = z.object({
  gateway: z.string(),
  job: z.string(),
  phase: z.enum(['planning', 'solving', 'verifying', 'repairing']),
  progress: z.custom<JobProgress>((value) => typeof value === 'object').nullable(),
});
/** A job's progress is told once in this time. */
const tellMs = 1000;

/** Follows the jobs of all gateways. */
export class JobsFollower {
  private readonly options: JobsFollowerOptions;
  /** Priorities of the jobs that run, whoever drives them. */
  private readonly running = new Map<string, number>();
  /** Jobs that this gateway has driven: it clears away after them. */
  private readonly driven = new Set<string>();
  private readonly clearing = new Map<string, Promise<void>>();
  private readonly closers: (() => void)[] = [];

  constructor(options: JobsFollowerOptions) {
    this.options = options;
  }

  /** Begins to follow; `onOver` is called with every job that does not run any more. */
  async open(jobs: Pick<Jobs, 'adopt' | 'hear'>, onOver: (job: string) => void): Promise<void> {
    const { engine, signals, gateway } = this.options;
    const stopFollowing = await engine.followJobs((job, stored) => {
      this.note(job, stored);
      if (stored?.state !== 'running') onOver(job);
      jobs.adopt(job, stored);
    });
    const stopHearing = signals.hear(progressTopic, (message) => {
      const { data } = progressSchema.safeParse(message);
      if (data !== undefined && data.gateway !== gateway) jobs.hear(data.job, data.phase, data.progress);
    });
    this.closers.push(stopFollowing, stopHearing);
    await this.sweep();
  }

  /** Undefined where the job does not run. */
  priorityOf(job: string): number | undefined {
    return this.running.get(job);
  }

  /** Takes note that this gateway drives the job. */
  drove(job: string): void {
    this.driven.add(job);
  }

  /** Resolves when nothing of the job is being cleared away here: what is put from then on stays. */
  async whenCleared(job: string): Promise<void> {
    await this.clearing.get(job);
  }

  /** Resolves when nothing is being cleared away any more, or the servers take too long: the next gateway that starts does it. */
  async close(): Promise<void> {
    for (const close of this.closers.splice(0)) close();
    await waitAtMost(closeMsMax, Promise.all(this.clearing.values()));
  }

  private note(job: string, stored: StoredJob | null): void {
    if (stored?.state === 'running') this.running.set(job, stored.priority);
    else {
      this.running.delete(job);
      if (this.driven.delete(job)) void this.clear(job);
    }
  }

  /** What gateways left that died with the job's last step. */
  private async sweep(): Promise<void> {
    try {
      // Queues first: one that is opened from now on is of a job that is known to run by then.
      const queues = await this.options.work.jobs();
      const stored = await this.options.engine.jobs();
      const running = new Set(stored.filter(({ state }) => state === 'running').map(({ job }) => job));
      for (const job of queues) if (!running.has(job)) await this.clear(job);
    } catch (error) {
      this.options.onTrouble(reasonOf(error));
    }
  }

  /** Never rejects: what stays is swept away by the next gateway that starts. One job is cleared once at a time. */
  private clear(job: string): Promise<void> {
    const clearing = this.whenCleared(job)
      .then(() => this.clearNow(job))
      .finally(() => {
        if (this.clearing.get(job) === clearing) this.clearing.delete(job);
      });
    this.clearing.set(job, clearing);
    return clearing;
  }

  /** The job may be submitted again at any time: before each step it is looked whether it runs. */
  private async clearNow(job: string): Promise<void> {
    const { engine, work } = this.options;
    const isOver = async (): Promise<boolean> => (await engine.storedJob(job))?.state !== 'running';
    try {
      if (!(await isOver())) return;
      await work.close(job);
      await engine.objects.removeSpecs(job, isOver);
    } catch (error) {
      this.options.onTrouble(reasonOf(error));
    }
  }
}

/** Returns how to tell other gateways of a job's progress, at most once in a while. */
export function progressTeller({
  signals,
  gateway,
  nowMs,
}: Pick<JobsFollowerOptions, 'signals' | 'gateway'> & { readonly nowMs: () => number }): JobSharing['tell'] {
  const told = new ExpiringMap<true>(nowMs);
  return (job, phase, progress) => {
    if (told.get(job)) return;
    told.set(job, true, nowMs() + tellMs);
    signals.tell(progressTopic, { gateway, job, phase, progress });
  };
}
