/**
 * A coordinator, then a worker, that dies at its nth call of a kind (a write of LevelDB, a sync of a file, a message on a socket, …),
 * before the call or after it, n = 0, 1, 2, … until a run in which it does not die, for every kind. What dies is started again. Every
 * run has to end with the ticket of one machine, and when its job is removed nothing may be left in the store.
 *
 * The number of calls grows with the tiles, and what a call does for the tenth tile it does for the third. So the job is the
 * smallest that has everything: two layers, several tiles in a pass, a reserve pass. That is some ninety calls of the coordinator.
 * Kinds are counted apart because calls interleave differently in every run, so that the nth of all would now be this one and now
 * that, and the last ones never. How many reads and messages there are also depends on timing: a kind is done after two clean runs.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { removeJob } from '../support/job-client.ts';
import { Cluster } from './cluster.ts';
import { type ChaosJob, checkTicket, makeJob, submit } from './jobs.ts';

/** What came of it. */
export interface FailpointReport {
  /** Runs in which the process died. */
  readonly deaths: number;
  /** The calls at which it died, and how often. */
  readonly calls: Readonly<Record<string, number>>;
  readonly seconds: number;
}

/** Seven tiles in the first layer, the last of them in a reserve pass; one in the second. */
const jobShape = { hidden: 6, tileSize: { kind: 'blocks', blocks: 200 } } as const;

/** Which process dies. */
export type Victim = 'coordinator' | 'worker';

const socketKinds = ['socket.send', 'socket.close', 'socket.terminate'];
/** Kinds of calls, as test/support/failpoint-preload.mjs names them. */
const kindsOf: Readonly<Record<Victim, readonly string[]>> = {
  coordinator: [
    ...['level.batch', 'level.getMany', 'level.get', 'level.open', 'level.close'],
    ...['file.open', 'file.readFile', 'file.readdir', 'file.mkdir', 'file.rename', 'file.rm'],
    ...['handle.writeFile', 'handle.sync'],
    ...socketKinds,
  ],
  worker: socketKinds,
};
const cleanRunsWanted = 2;

/** Runs with every failpoint, `lanes` kinds at a time; throws at the first loss or wrong ticket. */
export async function failpoints(
  victim: Victim,
  { lanes, onCycle }: { readonly lanes: number; readonly onCycle: (text: string) => void },
): Promise<FailpointReport> {
  const startMs = performance.now();
  const job = await makeJob(1, jobShape.hidden);
  const calls: Record<string, number> = {};
  const onDeath = (failpoint: string, call: string): void => {
    calls[call] = (calls[call] ?? 0) + 1;
    onCycle(`${victim}, failpoint ${failpoint}: ${call}`);
  };
  const kinds = kindsOf[victim][Symbol.iterator]();
  const lane = async (): Promise<void> => {
    for (const kind of kinds) await sweep(victim, { kind, job, onDeath });
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  const deaths = Object.values(calls).reduce((sum, count) => sum + count, 0);
  return { deaths, calls, seconds: (performance.now() - startMs) / 1000 };
}

async function sweep(
  victim: Victim,
  { kind, job, onDeath }: { kind: string; job: ChaosJob; onDeath: (failpoint: string, call: string) => void },
): Promise<void> {
  let cleanRuns = 0;
  for (let number = 0; cleanRuns < cleanRunsWanted; number++) {
    const call = await runOnce(victim, `${kind}:${number}`, job);
    cleanRuns = call === null ? cleanRuns + 1 : 0;
    if (call !== null) onDeath(`${kind}:${number}`, call);
  }
}

/** Returns the call at which the victim died; null when it did not. */
async function runOnce(victim: Victim, failpoint: string, job: ChaosJob): Promise<string | null> {
  const cluster = new Cluster({ workers: 1, tileSize: jobShape.tileSize });
  try {
    return victim === 'coordinator'
      ? await coordinatorDies(cluster, failpoint, job)
      : await workerDies(cluster, failpoint, job);
  } finally {
    await cluster.close();
  }
}

async function coordinatorDies(cluster: Cluster, failpoint: string, job: ChaosJob): Promise<string | null> {
  let first = cluster.coordinator;
  let isRemoving = false;
  try {
    const starting = cluster.startCoordinator(failpoint);
    first = cluster.coordinator;
    await starting;
    cluster.startWorker(0);
    const id = await submit(cluster.url, job);
    await checkTicket(cluster.url, id, job);
    isRemoving = true;
    await removeJob(cluster.url, id);
    await first?.end('SIGTERM');
  } catch (error) {
    // A request that broke off; anything else is a finding.
    await first?.end('SIGKILL');
    if (!hasDied(first?.text() ?? '') || String(error).includes('WRONG')) throw error;
  }
  await first?.end('SIGKILL');
  const call = callOf(first?.text() ?? '');
  if (!isRemoving) await cluster.checkStore();
  await cluster.startCoordinator();
  if (cluster.workers.length === 0) cluster.startWorker(0);
  const id = await submit(cluster.url, job);
  await checkTicket(cluster.url, id, job);
  await removeJob(cluster.url, id);
  const left = readdirSync(join(cluster.data, 'blobs'));
  if (left.length > 0) throw new Error(`LEFT: ${left.length} blobs after the only job was removed: ${left}`);
  return call;
}

async function workerDies(cluster: Cluster, failpoint: string, job: ChaosJob): Promise<string | null> {
  await cluster.startCoordinator();
  cluster.startWorker(0, failpoint);
  const victim = cluster.workers[0];
  const id = await submit(cluster.url, job);
  const ticket = checkTicket(cluster.url, id, job).then(() => undefined);
  const died = victim?.said(/failpoint \S+: /).then(
    () => cluster.startWorker(1),
    () => undefined,
  );
  await Promise.all([ticket, Promise.race([died, ticket])]);
  await victim?.end('SIGTERM');
  await cluster.coordinator?.end('SIGKILL');
  await cluster.checkStore();
  return callOf(victim?.text() ?? '');
}

function hasDied(text: string): boolean {
  return callOf(text) !== null;
}

function callOf(text: string): string | null {
  return /failpoint \S+: (.*)/.exec(text)?.[1] ?? null;
}
