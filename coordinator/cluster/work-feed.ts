/**
 * What a gateway takes from the shared queue for its own ledger and workers. It asks for about as much as its workers hold, so that
 * gateways share the work as their workers are strong; says of what it holds that it is still at it; and acknowledges a tile after
 * the tile's result was committed. Without workers it gives everything back.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { closeMsMax, feedGraceMs, feedPullMax } from '../../src/core/limits.ts';
import { ProtocolError } from '../../src/core/protocol/protocol-error.ts';
import type { NatsEngine } from '../engine/nats/nats-engine.ts';
import type { Signals } from '../engine/nats/signals.ts';
import type { Delivery, WorkStream } from '../engine/nats/work-stream.ts';
import type { LedgerPort, TileFate } from '../jobs/ledger-port.ts';
import type { LedgerStatus } from '../ledger.ts';
import { reasonOf } from '../reason-of.ts';
import { waitAtMost } from '../wait-at-most.ts';
import { DamagedItem, type ItemReader } from './work-item.ts';
import { type DeadTileNotice, deadTileTopic } from './work-port.ts';

/** A job that may have tiles in the queue. */
export interface QueuedJob {
  readonly job: string;
  readonly priority: number;
}

/** What a feed works with; whoever made these closes them. */
export interface WorkFeedOptions {
  readonly engine: Pick<NatsEngine, 'hasResult'>;
  readonly work: WorkStream;
  readonly items: ItemReader;
  readonly signals: Signals;
  /** This gateway's own ledger. */
  readonly ledger: LedgerPort;
  readonly ledgerStatus: () => Pick<LedgerStatus, 'sessions' | 'openTiles'>;
  /** Jobs that run. */
  readonly jobs: () => readonly QueuedJob[];
  /** An item that nobody says anything about for this long is given to another gateway. */
  readonly ackMs: number;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
  readonly onTrouble: (reason: string) => void;
}

interface Held {
  readonly job: string;
  readonly delivery: Delivery;
}

/** Between two looks at whether there is something to do. */
const idleMs = 50;
/** A job without a queue is not being solved yet; it is looked at again after this time. */
const closedMs = 500;
/** A tile that could not be read, or whose driver has not heard that nobody can solve it, is tried again after this time. */
const retryMs = 5000;

/** The tiles that a gateway holds of the shared queue. */
export class WorkFeed {
  private readonly options: WorkFeedOptions;
  private readonly held = new Map<string, Held>();
  private readonly notBefore = new Map<string, number>();
  private readonly timer: ReturnType<typeof setInterval>;
  private readonly loop: Promise<void>;
  private turn = 0;
  private idleSince: number;
  private isClosed = false;

  constructor(options: WorkFeedOptions) {
    this.options = options;
    this.idleSince = options.nowMs();
    this.timer = setInterval(() => this.keep(), options.ackMs / 3);
    this.loop = this.run();
  }

  /**
   * Takes a tile that a worker has in hand or has solved for another gateway into this one's ledger, wherever the queue has it.
   * Returns false where no job asks for it. Never rejects.
   */
  async adopt(job: string, tile: string): Promise<boolean> {
    if (this.isClosed || this.priorityOf(job) === undefined) return false;
    try {
      const delivery = await this.options.work.find(job, tile);
      return delivery !== undefined && (await this.take(job, delivery));
    } catch (error) {
      this.trouble(error);
      return false;
    }
  }

  /** Forgets the tiles of a job that is over. */
  drop(job: string): void {
    this.options.ledger.removeJob(job);
  }

  /** Takes nothing more, and gives back what is not done. Idempotent. */
  async close(): Promise<void> {
    this.isClosed = true;
    clearInterval(this.timer);
    // It may be asking servers that are away.
    await waitAtMost(closeMsMax, this.loop);
    this.giveBackAll();
    // Removed tiles settle in microtasks.
    await delay(0);
  }

  /** Never rejects. */
  private async run(): Promise<void> {
    while (!this.isClosed) {
      let count = 0;
      try {
        count = await this.fill();
      } catch (error) {
        this.trouble(error);
        await delay(closedMs);
      }
      if (count === 0) await delay(idleMs);
    }
  }

