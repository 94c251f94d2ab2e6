/** Processes that are stopped for a while (SIGSTOP) and go on: a worker's tiles go elsewhere, a coordinator's leases stay. */
import { setTimeout as delay } from 'node:timers/promises';
import { Cluster } from './cluster.ts';
import { checkTicket, makeJob, submit, tileSize } from './jobs.ts';

/** What came of it. */
export interface PauseReport {
  readonly seconds: number;
  readonly committed: number;
  readonly duplicates: number;
}

/**
 * Stops one of two workers with leases in hand for longer than it may be silent. The job has to finish without it, the coordinator
 * has to give it up, and when it goes on it has to come back and be of use to the next job.
 */
export async function pausedWorker(): Promise<PauseReport> {
  const startMs = performance.now();
  const cluster = new Cluster({ workers: 1, tileSize });
  try {
    const job = await makeJob(1);
    await cluster.open();
    const id = await submit(cluster.url, job);
    await whenAcknowledged(cluster, 10);
    const [stopped] = cluster.workers;
    stopped?.child.kill('SIGSTOP');
    cluster.startWorker(1);
    await checkTicket(cluster.url, id, job);
    while ((await workerCount(cluster)) > 1) await delay(100);
    stopped?.child.kill('SIGCONT');
    await stopped?.said(/disconnected[\s\S]*connected to/);
    const again = await makeJob(2);
    await checkTicket(cluster.url, await submit(cluster.url, again), again);
    const report = { ...(await outcomes(cluster)), seconds: (performance.now() - startMs) / 1000 };
    await cluster.coordinator?.end('SIGKILL');
    await cluster.checkStore();
    return report;
  } finally {
    await cluster.close();
  }
}

/** Stops the coordinator for some seconds: no connection is lost, no tile solved twice. */
export async function pausedCoordinator(stopMs: number): Promise<PauseReport> {
  const startMs = performance.now();
  const cluster = new Cluster({ workers: 2, tileSize });
  try {
    const job = await makeJob(1);
    await cluster.open();
    const id = await submit(cluster.url, job);
    for (const count of [10, 30]) {
      await whenAcknowledged(cluster, count);
      cluster.coordinator?.child.kill('SIGSTOP');
      await delay(stopMs);
      cluster.coordinator?.child.kill('SIGCONT');
    }
    await checkTicket(cluster.url, id, job);
    for (const worker of cluster.workers)
      if (/disconnected/.test(worker.text()))
        throw new Error(`a worker lost its connection: ${worker.text()}`);
    const counts = await outcomes(cluster);
    if (counts.duplicates > 0)
      throw new Error(`${counts.duplicates} tiles were solved twice, expected none: leases were lost`);
    return { ...counts, seconds: (performance.now() - startMs) / 1000 };
  } finally {
    await cluster.close();
  }
}

async function whenAcknowledged(cluster: Cluster, count: number): Promise<void> {
  while (cluster.acknowledgedCount() < count) await delay(10);
}

async function workerCount({ url }: Cluster): Promise<number> {
  const { workers } = (await (await fetch(`${url}/api/workers`)).json()) as { workers: unknown[] };
  return workers.length;
}

async function outcomes({ url }: Cluster): Promise<{ committed: number; duplicates: number }> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const count = (outcome: string): number =>
    Number(new RegExp(`tombola_results_total\\{outcome="${outcome}"\\} (\\d+)`).exec(text)?.[1] ?? 0);
  return { committed: count('new'), duplicates: count('duplicate') };
}
