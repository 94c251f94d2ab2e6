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
import { type NatsServers, startNats } from '../../support/nats-servers.ts';
import type { NodeProcess } from '../../support/node-process.ts';
import { startEntry } from '../cluster.ts';
import { type ChaosJob, checkTicket, submit, tileBlocks } from '../jobs.ts';

/** How long a dead gateway's work items wait, here: tests are not to take minutes. */
export const timing = { ackMs: 10_000, claimMs: 5000, auditMs: 5000 };

/** Processes that a scenario is done with when it calls `close`. */
export class Swarm {
  readonly gateways: (NodeProcess | undefined)[] = [];
  readonly urls: string[] = [];
  readonly workers: NodeProcess[] = [];
  readonly nats: NatsServers;
  private readonly folder = mkdtempSync(join(tmpdir(), 'tombola-chaos-'));
  private readonly log = join(this.folder, 'acknowledged');

  constructor(nats: NatsServers) {
    this.nats = nats;
    writeFileSync(this.log, '');
  }

  /** Starts a gateway, on the port it had; resolves when it listens. Without NATS it is tried again. */
  async startGateway(index: number): Promise<void> {
    const { nats } = this;
    const known = this.urls[index];
    const port = known === undefined ? 0 : Number(new URL(known).port);
    const cluster = { address: nats.url, replicas: nats.servers.length, monitors: null, ...timing };
    for (let attempt = 1; ; attempt++) {
      const gateway = startEntry('coordinator-entry.mjs', { directory: '', tileBlocks, port, cluster });
      this.gateways[index] = gateway;
      try {
        const [url] = await gateway.said(/http:\/\/127\.0\.0\.1:\d+(?=\n)/);
        this.urls[index] = url;
        return;
      } catch (error) {
        if (attempt === 20) throw error;
        await delay(500);
      }
    }
  }

  startWorker(index: number): void {
    this.workers[index] = startEntry('recording-worker-entry.mjs', { urls: this.urls, log: this.log });
  }

  /** Names of all acknowledged tiles, `job tile`. */
  acknowledged(): ReadonlySet<string> {
    const lines = readFileSync(this.log, 'utf8').split('\n').slice(0, -1);
    return new Set(lines.map((line) => line.split(' ').slice(0, 2).join(' ')));
  }

  /** How often a tile was acknowledged as new. */
  newCount(): number {
    return readFileSync(this.log, 'utf8')
      .split('\n')
      .filter((line) => line.endsWith(' new')).length;
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
  readonly sha256: string;
  readonly acknowledged: number;
  readonly seconds: number;
}

/** Runs a job with so many gateways and workers, and so many kills; throws at a loss or a wrong ticket. */
export async function gatewayKills(options: {
  job: ChaosJob;
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
    const id = await submit(swarm.urls[0] ?? '', options.job);
    for (let kill = 0; kill < options.kills; kill++) {
      await whenProgress(swarm, random);
      const kind = (['server', 'gateway', 'worker'] as const)[kill % 3] ?? 'server';
      kills[kind]++;
      options.onStep(`${swarm.acknowledged().size} acknowledged; kill a ${kind}`);
      await killOne(swarm, kind, random);
    }
    const sha256 = await checkTicket(await swarm.liveUrl(id), id, options.job);
    const acknowledged = await swarm.checkStore();
    const seconds = (performance.now() - startMs) / 1000;
    return { gateways: options.gateways, kills, sha256, acknowledged, seconds };
  } finally {
    await swarm.close();
  }
}

async function killOne(swarm: Swarm, kind: 'server' | 'gateway' | 'worker', random: Random): Promise<void> {
  if (kind === 'server') {
    const server = swarm.nats.servers[random.below(swarm.nats.servers.length)];
    await server?.kill();
    await delay(random.between(0, 1500));
    await server?.start();
  } else if (kind === 'gateway') {
    const index = random.below(swarm.gateways.length);
    await swarm.gateways[index]?.end('SIGKILL');
    await delay(random.between(0, 1500));
    await swarm.startGateway(index);
  } else {
    const index = random.below(swarm.workers.length);
    await swarm.workers[index]?.end('SIGKILL');
    swarm.startWorker(index);
  }
}

/** Resolves after some acknowledgements, or a while without. */
async function whenProgress(swarm: Swarm, random: Random): Promise<void> {
  const wanted = swarm.acknowledged().size + random.below(8);
  const endMs = performance.now() + random.between(500, 5000);
  while (swarm.acknowledged().size < wanted && performance.now() < endMs) await delay(50);
}

/** What a gateway's death costs. */
export interface DeathReport {
  /** Until a worker of the dead gateway has a tile committed by another one. */
  readonly workersBackSeconds: number;
  /** Until the last tile that the dead gateway held, without any of its workers left, was committed through another one. */
  readonly releasedSeconds: number;
  readonly ackSeconds: number;
}

/** Kills a gateway while it drives a job: once with its worker alive, once with its worker dead too. */
export async function gatewayDeath(job: ChaosJob, onStep: (text: string) => void): Promise<DeathReport> {
  const swarm = new Swarm(await startNats(3));
  try {
    for (const index of [0, 1]) await swarm.startGateway(index);
    // A worker that knows the first gateway first.
    swarm.startWorker(0);
    const id = await submit(swarm.urls[0] ?? '', job);
    await whenAcknowledged(swarm, 10);
    const killedMs = performance.now();
    await swarm.gateways[0]?.end('SIGKILL');
    const [, second = ''] = swarm.urls;
    await swarm.workers[0]?.said(new RegExp(`connected to ${second.replace('http', 'ws')}`));
    await whenAcknowledged(swarm, swarm.acknowledged().size + 1);
    const workersBackSeconds = (performance.now() - killedMs) / 1000;
    onStep(`worker back after ${workersBackSeconds.toFixed(1)} s`);
    await swarm.startGateway(0);
    // One worker for each, and then none for the first.
    swarm.workers[1] = startEntry('worker-entry.mjs', { urls: [swarm.urls[0]] });
    await delay(1500);
    const diedMs = performance.now();
    await Promise.all([swarm.gateways[0]?.end('SIGKILL'), swarm.workers[1]?.end('SIGKILL')]);
    await checkTicket(second, id, job);
    const releasedSeconds = (performance.now() - diedMs) / 1000;
    await swarm.checkStore();
    return { workersBackSeconds, releasedSeconds, ackSeconds: timing.ackMs / 1000 };
  } finally {
    await swarm.close();
  }
}

async function whenAcknowledged(swarm: Swarm, count: number): Promise<void> {
  while (swarm.acknowledged().size < count) await delay(20);
}
