/**
 * What gateways of the scale simulation (scale.ts) share: the queue of tiles, and an engine that takes so many writes and bytes a
 * second. Each job is driven by one gateway, which puts its tiles and reads back every result.
 */
import { tilesInFlightMax, workAckMs } from '../../src/core/limits.ts';
import type { Gateway } from './scale-gateway.ts';
import type { Swarm } from './scale-swarm.ts';

/** Milliseconds of the engine per write and per byte: three NATS servers that sync took 3,300 commits and 50 MB a second. */
const writeMs = 0.3;
const byteMs = 1 / 50_000;
/** Milliseconds of the way to the engine and back, a replica's included. */
const latencyMs = 5;
/** Milliseconds of the driver's loop per result that it reads back, beside its bytes (see scale-gateway.ts). */
const driveMs = 0.7;
/** As gateway.ts counts a gateway's bytes. */
const loopByteMs = 1 / 48_000;

interface Job {
  readonly name: string;
  readonly open: string[];
  /** Tiles to be put as soon as there is somebody to drive the job. */
  owed: number;
}

/** What a stretch of time came to. */
export interface EngineTally {
  busyMs: number;
  waitMsMax: number;
}

/** Returns counts of nothing. */
export function emptyEngineTally(): EngineTally {
  return { busyMs: 0, waitMsMax: 0 };
}

/** The queue and the engine. */
export class SharedEngine {
  tally: EngineTally = emptyEngineTally();
  private readonly swarm: Swarm;
  private readonly jobs: readonly Job[];
  private readonly jobOf = new Map<string, Job>();
  private busyUntil = 0;
  private tileCount = 0;
  private turn = 0;

  constructor(swarm: Swarm) {
    this.swarm = swarm;
    this.jobs = Array.from({ length: swarm.setting.jobs }, (_, index) => ({
      name: `job${index}`,
      open: [],
      owed: 0,
    }));
    // They were submitted long before the first worker comes.
    for (const job of this.jobs) while (job.open.length < tilesInFlightMax) job.open.push(this.newTile(job));
  }

  /** The gateway's jobs have a driver again, or for the first time. */
  drive(gateway: Gateway): void {
    for (const job of this.jobs) if (this.driverOf(job) === gateway) this.put(job);
  }

  /** Takes at most so many tiles out of the queue, of all jobs in turns; they are given to others where the gateway dies. */
  pull(gateway: Gateway, count: number): { job: string; tile: string }[] {
    const { epoch } = gateway;
    const taken: { job: string; tile: string }[] = [];
    for (let empty = 0; taken.length < count && empty < this.jobs.length; ) {
      const job = this.jobs[this.turn++ % this.jobs.length] as Job;
      const tile = job.open.pop();
      if (tile === undefined) {
        empty++;
        continue;
      }
      empty = 0;
      taken.push({ job: job.name, tile });
      this.giveAgain(gateway, { job, tile, epoch });
    }
    return taken;
  }

  /** Returns whether somebody asks for the tile. */
  isAsked(tile: string): boolean {
    return this.jobOf.has(tile);
  }

  /** Calls back with what became of a commit, once it is durable. */
  commit(tile: string, bytes: number, done: (outcome: 'new' | 'duplicate') => void): void {
    this.write(bytes, () => {
      const job = this.jobOf.get(tile);
      if (job !== undefined) {
        this.jobOf.delete(tile);
        job.owed++;
        this.readBack(job, bytes);
      }
      done(job === undefined ? 'duplicate' : 'new');
    });
  }

  private giveAgain(gateway: Gateway, { job, tile, epoch }: { job: Job; tile: string; epoch: number }): void {
    this.swarm.clockwork.after(workAckMs, () => {
      if (!this.jobOf.has(tile)) return;
      if (gateway.epoch === epoch) this.giveAgain(gateway, { job, tile, epoch });
      else job.open.push(tile);
    });
  }

  private readBack(job: Job, bytes: number): void {
    const driver = this.driverOf(job);
    if (driver.isUp) driver.inTurn(driveMs + bytes * loopByteMs, () => this.put(job));
  }

  private put(job: Job): void {
    for (; job.owed > 0; job.owed--) {
      const tile = this.newTile(job);
      this.write(this.swarm.setting.tile.downBytes, () => job.open.push(tile));
    }
  }

  private newTile(job: Job): string {
    const tile = `${++this.tileCount}`.padStart(64, '0');
    this.jobOf.set(tile, job);
    return tile;
  }

  private write(bytes: number, done: () => void): void {
    const { clockwork } = this.swarm;
    const costMs = Math.max(writeMs, bytes * byteMs);
    this.tally.busyMs += costMs;
    this.tally.waitMsMax = Math.max(this.tally.waitMsMax, this.busyUntil - clockwork.now);
    this.busyUntil = Math.max(this.busyUntil, clockwork.now) + costMs;
    clockwork.after(this.busyUntil - clockwork.now + latencyMs, done);
  }

  private driverOf(job: Job): Gateway {
    const { gateways } = this.swarm;
    return gateways[this.jobs.indexOf(job) % gateways.length] as Gateway;
  }
}
