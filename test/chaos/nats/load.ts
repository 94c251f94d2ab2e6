/**
 * What a result costs whom: processor time of gateways, NATS servers and workers per committed tile, with one gateway and with two.
 * On a machine where all of them share the cores, wall time says nothing about gateways; processor time says which part is first
 * at its limit where each has a machine of its own.
 */
import { readFileSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { whenJob } from '../../support/job-client.ts';
import { startNats } from '../../support/nats-servers.ts';
import { type ChaosJob, checkTicket, submit } from '../jobs.ts';
import { Swarm } from './gateways.ts';

/** Milliseconds of processor time per committed tile. */
export interface LoadReport {
  readonly tiles: number;
  readonly tilesPerSecond: number;
  readonly gatewaysMs: number;
  /** Of the busiest gateway, and of its main thread alone: what cannot be spread over cores. */
  readonly gatewayMsMax: number;
  readonly loopMsMax: number;
  /** Of the three servers together, and of the busiest. */
  readonly serversMs: number;
  readonly serverMsMax: number;
  readonly workersMs: number;
}

/** Tiles until everything is compiled, and tiles that are measured. */
const warmUpCount = 800;
const measuredCount = 1200;

/** Runs jobs of 2,400 tiles or more with one gateway and with two, two workers each time. */
export async function gatewayLoad(jobs: readonly ChaosJob[]): Promise<{ one: LoadReport; two: LoadReport }> {
  return { one: await loadOf(jobs, 1), two: await loadOf(jobs, 2) };
}

async function loadOf(jobs: readonly ChaosJob[], gateways: number): Promise<LoadReport> {
  const swarm = new Swarm(await startNats(3));
  try {
    for (let index = 0; index < gateways; index++) await swarm.startGateway(index);
    const ids: string[] = [];
    for (const job of jobs) ids.push(await submit(swarm.urls[0] ?? '', job));
    // Each worker begins with a gateway of its own; the jobs are being planned meanwhile.
    const urls = [...swarm.urls];
    for (let index = 0; index < 2; index++) {
      swarm.urls.splice(
        0,
        swarm.urls.length,
        ...urls.slice(index % gateways),
        ...urls.slice(0, index % gateways),
      );
      swarm.startWorker(index);
    }
    swarm.urls.splice(0, swarm.urls.length, ...urls);
    // What planning costs is not a result's.
    for (const id of ids) await whenJob(urls[0] ?? '', id, ({ phase }) => phase === 'solving');
    while (swarm.acknowledged().size < warmUpCount) await new Promise((resolve) => setTimeout(resolve, 5));
    // They take what is left of the cores, or the others' times would be those of standing in line.
    for (const { child } of swarm.workers) setPriority(child.pid ?? 0, constants.priority.PRIORITY_LOW);
    const of = {
      gateways: pidsOf(swarm.gateways.map((gateway) => gateway?.child.pid)),
      loops: pidsOf(swarm.gateways.map((gateway) => gateway?.child.pid)).map((pid) => `${pid}/task/${pid}`),
      servers: pidsOf(swarm.nats.servers.map((server) => server.pid())),
      workers: pidsOf(swarm.workers.map((worker) => worker.child.pid)),
    };
    const before = { startMs: performance.now(), tiles: swarm.acknowledged().size, ...timesOf(of) };
    const total = before.tiles + measuredCount;
    while (swarm.acknowledged().size < total) await new Promise((resolve) => setTimeout(resolve, 5));
    const after = timesOf(of);
    const tiles = swarm.acknowledged().size - before.tiles;
    const seconds = (performance.now() - before.startMs) / 1000;
    for (const [index, job] of jobs.entries()) await checkTicket(urls[0] ?? '', ids[index] ?? '', job);
    const per = (key: keyof typeof of): number[] =>
      after[key].map((ms, index) => (ms - (before[key][index] ?? 0)) / tiles);
    const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0);
    return {
      tiles,
      tilesPerSecond: tiles / seconds,
      gatewaysMs: sum(per('gateways')),
      gatewayMsMax: Math.max(...per('gateways')),
      loopMsMax: Math.max(...per('loops')),
      serversMs: sum(per('servers')),
      serverMsMax: Math.max(...per('servers')),
      workersMs: sum(per('workers')),
    };
  } finally {
    await swarm.close();
  }
}

function pidsOf(pids: readonly (number | undefined)[]): string[] {
  return pids.filter((pid) => pid !== undefined).map(String);
}

function timesOf<Key extends string>(pids: Readonly<Record<Key, readonly string[]>>): Record<Key, number[]> {
  const entries = Object.entries<readonly string[]>(pids).map(([key, of]) => [key, of.map(processorMs)]);
  return Object.fromEntries(entries) as Record<Key, number[]>;
}

/** User and system time of a process or a thread, in ticks of 10 ms (proc(5)). */
function processorMs(pid: string): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return 10 * (Number(fields[11]) + Number(fields[12]));
}
