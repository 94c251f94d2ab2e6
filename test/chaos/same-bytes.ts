/** One job in every way there is: the ticket's digest each time. */
import { setTimeout as delay } from 'node:timers/promises';
import { randomOf } from '../sim/prng.ts';
import { Cluster } from './cluster.ts';
import { type ChaosJob, checkTicket, makeJob, submit, tileSize } from './jobs.ts';

/** Returns the digest for each way; throws where one differs. */
export async function sameBytes(): Promise<Readonly<Record<string, string>>> {
  const job = await makeJob(1);
  return {
    'in-process': job.sha256,
    '1 worker': await run(1, job, 0),
    '8 workers': await run(8, job, 0),
    '20 kills': await run(2, job, 20),
    'coordinator killed once': await run(2, job, -1),
  };
}

/** Returns the digest of the ticket that one coordinator with two workers gives for each job; throws where one is wrong. */
export async function oneCoordinator(jobs: readonly ChaosJob[]): Promise<{ tickets: readonly string[] }> {
  const tickets: string[] = [];
  for (const job of jobs) tickets.push(await run(2, job, 0));
  return { tickets };
}

/** @param kills so many processes at random; −1: only the coordinator, in the middle. */
async function run(workers: number, job: ChaosJob, kills: number): Promise<string> {
  const random = randomOf(kills, 'same-bytes');
  const cluster = new Cluster({ workers, tileSize });
  try {
    await cluster.open();
    const id = await submit(cluster.url, job);
    for (let kill = 0; kill < Math.abs(kills); kill++) {
      // Five tiles apart at most, so that all kills come before the job is done.
      const wanted = kills < 0 ? 40 : kill * 5;
      while (cluster.acknowledgedCount() < wanted) await delay(10);
      await delay(random.between(0, 50));
      const victim = kills < 0 ? workers : random.below(workers + 1);
      if (victim === workers) {
        await cluster.coordinator?.end('SIGKILL');
        await cluster.checkStore();
        await cluster.startCoordinator();
      } else {
        await cluster.workers[victim]?.end('SIGKILL');
        cluster.startWorker(victim);
      }
    }
    return await checkTicket(cluster.url, id, job);
  } finally {
    await cluster.close();
  }
}
