/** kill -9 of workers and of the coordinator at seeded moments, each started again at once, over as many jobs as it takes. */
import { setTimeout as delay } from 'node:timers/promises';
import { type Random, randomOf } from '../sim/prng.ts';
import { jobStatus } from '../support/job-client.ts';
import { Cluster } from './cluster.ts';
import { type ChaosJob, checkTicket, makeJob, submit, tileSize } from './jobs.ts';

/** What came of it. */
export interface KillReport {
  readonly kills: number;
  readonly coordinatorKills: number;
  /** Kills while the job had tiles that were done and others that were not. */
  readonly midJobKills: number;
  readonly tickets: number;
  readonly acknowledgements: number;
  readonly storeChecks: number;
  readonly seconds: number;
  readonly startMsMedian: number;
  readonly startMsMax: number;
}

/** Where nothing is acknowledged for a random time up to this, the kill comes anyway. */
const momentMsMax = 3000;
/** Between two looks at the acknowledgements. */
const lookMs = 25;

/** Kills so many times; throws at the first loss or wrong ticket. */
export async function killCycles({
  kills,
  seed,
  workers = 2,
  onCycle,
}: {
  kills: number;
  seed: number;
  workers?: number;
  onCycle: (text: string) => void;
}): Promise<KillReport> {
  const random = randomOf(seed, 'kill-cycles');
  const cluster = new Cluster({ workers, tileSize });
  const startMs = performance.now();
  let coordinatorKills = 0;
  let midJobKills = 0;
  let storeChecks = 0;
  try {
    await cluster.open();
    const jobs = new JobRound(cluster);
    await jobs.next();
    for (let kill = 1; kill <= kills; kill++) {
      const isOver = await whenMoment(cluster, jobs, random);
      if (!isOver && cluster.acknowledgedCount() > jobs.acknowledgedBefore) midJobKills++;
      const worker = random.chance(0.4) ? undefined : random.below(workers);
      if (worker === undefined) {
        coordinatorKills++;
        await cluster.coordinator?.end('SIGKILL');
        storeChecks += await cluster.checkStore();
        await cluster.startCoordinator();
      } else {
        await cluster.workers[worker]?.end('SIGKILL');
        cluster.startWorker(worker);
      }
      if (isOver) await jobs.next();
      const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
      onCycle(`kill ${kill} ${worker === undefined ? 'coordinator' : `worker ${worker}`}, ${seconds} s`);
    }
    await jobs.finish();
    await cluster.coordinator?.end('SIGKILL');
    storeChecks += await cluster.checkStore();
    const starts = cluster.startsMs.toSorted((a, b) => a - b);
    return {
      kills,
      coordinatorKills,
      midJobKills,
      tickets: jobs.tickets,
      acknowledgements: cluster.acknowledgedCount(),
      storeChecks,
      seconds: (performance.now() - startMs) / 1000,
      startMsMedian: Math.round(starts[starts.length >> 1] ?? 0),
      startMsMax: Math.round(starts.at(-1) ?? 0),
    };
  } finally {
    await cluster.close();
  }
}

/** One job after the other, each with a seed of its own. */
class JobRound {
  tickets = 0;
  acknowledgedBefore = 0;
  private readonly cluster: Cluster;
  private count = 0;
  private current: { readonly id: string; readonly job: ChaosJob } | undefined;

  constructor(cluster: Cluster) {
    this.cluster = cluster;
  }

  /** Checks the ticket of the job that is done, and submits another. */
  async next(): Promise<void> {
    await this.finish();
    const job = await makeJob(++this.count);
    this.acknowledgedBefore = this.cluster.acknowledgedCount();
    this.current = { id: await submit(this.cluster.url, job), job };
  }

  async finish(): Promise<void> {
    if (this.current === undefined) return;
    await checkTicket(this.cluster.url, this.current.id, this.current.job);
    this.tickets++;
    this.current = undefined;
  }

  async isDone(): Promise<boolean> {
    if (this.current === undefined) return true;
    const { state, reason } = await jobStatus(this.cluster.url, this.current.id);
    if (state !== 'running' && state !== 'done') throw new Error(`the job is ${state}: ${reason}`);
    return state === 'done';
  }
}

/** Resolves a random time after a random number of acknowledgements; true when the job is done by then. */
async function whenMoment(cluster: Cluster, jobs: JobRound, random: Random): Promise<boolean> {
  const wanted = cluster.acknowledgedCount() + random.below(4);
  const extraMs = random.between(0, 80);
  const endMs = performance.now() + random.between(0, momentMsMax);
  while (cluster.acknowledgedCount() < wanted && performance.now() < endMs) {
    await delay(lookMs);
  }
  await delay(extraMs);
  return jobs.isDone();
}
