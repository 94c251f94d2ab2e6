/** What {@link Jobs} says, done: who drives which job, and what every change leaves in the engine first. */
import { setTimeout as delay } from 'node:timers/promises';
import { misuse, TombolaError } from '../../src/core/errors.ts';
import {
  closeMsMax,
  jobCountMax,
  jobNetworkBytesMax,
  jobStoreRetryMs,
  jobsAtWorkMax,
} from '../../src/core/limits.ts';
import type { StoredJob } from '../engine/engine.ts';
import { reasonOf } from '../reason-of.ts';
import { waitAtMost } from '../wait-at-most.ts';
import { JobBlobs } from './job-blobs.ts';
import { aging, entryOf, type JobEntry, replaceStored, statusOf } from './job-entry.ts';
import type { JobProgress } from './job-progress.ts';
import {
  checkedJobName,
  encodeJobRequest,
  jobIdOf,
  planOptionsOfJson,
  type Submission,
} from './job-request.ts';
import { DeadTile } from './job-solver.ts';
import type { JobStatus } from './job-status.ts';
import { type JobEngine, jobEngineOf, rethrow, StoreTrouble } from './job-store.ts';
import type { Jobs, JobsOptions } from './jobs.ts';

/** How long somebody who asks for a job waits for what the engine has of it, where something is known here. */
const findMsMax = 1000;

/** The jobs as they are held in memory, each driven by at most one coordinator at a time. */
export class JobList implements Jobs {
  private readonly options: JobsOptions;
  private readonly engine: JobEngine;
  private readonly entries = new Map<string, JobEntry>();
  private readonly blobs: JobBlobs;
  private atWork = 0;
  private isClosed = false;
  /** A job that is being submitted: it does not begin before its network is sure to be there. */
  private accepted: string | null = null;
  /** Submissions, cancellations and removals, one after the other. */
  private turn: Promise<unknown> = Promise.resolve();

  constructor(options: JobsOptions) {
    this.options = options;
    this.engine = jobEngineOf(options.engine);
    this.blobs = new JobBlobs(this.engine);
  }

  async load(): Promise<void> {
    for (const stored of await this.engine.jobs()) this.entries.set(stored.job, entryOf(stored));
    await this.blobs.sweep();
    this.fill();
  }

  submit(submission: Submission): Promise<string> {
    return this.inTurn(() => this.accept(submission));
  }

  cancel(job: string): Promise<boolean> {
    return this.inTurn(async () => {
      const entry = await this.current(job);
      if (entry?.stored.state !== 'running') return false;
      await this.change(entry, { state: 'cancelled', reason: 'Cancelled' });
      await this.interrupt(entry);
      return true;
    });
  }

  remove(job: string): Promise<boolean> {
    return this.inTurn(async () => {
      const entry = await this.current(job);
      if (entry === undefined) return false;
      if (entry.stored.state === 'running')
        await this.change(entry, { state: 'cancelled', reason: 'Removed' });
      await this.interrupt(entry);
      await this.engine.removeJob(job);
      if (this.options.sharing === undefined) this.adopt(job, null);
      await this.blobs.sweep();
      return true;
    });
  }

  list(): readonly JobStatus[] {
    return [...this.entries.values()].map(statusOf).sort((a, b) => a.sequence - b.sequence);
  }

  running(): readonly JobStatus[] {
    return [...this.entries.values()]
      .filter(({ stored }) => stored.state === 'running')
      .sort((a, b) => a.stored.sequence - b.stored.sequence)
      .map(statusOf);
  }

  latest(countMax: number): readonly JobStatus[] {
    const rank = ({ stored }: JobEntry): number => (stored.state === 'running' ? 0 : 1);
    return [...this.entries.values()]
      .sort((a, b) => rank(a) - rank(b) || b.stored.sequence - a.stored.sequence)
      .slice(0, countMax)
      .map(statusOf);
  }

  counts(): Record<StoredJob['state'], number> {
    const counts = { running: 0, done: 0, failed: 0, incomplete: 0, cancelled: 0 };
    for (const { stored } of this.entries.values()) counts[stored.state]++;
    return counts;
  }

  status(job: string): JobStatus | undefined {
    const entry = this.entries.get(job);
    return entry === undefined ? undefined : statusOf(entry);
  }

  async find(job: string): Promise<JobStatus | undefined> {
    const refreshed = this.refresh(job);
    if (this.entries.has(job))
      await waitAtMost(
        findMsMax,
        refreshed.catch(() => undefined),
      );
    else await refreshed;
    return this.status(job);
  }

