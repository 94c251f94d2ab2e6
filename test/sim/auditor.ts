/** Keeps the books of a simulated world: what was acknowledged, stored and said, and by whom; throws when a promise is broken. */

import { defaultLedgerSettings } from '../../coordinator/ledger/settings.ts';
import type { Ledger } from '../../coordinator/ledger.ts';
import { promise } from './clockwork.ts';
import type { Connection } from './sim-net.ts';
import { honestBody } from './toy-job.ts';
import type { World } from './world.ts';

/** Messages that an honest worker may send in a virtual minute, and connections that it may make. */
const messagesPerMinuteMax = 900;
const connectsPerMinuteMax = 60;

/** What one seed came to. */
export interface Tally {
  lies: number;
  /** Of these, wrong claims of misses that nothing has disproved on arrival. */
  deceptions: number;
  /** Tiles committed. */
  committed: number;
  quarantines: number;
}

/** The books of one world. */
export class Auditor {
  readonly tally: Tally = { lies: 0, deceptions: 0, committed: 0, quarantines: 0 };
  private readonly world: World;
  private readonly acknowledgedKeys = new Set<string>();
  private readonly committedKeys = new Set<string>();
  private readonly rates = new Map<string, { minute: number; count: number }>();
  private readonly invalids = new Map<string, number[]>();
  private readonly granted_ = new Map<string, number>();

  constructor(world: World) {
    this.world = world;
  }

  /** A worker was told that its result is durable. */
  acknowledged(job: string, tile: string, worker: string): void {
    const key = `${job}/${tile}`;
    this.world.clockwork.trace('audit', 'ack', `${worker} ${tile.slice(0, 6)}`);
    promise(this.world.store.isDurable(key), 'what is acknowledged is durable');
    this.acknowledgedKeys.add(key);
  }

  /** A worker's result was refused. */
  refused(worker: string, { code, reason }: { readonly code: string; readonly reason: string }): void {
    if (worker === '' || (code !== 'residual' && code !== 'quarantine')) return;
    promise(!this.world.isHonest(worker), `no honest worker is called a liar (${code}: ${reason})`);
    if (code === 'quarantine') this.tally.quarantines++;
  }

  /** The ledger gave a session up. */
  disconnected(
    peer: { readonly worker: string; readonly connection: Connection } | undefined,
    reason: string,
  ): void {
    if (reason !== 'no sign of life' || peer === undefined) return;
    const { worker, connection } = peer;
    promise(
      !connection.isHealthy || this.world.hasBeenStill(worker),
      `nobody is given up whose connection is well (${worker})`,
    );
  }

  /** A worker was granted a tile. */
  granted(worker: string, job: string, tile: string): void {
    const key = `${job}/${tile}`;
    const count = (this.granted_.get(key) ?? 0) + 1;
    this.granted_.set(key, count);
    this.world.clockwork.trace('audit', 'granted', `${worker} ${tile.slice(0, 6)}`);
    promise(count < 400, 'no tile is granted without end');
  }

  /** A result that a worker sent did not verify. */
  invalid(worker: string, ledger: Ledger): void {
    const now = this.world.clockwork.now;
    const times = (this.invalids.get(worker) ?? []).filter((at) => at > now - 300_000);
    times.push(now);
    this.invalids.set(worker, times);
    const { badOutcomesMax, resultsPerWorkerMin } = defaultLedgerSettings;
    // A restart forgets quarantines: each boot may see as many again.
    const boots = this.world.bootCount;
    promise(
      times.length <= boots * (badOutcomesMax + 2 * Math.max(resultsPerWorkerMin, 64)) &&
        ledger !== undefined,
      'bad results of one worker are bounded',
    );
    promise(
      times.length <= boots * (badOutcomesMax + 2 * resultsPerWorkerMin) || this.world.hasEarnedTrust(worker),
      'bad results of a stranger are bounded',
    );
  }

  /** A false "no subset here" has passed verification, as it does where misses are not proven. */
  deceived(): void {
    this.tally.deceptions++;
  }

  /** A result is believed and on its way into the store. */
  stored({
    base,
    body,
    worker,
  }: {
    readonly base: number;
    readonly body: string;
    readonly worker: string;
  }): void {
    if (body === honestBody(base)) return;
    promise(!this.world.isHonest(worker), 'honest workers send the one right result');
    promise(false, `no false miss is believed (${worker})`);
  }

  /** The store says that a result is new. */
  committed(job: string, tile: string): void {
    const key = `${job}/${tile}`;
    promise(!this.committedKeys.has(key), 'of several commits of a tile one is new');
    this.committedKeys.add(key);
    this.tally.committed++;
  }

  /** A tile is to be solved, perhaps again. */
  reopened(job: string, tile: string): void {
    const key = `${job}/${tile}`;
    if (this.world.store.keys(key).length > 0) return;
    this.committedKeys.delete(key);
    this.acknowledgedKeys.delete(key);
  }

  /** The store has lost what was not durable: nothing acknowledged may be missing. */
  crashed(): void {
    for (const key of this.acknowledgedKeys)
      promise(this.world.store.keys(key).length > 0, 'what was acknowledged survives a crash');
    for (const key of [...this.committedKeys])
      if (this.world.store.keys(key).length === 0) this.committedKeys.delete(key);
  }

  /** A worker sent a message. */
  message(worker: string, kind: string): void {
    this.world.clockwork.trace(worker, kind);
    if (!this.world.isHonest(worker)) return;
    promise(this.count(`m/${worker}`) <= messagesPerMinuteMax, 'no storm of messages');
  }

  /** A worker tried to connect. */
  connects(worker: string): void {
    this.world.clockwork.trace(worker, 'connect');
    promise(this.count(`c/${worker}`) <= connectsPerMinuteMax, 'no storm of connections');
  }

  private count(key: string): number {
    const minute = Math.floor(this.world.clockwork.now / 60_000);
    const rate = this.rates.get(key);
    if (rate === undefined || rate.minute !== minute) {
      this.rates.set(key, { minute, count: 1 });
      return 1;
    }
    return ++rate.count;
  }
}
