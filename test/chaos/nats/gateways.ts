/**
 * Gateways over three NATS servers, with workers, as real processes: servers, gateways and workers are killed at random moments, each
 * started again a moment later. Workers write down every acknowledgement they get.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Random, randomOf } from '../../sim/prng.ts';
import { jobStatus } from '../../support/job-client.ts';
import { openNatsEngineAt } from '../../support/nats-place.ts';
import { isRecentNats, type NatsServers, startNats } from '../../support/nats-servers.ts';
import type { NodeProcess } from '../../support/node-process.ts';
import { startEntry } from '../cluster.ts';
import { type ChaosJob, checkTicket, submit, tileSize } from '../jobs.ts';

/** How long a dead gateway's work items wait, here: tests are not to take minutes. */
export const timing = { ackMs: 10_000, claimMs: 5000, auditMs: 5000 };

/** Processes that a scenario is done with when it calls `close`. */
export class Swarm {
  readonly gateways: (NodeProcess | undefined)[] = [];
  readonly urls: string[] = [];
  readonly workers: NodeProcess[] = [];
  readonly nats: NatsServers;
  private readonly addresses: readonly string[];
  private readonly folder = mkdtempSync(join(tmpdir(), 'tombola-chaos-'));
  private readonly log = join(this.folder, 'acknowledged');

  /** @param addresses of the engine, for each gateway its own; all go to the servers themselves otherwise */
  constructor(nats: NatsServers, addresses: readonly string[] = []) {
    this.nats = nats;
    this.addresses = addresses;
    writeFileSync(this.log, '');
  }

  /** Starts a gateway, on the port it had; resolves when it listens. Without NATS it is tried again. */
  async startGateway(index: number): Promise<void> {
    const { nats } = this;
    const known = this.urls[index];
    const port = known === undefined ? 0 : Number(new URL(known).port);
    const monitors = isRecentNats ? nats.monitors : null;
    const address = this.addresses[index] ?? nats.url;
    const cluster = { address, replicas: nats.servers.length, monitors, ...timing };
    for (let attempt = 1; ; attempt++) {
      const gateway = startEntry('coordinator-entry.mjs', { directory: '', tileSize, port, cluster });
      this.gateways[index] = gateway;
      try {
        const [url] = await gateway.said(/http:\/\/127\.0\.0\.1:\d+(?=\n)/);
        this.urls[index] = url;
        return;
      } catch (error) {
        if (attempt === 5) throw error;
        await delay(500);
      }
    }
  }

  startWorker(index: number, urls: readonly string[] = this.urls): void {
    this.workers[index] = startEntry('recording-worker-entry.mjs', { urls, log: this.log });
  }

  /** Names of all acknowledged tiles, `job tile`. */
  acknowledged(): ReadonlySet<string> {
    const lines = readFileSync(this.log, 'utf8').split('\n').slice(0, -1);
    return new Set(lines.map((line) => line.split(' ').slice(0, 2).join(' ')));
  }

  /** Times of all acknowledgements, in milliseconds since 1970. */
  times(): number[] {
    const lines = readFileSync(this.log, 'utf8').split('\n').slice(0, -1);
    return lines.map((line) => Number(line.split(' ')[3]));
  }

  /** Throws where something that a worker was told is durable is not in the engine; returns how many were looked for. */
  async checkStore(): Promise<number> {
    await this.nats.ready();
    const engine = await openNatsEngineAt(this.nats.url, 1);
    try {
      const names = this.acknowledged();
      for (const name of names) {
        const [job = '', tile = ''] = name.split(' ');
        if ((await engine.readResult(job, tile)) === undefined)
          throw new Error(`LOST: tile ${tile} of job ${job} was acknowledged and is not in the engine`);
      }
      return names.size;
    } finally {
      await engine.close();
    }
  }

  /** The URL of a gateway that answers. */
  async liveUrl(job: string): Promise<string> {
    for (;;) {
      for (const url of this.urls)
        if (
          await jobStatus(url, job).then(
            (status) => status.job === job,
            () => false,
          )
        )
          return url;
      await delay(100);
    }
  }

  async close(): Promise<void> {
    const all = [...this.gateways, ...this.workers].filter((one) => one !== undefined);
    await Promise.all(all.map((process) => process.end('SIGKILL')));
    rmSync(this.folder, { recursive: true, force: true });
    await this.nats.close();
  }
}

/** What came of it. */
export interface GatewayReport {
  readonly gateways: number;
  readonly kills: Readonly<Record<'server' | 'gateway' | 'worker', number>>;
  /** Kills after which something was still acknowledged. */
  readonly midJobKills: number;
  /** SHA-256 of the tickets, those of one machine. */
  readonly tickets: readonly string[];
  readonly acknowledged: number;
  readonly seconds: number;
}