  stateOf(job: string): StoredJob['state'] | undefined {
    return this.entries.get(job)?.stored.state;
  }

  async whenOver(job: string): Promise<JobStatus | undefined> {
    const entry = this.entries.get(job);
    if (entry?.stored.state === 'running')
      await new Promise<void>((resolve) => {
        entry.waiters.push(resolve);
      });
    return this.status(job);
  }

  async close(): Promise<void> {
    this.isClosed = true;
    const interrupted = [...this.entries.values()].map((entry) => this.interrupt(entry));
    const over = Promise.all([...interrupted, this.turn.catch(() => undefined)]);
    await waitAtMost(this.options.closeMs ?? closeMsMax, over);
  }

  adopt(job: string, stored: StoredJob | null): void {
    const entry = this.entries.get(job);
    if (entry === undefined && stored === null) return;
    if (stored !== null && JSON.stringify(stored) === JSON.stringify(entry?.stored)) return;
    if (entry === undefined && stored !== null) this.entries.set(job, entryOf(stored));
    else if (entry !== undefined) {
      if (stored === null) this.entries.delete(job);
      if (stored?.state === 'running' && entry.stored.state !== 'running') entry.progress = () => null;
      replaceStored(entry, stored ?? { ...entry.stored, state: 'cancelled', reason: 'Removed' });
      if (entry.stored.state !== 'running') {
        entry.work?.ending.abort(new Error('the job is over'));
        if (entry.work === null) for (const tell of entry.waiters.splice(0)) tell();
      }
    }
    if (stored === null) this.blobs.forget(job);
    this.options.onChange?.(job);
    this.fill();
  }

  hear(job: string, phase: JobStatus['phase'], progress: JobProgress | null): void {
    const entry = this.entries.get(job);
    if (entry?.stored.state !== 'running' || entry.work !== null) return;
    entry.phase = phase;
    entry.progress = aging(progress);
    this.options.onChange?.(job);
  }

  /** Returns the job as the engine has it now, where others may have changed it. */
  private async current(job: string): Promise<JobEntry | undefined> {
    await this.refresh(job);
    return this.entries.get(job);
  }

  private async refresh(job: string): Promise<void> {
    await this.options.sharing?.refresh(job).catch(rethrow);
  }

  private inTurn<T>(act: () => Promise<T>): Promise<T> {
    const result = this.turn.then(() => {
      if (this.isClosed) throw new StoreTrouble('Cannot change jobs: the coordinator is ending');
      return act();
    });
    this.turn = result.catch(() => undefined);
    return result;
  }

  private async accept({ network: bytes, options, name, priority, submitter }: Submission): Promise<string> {
    if (bytes.length > jobNetworkBytesMax)
      throw misuse(
        `Cannot accept a network of ${bytes.length} bytes, expected at most ${jobNetworkBytesMax}`,
      );
    if (!Number.isSafeInteger(priority))
      throw misuse(`Cannot accept the priority ${priority}, expected a whole number`);
    const checked = { name: checkedJobName(name), options: planOptionsOfJson(options) };
    const targetSha256 = await this.options.runner.digestOf(bytes);
    const job = jobIdOf({ ...checked, targetSha256, networkBlob: '' });
    if (await this.isGoodAsItIs(job)) return job;
    if (!this.entries.has(job) && this.entries.size >= jobCountMax)
      throw misuse(`Cannot accept another job: there are ${jobCountMax}, remove some first`);
    const networkBlob = await this.blobs.put(job, bytes);
    // That takes its time: meanwhile somebody else may have submitted the same.
    if (this.options.sharing !== undefined && (await this.isGoodAsItIs(job))) return job;
    const request = { ...checked, targetSha256, networkBlob };
    const sequence = Math.max(0, ...[...this.entries.values()].map(({ stored }) => stored.sequence)) + 1;
    const stored: StoredJob = {
      job,
      request: encodeJobRequest(request),
      state: 'running',
      reason: '',
      result: '',
      priority,
      sequence,
      submitter,
    };
    this.accepted = job;
    try {
      await this.put(stored);
      // Another coordinator may have swept it away before the job was there.
      await this.blobs.put(job, bytes);
    } finally {
      this.accepted = null;
      this.fill();
    }
    return job;
  }

