/** Jobs of an engine that other coordinators change too: what one of them does counts at once, whoever has heard of it. */
import { afterEach, describe, expect, it } from 'vitest';
import type { Engine, StoredJob } from '../../coordinator/engine/engine.ts';
import { memoryEngine } from '../../coordinator/engine/memory-engine.ts';
import { localRunner } from '../../coordinator/jobs/job-runner.ts';
import { StoreTrouble } from '../../coordinator/jobs/job-store.ts';
import { localVerifier } from '../../coordinator/jobs/job-verifier.ts';
import { type Jobs, startJobs } from '../../coordinator/jobs/jobs.ts';
import { solverPort } from '../../coordinator/jobs/solver-port.ts';
import type { Solver } from '../../src/core/plan/tile.ts';
import { countingSolver } from '../support/counting-solver.ts';
import { kernel, submit } from '../support/job-life.ts';

/** A coordinator that hears of others' changes only when it asks. */
interface Member {
  readonly jobs: Jobs;
  /** What all share; changes here are somebody else's. */
  readonly store: Engine;
  /** What the coordinator itself changes; a test may replace its methods. */
  readonly own: Engine;
  /** Whether the store answers questions about a job. */
  answers: 'at once' | 'never' | 'with an error';
  stored(): Promise<StoredJob>;
}

const members: Member[] = [];
afterEach(async () => {
  for (const { jobs } of members.splice(0)) await jobs.close();
});

async function member({ solver = null }: { solver?: Solver | null } = {}): Promise<Member> {
  const store = memoryEngine();
  const { putJob, removeJob } = store;
  const own: Engine = Object.assign(Object.create(store) as Engine, {
    putJob: async (job: StoredJob) => {
      await putJob.call(store, job);
      jobs.adopt(job.job, job);
    },
    removeJob: async (job: string) => {
      await removeJob.call(store, job);
      jobs.adopt(job, null);
    },
  });
  const refresh = async (job: string): Promise<void> => {
    if (made.answers === 'with an error') throw new Error('nobody answers');
    if (made.answers === 'never') await new Promise(() => undefined);
    const stored = (await store.jobs()).find((one) => one.job === job);
    jobs.adopt(job, stored ?? null);
  };
  const claim = { signal: new AbortController().signal, release: async () => undefined };
  const jobs = await startJobs({
    engine: own,
    ledger: solverPort(solver ?? kernel, own),
    planSolver: kernel,
    runner: localRunner(localVerifier()),
    tileSize: { kind: 'blocks', blocks: 20 },
    storeRetryMs: 0,
    closeMs: 0,
    sharing: { isFree: () => solver !== null, claim: async () => claim, refresh, tell: () => undefined },
  });
  const made: Member = {
    jobs,
    store,
    own,
    answers: 'at once',
    stored: async () => {
      const [first] = await store.jobs();
      if (first === undefined) throw new Error('there is no job');
      return first;
    },
  };
  members.push(made);
  return made;
}

describe('a job that others change too', () => {
  it('is told of as it is stored, and as it is known where the store cannot be asked', async () => {
    const here = await member();
    const { jobs, store } = here;
    const job = await submit(jobs);
    const stored = await here.stored();
    await store.putJob({ ...stored, state: 'failed', reason: 'Cannot be done' });
    expect(jobs.status(job)).toMatchObject({ state: 'running' });
    expect(await jobs.find(job)).toMatchObject({ state: 'failed', reason: 'Cannot be done' });
    await store.putJob(stored);
    here.answers = 'with an error';
    expect(await jobs.find(job)).toMatchObject({ state: 'failed' });
    await expect(jobs.find('unknown')).rejects.toBeInstanceOf(StoreTrouble);
    await expect(jobs.cancel(job)).rejects.toThrow('nobody answers');
    here.answers = 'at once';
    expect(await jobs.find('unknown')).toBeUndefined();
    expect(await jobs.cancel(job)).toBe(true);
    await store.removeJob(job);
    expect(await jobs.remove(job)).toBe(false);
    expect(await jobs.find(job)).toBeUndefined();
  });

  it('is told of though the store does not answer, where it is known', async () => {
    const here = await member();
    const job = await submit(here.jobs);
    here.answers = 'never';
    expect(await here.jobs.find(job)).toMatchObject({ state: 'running' });
  });

  it('stays whose it is when somebody else submits it while its network is on the way', async () => {
    const here = await member();
    const job = await submit(here.jobs);
    const first = { ...(await here.stored()), submitter: 'another one' };
    await here.jobs.remove(job);
    here.own.putBlob = async (bytes) => {
      await here.store.putJob(first);
      return here.store.putBlob(bytes);
    };
    expect(await submit(here.jobs)).toBe(job);
    expect(await here.stored()).toEqual(first);
    expect(here.jobs.status(job)).toMatchObject({ state: 'running', submitter: 'another one' });
  });

  it('is over here too when another one ends it, and runs again when it is submitted then', async () => {
    const solver = countingSolver(kernel, 3);
    const here = await member({ solver });
    const job = await submit(here.jobs);
    await solver.asked(4);
    const stored = await here.stored();
    await here.store.putJob({ ...stored, state: 'cancelled', reason: 'Cancelled' });
    expect(await submit(here.jobs)).toBe(job);
    expect(await here.stored()).toMatchObject({ state: 'running', sequence: stored.sequence + 1 });
    await here.store.putJob({ ...stored, state: 'cancelled', reason: 'Cancelled' });
    expect(await here.jobs.find(job)).toMatchObject({ state: 'cancelled' });
    expect(await here.jobs.cancel(job)).toBe(false);
  });

  it('is not run again and again where what came of it may not be stored, since another one has ended it', async () => {
    const solver = countingSolver(kernel);
    const here = await member({ solver });
    const put = here.own.putJob;
    let attempts = 0;
    here.own.putJob = async (job) => {
      if (job.state !== 'done') return put(job);
      attempts++;
      await here.store.putJob({ ...job, state: 'cancelled', reason: 'Cancelled', result: '' });
      throw new Error('another coordinator has changed it');
    };
    const job = await submit(here.jobs);
    expect(await here.jobs.whenOver(job)).toMatchObject({ state: 'cancelled', reason: 'Cancelled' });
    expect(attempts).toBe(1);
  });
});