  /** Takes what there is room for, of the most urgent jobs first, those of one priority in turns; returns how many. */
  private async fill(): Promise<number> {
    const room = this.room();
    if (room <= 0) return 0;
    const now = this.options.nowMs();
    const jobs = this.options.jobs().filter(({ job }) => (this.notBefore.get(job) ?? now) <= now);
    this.turn++;
    let taken = 0;
    for (const priority of [...new Set(jobs.map((job) => job.priority))].sort((a, b) => b - a)) {
      const equals = jobs.filter((job) => job.priority === priority);
      for (let index = 0; index < equals.length && taken < room && !this.isClosed; index++) {
        const next = equals[(index + this.turn) % equals.length];
        const share = Math.ceil((room - taken) / (equals.length - index));
        if (next !== undefined) taken += await this.pull(next.job, share);
      }
    }
    return taken;
  }

  private async pull(job: string, count: number): Promise<number> {
    const deliveries = await this.options.work.pull(job, Math.min(count, feedPullMax));
    if (deliveries === null) this.notBefore.set(job, this.options.nowMs() + closedMs);
    await Promise.all((deliveries ?? []).map((delivery) => this.take(job, delivery)));
    return deliveries?.length ?? 0;
  }

  /** Tiles that workers may soon ask for: as many as they hold, two for each thread at least. */
  private room(): number {
    const { sessions, openTiles } = this.options.ledgerStatus();
    const now = this.options.nowMs();
    if (sessions.length > 0) this.idleSince = now;
    else if (now - this.idleSince > feedGraceMs) this.giveBackAll();
    let wanted = 0;
    for (const { threads, leases, isQuarantined } of sessions)
      if (!isQuarantined) wanted += Math.max(2 * threads, leases);
    return wanted - openTiles;
  }

  /** Hands a tile to the ledger; returns whether it has it. Never rejects. */
  private async take(job: string, delivery: Delivery): Promise<boolean> {
    const { engine, items, ledger } = this.options;
    const { tile, item, isRepeated } = delivery;
    try {
      // Whoever had it may have committed it, and died or been cut off before saying so.
      if (isRepeated && (await engine.hasResult(job, tile))) {
        delivery.done();
        return false;
      }
      const work = await items.read(job, tile, item);
      const priority = this.priorityOf(job);
      if (priority === undefined || this.isClosed) {
        delivery.giveBack();
        return false;
      }
      this.held.set(`${job}/${tile}`, { job, delivery });
      ledger.addJob(job, priority);
      const fate = ledger.addTile(job, work);
      fate.then((known) => this.settle({ job, tile, delivery }, known)).catch((error) => this.trouble(error));
      return true;
    } catch (error) {
      this.trouble(error);
      // A damaged item would come back for ever; without it the driver's audit puts a new one.
      const isDamaged = error instanceof ProtocolError || error instanceof DamagedItem;
      isDamaged ? delivery.done() : delivery.giveBack(retryMs);
      return false;
    }
  }

  private async settle(
    { job, tile, delivery }: { job: string; tile: string; delivery: Delivery },
    fate: TileFate,
  ): Promise<void> {
    const key = `${job}/${tile}`;
    if (this.held.get(key)?.delivery === delivery) this.held.delete(key);
    if (fate.kind === 'done') delivery.done();
    else if (fate.kind === 'removed')
      this.priorityOf(job) === undefined ? delivery.done() : delivery.giveBack();
    else {
      const notice: DeadTileNotice = { tile, reason: fate.reason };
      const isHeard = await this.options.signals.ask(deadTileTopic(job), notice);
      isHeard ? delivery.done() : delivery.giveBack(retryMs);
    }
  }

  private keep(): void {
    for (const { delivery } of this.held.values()) delivery.keep();
  }

  private giveBackAll(): void {
    for (const job of new Set([...this.held.values()].map((held) => held.job)))
      this.options.ledger.removeJob(job);
  }

  /** Undefined where the job does not run. */
  private priorityOf(job: string): number | undefined {
    return this.options.jobs().find((running) => running.job === job)?.priority;
  }

  private trouble(error: unknown): void {
    this.options.onTrouble(reasonOf(error));
  }
}