/** Runs jobs with so many gateways, two workers, and so many kills; throws at a loss or a wrong ticket. */
export async function gatewayKills(options: {
  jobs: readonly ChaosJob[];
  gateways: number;
  kills: number;
  seed: number;
  onStep: (text: string) => void;
}): Promise<GatewayReport> {
  const random = randomOf(options.seed, 'gateway-kills');
  const swarm = new Swarm(await startNats(3));
  const kills = { server: 0, gateway: 0, worker: 0 };
  const startMs = performance.now();
  try {
    for (let index = 0; index < options.gateways; index++) await swarm.startGateway(index);
    for (let index = 0; index < 2; index++) swarm.startWorker(index);
    const ids: string[] = [];
    for (const job of options.jobs) ids.push(await submit(swarm.urls[0] ?? '', job));
    const restarts = { server: Promise.resolve(), gateway: Promise.resolve(), worker: Promise.resolve() };
    const acknowledgedAt: number[] = [];
    for (let kill = 0; kill < options.kills; kill++) {
      const kind = (['server', 'gateway', 'worker'] as const)[kill % 3] ?? 'server';
      await whenProgress(swarm, random);
      await restarts[kind];
      kills[kind]++;
      acknowledgedAt.push(swarm.acknowledged().size);
      options.onStep(`${acknowledgedAt.at(-1)} acknowledged; kill a ${kind}`);
      restarts[kind] = (await killOne(swarm, kind, random)).restarted;
    }
    await Promise.all(Object.values(restarts));
    const tickets: string[] = [];
    for (const [index, job] of options.jobs.entries()) {
      const id = ids[index] ?? '';
      tickets.push(await checkTicket(await swarm.liveUrl(id), id, job));
    }
    const acknowledged = await swarm.checkStore();
    const midJobKills = acknowledgedAt.filter((count) => count < acknowledged).length;
    const seconds = (performance.now() - startMs) / 1000;
    if (midJobKills < options.kills / 2)
      throw new Error(`HOLLOW: ${midJobKills} of ${options.kills} kills came before the jobs were done`);
    return { gateways: options.gateways, kills, midJobKills, tickets, acknowledged, seconds };
  } finally {
    await swarm.close();
  }
}

/** Returns what resolves when the victim has been started again: the rest goes on meanwhile. */
async function killOne(
  swarm: Swarm,
  kind: 'server' | 'gateway' | 'worker',
  random: Random,
): Promise<{ readonly restarted: Promise<void> }> {
  const pauseMs = random.between(0, 1500);
  if (kind === 'server') {
    const server = swarm.nats.servers[random.below(swarm.nats.servers.length)];
    await server?.kill();
    return { restarted: delay(pauseMs).then(() => server?.start()) };
  }
  if (kind === 'gateway') {
    const index = random.below(swarm.gateways.length);
    await swarm.gateways[index]?.end('SIGKILL');
    return { restarted: delay(pauseMs).then(() => swarm.startGateway(index)) };
  }
  const index = random.below(swarm.workers.length);
  await swarm.workers[index]?.end('SIGKILL');
  swarm.startWorker(index);
  return { restarted: Promise.resolve() };
}

/** Resolves after some acknowledgements, or a while without. */
export async function whenProgress(swarm: Swarm, random: Random): Promise<void> {
  const wanted = swarm.acknowledged().size + random.below(20);
  const endMs = performance.now() + random.between(500, 5000);
  while (swarm.acknowledged().size < wanted && performance.now() < endMs) await delay(50);
}

/** What a gateway's death costs. */
export interface DeathReport {
  /** Until a worker of the dead gateway has a tile committed by another one. */
  readonly workersBackSeconds: number;
  /** Until the last of the tiles that the dead gateway held was committed through another one, its worker being dead too. */
  readonly releasedSeconds: number;
  readonly ackSeconds: number;
}

/** Kills a gateway while it drives a job: once with its worker alive, once with its worker dead too. */
export async function gatewayDeath([job]: readonly [ChaosJob, ...ChaosJob[]]): Promise<DeathReport> {
  const workersBackSeconds = await afterDeath(job, {
    withWorker: false,
    read: (times) => Math.min(...times),
  });
  const releasedSeconds = await afterDeath(job, { withWorker: true, read: (times) => Math.max(...times) });
  const ackSeconds = timing.ackMs / 1000;
  // Without any acknowledgement the times are infinite.
  if (!(workersBackSeconds > 0 && workersBackSeconds <= 15))
    throw new Error(`LATE: a worker was back at work after ${workersBackSeconds} s, expected 15 at most`);
  if (!(releasedSeconds > 0 && releasedSeconds <= ackSeconds + 5))
    throw new Error(
      `LATE: tiles were leased again after ${releasedSeconds} s, expected ${ackSeconds + 5} at most`,
    );
  return { workersBackSeconds, releasedSeconds, ackSeconds };
}

async function afterDeath(
  job: ChaosJob,
  { withWorker, read }: { withWorker: boolean; read: (times: readonly number[]) => number },
): Promise<number> {
  const swarm = new Swarm(await startNats(3));
  try {
    for (const index of [0, 1]) await swarm.startGateway(index);
    const [first = '', second = ''] = swarm.urls;
    const id = await submit(first, job);
    swarm.startWorker(0, withWorker ? [first] : [first, second]);
    while (swarm.acknowledged().size < 10) await delay(20);
    const diedMs = Date.now();
    const victims = [swarm.gateways[0], ...(withWorker ? [swarm.workers[0]] : [])];
    for (const victim of victims) victim?.child.kill('SIGKILL');
    if (withWorker) swarm.startWorker(1, [second]);
    await checkTicket(second, id, job);
    await swarm.checkStore();
    return (read(swarm.times().filter((time) => time > diedMs)) - diedMs) / 1000;
  } finally {
    await swarm.close();
  }
}
