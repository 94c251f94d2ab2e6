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

/** What a feed works with; whoever made these closes them. */
export interface WorkFeedOptions {
  readonly engine: Pick<NatsEngine, 'hasResult'>;
  readonly work: WorkStream;
  readonly items: ItemReader;
  readonly signals: Signals;
  /** This gateway's own ledger. */
  readonly ledger: LedgerPort;
  readonly ledgerStatus: () => Pick<LedgerStatus, 'sessions' | 'openTiles'>;
  /** Undefined for a job that does not run. */
  readonly priorityOf: (job: string) => number | undefined;
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
/** A job that has just been opened is found after this time at most: thousands may run, and few are open. */
const listMs = 500;
/** A tile that could not be read, or whose driver has not heard that nobody can solve it, is tried again after this time. */
const retryMs = 5000;

/** The tiles that a gateway holds of the shared queue. */
export class WorkFeed {
  private readonly options: WorkFeedOptions;
  private readonly held = new Map<string, Held>();
  /** Jobs whose queues are open, as they were listed last. */
  private open = new Set<string>();
  private listedAt = Number.NEGATIVE_INFINITY;
  private isListing = false;
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
    if (this.isClosed || this.options.priorityOf(job) === undefined) return false;
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
        await delay(listMs);
      }
      if (count === 0) await delay(idleMs);
    }
  }

  /** Takes what there is room for, of the most urgent jobs first, those of one priority in turns; returns how many. */
  private async fill(): Promise<number> {
    const room = this.room();
    if (room <= 0) return 0;
    void this.list();
    this.turn++;
    let taken = 0;
    for (const equals of this.openByPriority()) taken += await this.pullEvenly(equals, room - taken);
    return taken;
  }

  /** Lists the open queues where that was long ago. Nobody waits for it: what was open is pulled from meanwhile. Never rejects. */
  private async list(): Promise<void> {
    const { nowMs, work } = this.options;
    if (this.isListing || nowMs() - this.listedAt < listMs) return;
    this.isListing = true;
    try {
      this.open = new Set(await work.jobs());
    } catch (error) {
      if (!this.isClosed) this.trouble(error);
    }
    this.listedAt = nowMs();
    this.isListing = false;
  }

  /** Running jobs with an open queue, the most urgent first. */
  private openByPriority(): readonly (readonly string[])[] {
    const groups = new Map<number, string[]>();
    for (const job of this.open) {
      const priority = this.options.priorityOf(job);
      if (priority === undefined) continue;
      const group = groups.get(priority);
      group === undefined ? groups.set(priority, [job]) : group.push(job);
    }
    return [...groups].sort(([a], [b]) => b - a).map(([, jobs]) => jobs);
  }

  /** Takes the same of each job, and what some do not have of the others; returns how many. All are asked at a time: most may be empty. */
  private async pullEvenly(jobs: readonly string[], room: number): Promise<number> {
    const first = this.turn % jobs.length;
    let left = room;
    for (let asked = [...jobs.slice(first), ...jobs.slice(0, first)]; asked.length > 0 && left > 0; ) {
      if (this.isClosed) break;
      const share = Math.min(feedPullMax, Math.max(1, Math.floor(left / asked.length)));
      const now = asked.slice(0, left);
      const counts = await Promise.all(now.map((job) => this.pull(job, share)));
      left -= counts.reduce((sum, count) => sum + count, 0);
      asked = [...asked.slice(now.length), ...now.filter((_, k) => counts[k] === share)];
    }
    return room - left;
  }

  private async pull(job: string, count: number): Promise<number> {
    const deliveries = await this.options.work.pull(job, count);
    if (deliveries === null) this.open.delete(job);
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
      const priority = this.options.priorityOf(job);
      if (priority === undefined || this.isClosed) {
        delivery.giveBack();
        return false;
      }
      const key = `${job}/${tile}`;
      // One that was only found is not kept: it must not stand for one that was pulled.
      if (delivery.isPulled || !this.held.has(key)) this.held.set(key, { job, delivery });
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
      this.options.priorityOf(job) === undefined ? delivery.done() : delivery.giveBack();
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

  private trouble(error: unknown): void {
    this.options.onTrouble(reasonOf(error));
  }
}
