/**
 * A ledger port that spans all gateways: the driver of a job puts its tiles into the shared queue, from which gateways take them for
 * their workers (work-feed.ts), and learns from the results' stream which have been committed, by whomever.
 *
 * Whatever is lost on the way, the audit finds: a tile that is asked for, has no result and is not in the queue any more is put again.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { NatsLink } from '../engine/nats/connection.ts';
import { tokenOf } from '../engine/nats/names.ts';
import type { NatsEngine } from '../engine/nats/nats-engine.ts';
import { followResults } from '../engine/nats/result-follower.ts';
import type { Signals } from '../engine/nats/signals.ts';
import type { WorkStream } from '../engine/nats/work-stream.ts';
import type { LedgerPort, TileFate, TileWork } from '../jobs/ledger-port.ts';
import { reasonOf } from '../reason-of.ts';
import { ItemWriter } from './work-item.ts';

/** What the port works with. */
export interface WorkPortOptions {
  readonly link: NatsLink;
  readonly engine: NatsEngine;
  readonly work: WorkStream;
  readonly signals: Signals;
  /** Between two audits. */
  readonly auditMs: number;
  /** Told of steps that failed and are tried again. */
  readonly onTrouble: (reason: string) => void;
}

/** What came of a tile that nobody could solve, as gateways say it to the driver. */
export interface DeadTileNotice {
  readonly tile: string;
  readonly reason: string;
}

const retryMs = 1000;

/** Returns the topic on which the driver of a job hears of tiles that nobody could solve. */
export function deadTileTopic(job: string): string {
  return `dead.${tokenOf(job)}`;
}

/** Returns the port. */
export function workPort(options: WorkPortOptions): LedgerPort {
  const jobs = new Map<string, DrivenJob>();
  return {
    addJob: (job) => {
      if (!jobs.has(job)) jobs.set(job, new DrivenJob(job, options));
    },
    addTile: (job, work) => jobs.get(job)?.add(work) ?? Promise.resolve({ kind: 'removed' }),
    removeJob: (job) => {
      jobs.get(job)?.close();
      jobs.delete(job);
    },
  };
}

interface Asked {
  readonly work: TileWork;
  readonly fate: Promise<TileFate>;
  readonly settle: (fate: TileFate) => void;
  /** It has been put into the queue. */
  isQueued: boolean;
}

/** A job that this gateway drives. */
class DrivenJob {
  private readonly job: string;
  private readonly options: WorkPortOptions;
  private readonly writer: ItemWriter;
  private readonly asked = new Map<string, Asked>();
  private readonly committed = new Set<string>();
  private readonly ending = new AbortController();
  private readonly closers: (() => void)[] = [];
  private readonly opened: Promise<void>;
  private isAuditing = false;

  constructor(job: string, options: WorkPortOptions) {
    this.job = job;
    this.options = options;
    this.writer = new ItemWriter(options.engine.objects, job);
    this.opened = this.untilDone(() => this.open());
    const timer = setInterval(() => void this.audit(), options.auditMs);
    this.closers.push(() => clearInterval(timer));
  }

  add(work: TileWork): Promise<TileFate> {
    const known = this.asked.get(work.tile.id);
    if (known !== undefined) return known.fate;
    let settle: (fate: TileFate) => void = () => undefined;
    const fate = new Promise<TileFate>((resolve) => {
      settle = resolve;
    });
    const asked = { work, fate, settle, isQueued: false };
    this.asked.set(work.tile.id, asked);
    void this.untilDone(() => this.queue(asked));
    return fate;
  }

  close(): void {
    this.ending.abort();
    for (const close of this.closers) close();
    for (const tile of [...this.asked.keys()]) this.settle(tile, { kind: 'removed' });
  }

  private async open(): Promise<void> {
    const { link, work, signals } = this.options;
    await work.open(this.job);
    const stopFollowing = await followResults(link, this.job, (tile) => {
      this.committed.add(tile);
      this.settle(tile, { kind: 'done' });
    });
    this.closers.push(
      stopFollowing,
      signals.hear(deadTileTopic(this.job), (message) => {
        const { tile, reason } = message as Partial<DeadTileNotice>;
        if (typeof tile === 'string') this.settle(tile, { kind: 'dead', reason: String(reason) });
      }),
    );
    // What was opened after the end is not to stay open.
    if (this.ending.signal.aborted) for (const close of this.closers) close();
  }

  private async queue(asked: Asked): Promise<void> {
    const { engine, work } = this.options;
    const { tile } = asked.work;
    await this.opened;
    // Asked for although it was committed: it has been dropped since, or another driver had it solved.
    if (this.committed.has(tile.id) && (await engine.hasResult(this.job, tile.id)))
      return this.settle(tile.id, { kind: 'done' });
    this.committed.delete(tile.id);
    await work.put(this.job, tile.id, await this.writer.write(asked.work));
    asked.isQueued = true;
  }

  /** The queue is listed before the results: what has left it by then is among them. */
  private async audit(): Promise<void> {
    const tiles = [...this.asked].filter(([, { isQueued }]) => isQueued);
    if (tiles.length === 0 || this.isAuditing) return;
    this.isAuditing = true;
    try {
      // A gateway that clears away after the job's last run may have closed it.
      await this.options.work.open(this.job);
      const waiting = await this.options.work.waiting(this.job);
      const committed = await this.options.engine.committedTiles(this.job);
      for (const [tile] of tiles) if (committed.has(tile)) this.settle(tile, { kind: 'done' });
      const lost = tiles.filter(([tile, asked]) => !waiting.has(tile) && this.asked.get(tile) === asked);
      // An item may have been taken off the queue since what it refers to is gone.
      if (lost.length > 0) this.writer.forgetStored();
      for (const [tile, asked] of lost) {
        if (this.asked.get(tile) !== asked) continue;
        this.options.onTrouble(`tile ${tile} of job ${this.job} was lost from the queue`);
        await this.queue(asked);
      }
    } catch (error) {
      this.options.onTrouble(String(error));
    } finally {
      this.isAuditing = false;
    }
  }

  private settle(tile: string, fate: TileFate): void {
    this.asked.get(tile)?.settle(fate);
    this.asked.delete(tile);
  }

  /** Runs a step until it succeeds or the job is removed. Never rejects. */
  private async untilDone(step: () => Promise<void>): Promise<void> {
    const { signal } = this.ending;
    while (!signal.aborted) {
      try {
        await step();
        return;
      } catch (error) {
        this.options.onTrouble(reasonOf(error));
        await delay(retryMs, undefined, { signal }).catch(() => undefined);
      }
    }
  }
}