  /** Whether there is nothing to submit. A job that is done is submitted again where its ticket has been lost. */
  private async isGoodAsItIs(job: string): Promise<boolean> {
    const entry = await this.current(job);
    if (entry?.stored.state !== 'done') return entry?.stored.state === 'running';
    return entry.result !== null && (await this.engine.readBlob(entry.result.ticketBlob)) !== undefined;
  }

  /** Starts waiting jobs, the most urgent first. */
  fill(): void {
    const { sharing } = this.options;
    const waiting = [...this.entries.values()]
      .filter(
        ({ stored, work }) => stored.state === 'running' && work === null && stored.job !== this.accepted,
      )
      .filter(({ stored }) => sharing?.isFree(stored.job) ?? true)
      .sort((a, b) => b.stored.priority - a.stored.priority || a.stored.sequence - b.stored.sequence);
    for (const entry of waiting) {
      if (this.isClosed || this.atWork >= jobsAtWorkMax) return;
      this.atWork++;
      const ending = new AbortController();
      const ended = this.work(entry, ending.signal).finally(() => {
        this.atWork--;
        entry.work = null;
        entry.phase = null;
        this.options.onChange?.(entry.stored.job);
        for (const tell of entry.stored.state === 'running' ? [] : entry.waiters.splice(0)) tell();
        this.fill();
      });
      entry.work = { ending, ended };
    }
  }

  /** Resolves when the job is over, interrupted or somebody else's; never rejects. */
  private async work(entry: JobEntry, signal: AbortSignal): Promise<void> {
    const { sharing } = this.options;
    if (sharing === undefined) return this.drive(entry, signal);
    const claim = await sharing.claim(entry.stored.job);
    if (claim === null) return;
    await this.drive(entry, AbortSignal.any([signal, claim.signal]));
    await claim.release();
  }

  private async drive(entry: JobEntry, signal: AbortSignal): Promise<void> {
    const { job } = entry.stored;
    while (!signal.aborted) {
      try {
        const outcome = await this.outcomeOf(entry, signal);
        if (signal.aborted && outcome.state !== 'done') return;
        if (entry.stored.state === 'running') await this.change(entry, outcome);
        return;
      } catch (error) {
        // Only the store throws here; a job that is over or interrupted must not show that.
        if (signal.aborted) return;
        entry.phase = 'stalled';
        entry.trouble = reasonOf(error);
        this.options.onChange?.(job);
        await delay(this.options.storeRetryMs ?? jobStoreRetryMs, undefined, { signal }).catch(
          () => undefined,
        );
        entry.trouble = '';
        // What it failed at may be somebody else's change.
        await this.refresh(job).catch(() => undefined);
      }
    }
  }

  /** @throws StoreTrouble */
  private async outcomeOf(
    entry: JobEntry,
    signal: AbortSignal,
  ): Promise<Pick<StoredJob, 'state'> & Partial<StoredJob>> {
    const { request } = entry;
    const { job, priority } = entry.stored;
    if (request === null)
      return { state: 'failed', reason: "Cannot read the job's request; submit the job again" };
    const { runner, ...environment } = this.options;
    try {
      const result = await runner.run(
        { ...environment, store: { ...this.engine, putBlob: (bytes) => this.blobs.put(job, bytes) } },
        {
          job,
          priority,
          request,
          signal,
          onProgress: (phase, progress) => {
            entry.phase = phase;
            entry.progress = aging(progress);
            this.options.sharing?.tell(job, phase, progress);
            this.options.onChange?.(job);
          },
        },
      );
      return { state: 'done', result };
    } catch (error) {
      if (error instanceof StoreTrouble) throw error;
      if (error instanceof DeadTile) return { state: 'incomplete', reason: error.message };
      if (error instanceof TombolaError) return { state: 'failed', reason: error.message };
      return { state: 'failed', reason: `Broken: ${reasonOf(error)}; report this as a bug` };
    }
  }

  /** Changes the job in the engine first. */
  private async change(entry: JobEntry, change: Partial<StoredJob>): Promise<void> {
    await this.put({ ...entry.stored, ...change });
  }

  private async put(stored: StoredJob): Promise<void> {
    await this.engine.putJob(stored);
    if (this.options.sharing === undefined) this.adopt(stored.job, stored);
  }

  private async interrupt({ work, stored, waiters }: JobEntry): Promise<void> {
    work?.ending.abort(new Error('the job is interrupted'));
    await work?.ended;
    // Those of a job that was still waiting for its turn.
    if (stored.state !== 'running' || this.isClosed) for (const tell of waiters.splice(0)) tell();
  }
}
