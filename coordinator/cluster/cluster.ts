/**
 * Gateways that are equals: any number of coordinators over one NATS cluster, of which any may die.
 *
 *   what is shared            where                                      who
 *   jobs                      key-value, followed by all                 any gateway takes submissions and cancellations
 *   driving a job             a claim in key-value (job-claims.ts)       one gateway at a time plans, asks for tiles, seals the ticket
 *   tiles to be solved        a work queue (work-port.ts)                put by the driver, pulled by all (work-feed.ts)
 *   leases, trust in workers  nowhere: each gateway's own ledger         whoever pulled a tile leases it to its own workers
 *   quarantines               key-value (quarantines.ts)                 who was caught by one gateway has to wait at all
 *   what proves a lease       keys in key-value (lease-keys.ts)          any gateway knows another one's leases by their tokens
 *   results                   a stream, by compare-and-set               committed by whoever has a verified one
 *   who is up                 key-value (gateway-list.ts)                told to workers, who move between gateways
 *
 *   driver ─ put ─▶ queue ─ pull ─▶ gateway's ledger ─ lease ─▶ worker ─ result ─▶ any gateway ─ commit ─▶ results ─ follow ─▶ driver
 *
 * Nothing depends on a gateway's being alive. The driver's claim ends when it is not renewed, and another gateway plans the same
 * plan (it is kept), asks for the same tiles (their ids are hashes) and finds most of them committed. A tile that a dead gateway had
 * pulled is given to another one after workAckMs. A worker goes on with another gateway and says there what it holds: that one
 * fetches those tiles from the queue into its own ledger, so that neither work nor result is lost. A result proves itself, so it does
 * not matter who leased the tile. Only the compare-and-set counts: whatever is done twice is done for nothing, never wrong.
 */
import { randomUUID } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { TombolaError } from '../../src/core/errors.ts';
import {
  closeMsMax,
  engineAwayMs,
  feedLayersMax,
  jobClaimMs,
  natsOpenMsMax,
  workAckMs,
  workAuditMs,
} from '../../src/core/limits.ts';
import { openCells } from '../engine/nats/cells.ts';
import { type NatsLink, openNatsLink, parseNatsAddress } from '../engine/nats/connection.ts';
import { type NatsEngine, openNatsEngine } from '../engine/nats/nats-engine.ts';
import { checkServers, monitorsOf } from '../engine/nats/server-check.ts';
import { type Signals, signalsOf } from '../engine/nats/signals.ts';
import { checkStream } from '../engine/nats/streams.ts';
import { openWorkStream, type WorkStream } from '../engine/nats/work-stream.ts';
import type { Adoption } from '../gateway/adoption.ts';
import type { Log } from '../gateway/log.ts';
import type { JobSharing } from '../jobs/job-sharing.ts';
import type { Jobs } from '../jobs/jobs.ts';
import type { LedgerPort } from '../jobs/ledger-port.ts';
import { reasonOf } from '../reason-of.ts';
import type { LeaseClaim } from '../tokens.ts';
import { waitAtMost } from '../wait-at-most.ts';
import { EngineWatch } from './engine-watch.ts';
import { GatewayList } from './gateway-list.ts';
import { JobClaims } from './job-claims.ts';
import { JobsFollower, progressTeller } from './jobs-follower.ts';
import { LeaseKeys } from './lease-keys.ts';
import { Quarantines } from './quarantines.ts';
import { startSweep } from './start-sweep.ts';
import { WorkFeed, type WorkFeedOptions } from './work-feed.ts';
import { ItemReader } from './work-item.ts';
import { workPort } from './work-port.ts';

/** Which servers, and how they are used. */
export interface ClusterOptions {
  /** nats://[user:password@]host[:port][,host[:port]…]; tls:// for encryption. */
  readonly address: string;
  /** Servers that keep a copy of everything. */
  readonly replicas: number;
  /** Monitoring ports to ask whether the servers keep what they acknowledge; by default port 8222 of each host; null: they are not asked. */
  readonly monitors?: readonly string[] | null;
  /** See workAckMs and jobClaimMs in limits.ts; other values than the other gateways' only cost time. */
  readonly ackMs?: number;
  readonly claimMs?: number;
  readonly auditMs?: number;
}

/**
 * Asks the servers whether they keep what they acknowledge, before anything is written to them. Returns the monitors that did not
 * answer; null: none is to be asked. Servers that have just started are given time to find each other, and `onTrouble` is told why.
 * @throws TombolaError when they cannot be relied on.
 */
export async function checkEngine(
  { address, replicas, monitors }: Pick<ClusterOptions, 'address' | 'replicas' | 'monitors'>,
  onTrouble: (reason: string) => void,
): Promise<readonly string[] | null> {
  const { servers } = parseNatsAddress(address);
  if (monitors === null) return null;
  for (const endMs = nowMs() + natsOpenMsMax; ; ) {
    try {
      return await checkServers({ monitors: monitors ?? monitorsOf(servers), replicas });
    } catch (error) {
      if (!isPassing(error) || nowMs() > endMs) throw error;
      onTrouble(`${error.message}; waiting for them to find each other`);
      await delay(openRetryMs);
    }
  }
}

/** Whether it may be otherwise in a moment. */
function isPassing(error: unknown): error is TombolaError {
  return error instanceof TombolaError && error.kind === 'failure';
}

/** What a gateway shares with the others. */
export interface Cluster extends Adoption {
  readonly engine: NatsEngine;
  /** Has tiles solved by the workers of all gateways. */
  readonly port: LedgerPort;
  readonly sharing: JobSharing;
  readonly gateways: GatewayList;
  /** Begins to take work for this gateway's ledger, and to follow what the others do with jobs. */
  start(own: {
    readonly jobs: Jobs;
    readonly ledger: LedgerPort;
    readonly ledgerStatus: WorkFeedOptions['ledgerStatus'];
  }): Promise<void>;
  /** Null while the engine can be reached, else the gateways that workers may go to meanwhile. */
  refuge(): readonly string[] | null;
  /** Returns the key that signs leases now. */
  leaseKey(): Uint8Array;
  /** Takes no more work, and gives back what is not done. */
  drain(): Promise<void>;
  close(): Promise<void>;
}

const openRetryMs = 1000;

/** The bucket of all cells that are not jobs. */
export const stateBucket = 'tombola-state';

/**
 * Returns the cluster that servers make.
 * @throws TombolaError (misuse) when they cannot be relied on, (failure) when they cannot be reached.
 */
export async function openCluster(options: ClusterOptions, log: Log): Promise<Cluster> {
  const silent = await checkEngine(options, (reason) => log('engine-trouble', { reason }));
  if (silent === null) log('engine-unchecked', {});
  else if (silent.length > 0) log('engine-trouble', { reason: `no answer from ${silent.join(', ')}` });
  const cluster = new NatsCluster(await openNatsLink(parseNatsAddress(options.address)), options, log);
  const endMs = nowMs() + natsOpenMsMax;
  try {
    for (;;) {
      const trouble = await cluster.open();
      if (trouble === null) return cluster;
      if (nowMs() > endMs) throw trouble;
      log('engine-trouble', { reason: trouble.message });
      await delay(openRetryMs);
    }
  } catch (error) {
    await cluster.close();
    throw error;
  }
}

/** What this gateway has of its own. */
interface Own {
  readonly jobs: Jobs;
  readonly feed: WorkFeed;
}

/** What is shared, as it was opened. */
interface Parts {
  readonly engine: NatsEngine;
  readonly work: WorkStream;
  readonly signals: Signals;
  readonly leaseKeys: LeaseKeys;
  readonly quarantines: Quarantines;
  readonly gateways: GatewayList;
  readonly follower: JobsFollower;
  readonly port: LedgerPort;
  readonly sharing: JobSharing;
}

class NatsCluster implements Cluster {
  private readonly link: NatsLink;
  private readonly watch: EngineWatch;
  private readonly options: ClusterOptions;
  private readonly gateway = randomUUID();
  private readonly onTrouble: (reason: string) => void;
  /** The last one first. */
  private readonly closers: (() => unknown)[] = [];
  private parts: Parts | undefined;
  private own: Own | undefined;

  constructor(link: NatsLink, options: ClusterOptions, log: Log) {
    this.link = link;
    this.watch = new EngineWatch(link, nowMs);
    this.options = options;
    this.onTrouble = (reason) => log('engine-trouble', { reason });
  }

  /** Returns what is wrong with the servers at the moment; null when all is open. @throws TombolaError (misuse) what stays wrong. */
  async open(): Promise<TombolaError | null> {
    try {
      await this.openParts();
      return null;
    } catch (error) {
      if (!isPassing(error)) throw error;
      await this.closeParts();
      return error;
    }
  }

  private async openParts(): Promise<void> {
    const { link, gateway, onTrouble } = this;
    const { replicas, ackMs = workAckMs, claimMs = jobClaimMs } = this.options;
    const engine = await openNatsEngine(link, { replicas, onTrouble });
    // Where the servers do not answer, nobody is to wait for them.
    this.closers.unshift(() => waitAtMost(closeMsMax, engine.close()));
    const cells = await openCells(link, { bucket: stateBucket, replicas, onTrouble });
    await checkStream(link, `KV_${stateBucket}`, replicas);
    const work = await openWorkStream(link, { replicas, ackMs });
    const signals = signalsOf(link);
    const leaseKeys = await LeaseKeys.open(cells);
    this.closers.unshift(() => leaseKeys.close());
    const quarantines = new Quarantines(cells);
    this.closers.unshift(() => quarantines.close());
    await quarantines.open();
    await quarantines.sweep();
    const gateways = new GatewayList({ cells, gateway, nowMs });
    this.closers.unshift(() => gateways.close());
    await gateways.open();
    const onFree = (): void => this.own?.jobs.fill();
    const hasOthers = (): boolean => gateways.others().length > 0;
    const claims = new JobClaims({ cells, gateway, claimMs, nowMs, onFree, hasOthers });
    this.closers.unshift(() => claims.close());
    await claims.open();
    const follower = new JobsFollower({ engine, work, signals, gateway, onTrouble });
    this.closers.unshift(() => follower.close());
    const { auditMs = workAuditMs } = this.options;
    const port = workPort({ link, engine, work, signals, auditMs, onTrouble });
    const sharing = this.sharingBy({ engine, claims, follower, signals });
    this.closers.unshift(startSweep({ engine, cells, onTrouble }));
    this.parts = { engine, work, signals, leaseKeys, quarantines, gateways, follower, port, sharing };
  }

  get engine(): NatsEngine {
    return this.opened.engine;
  }

  get gateways(): GatewayList {
    return this.opened.gateways;
  }

  get port(): LedgerPort {
    return this.opened.port;
  }

  get sharing(): JobSharing {
    return this.opened.sharing;
  }

  async start({ jobs, ledger, ledgerStatus }: Parameters<Cluster['start']>[0]): Promise<void> {
    const { follower, engine } = this.opened;
    const feed = new WorkFeed({
      ...this.opened,
      items: new ItemReader(engine.objects, feedLayersMax),
      ledger,
      ledgerStatus,
      priorityOf: (job) => follower.priorityOf(job),
      ackMs: this.options.ackMs ?? workAckMs,
      nowMs,
      onTrouble: this.onTrouble,
    });
    this.closers.unshift(() => feed.close());
    this.own = { jobs, feed };
    await follower.open(jobs, (job) => feed.drop(job));
    jobs.fill();
  }

  async adopt(job: string, tile: string): Promise<boolean> {
    return (await this.own?.feed.adopt(job, tile)) === true;
  }

  async learn(job: string): Promise<boolean> {
    try {
      await this.opened.engine.refreshJob(job);
      return true;
    } catch (error) {
      this.onTrouble(reasonOf(error));
      return false;
    }
  }

  refuge(): readonly string[] | null {
    return this.watch.awayMs() < engineAwayMs ? null : this.opened.gateways.lastHeard();
  }

  leaseKey(): Uint8Array {
    return this.opened.leaseKeys.current();
  }

  isLease(token: Uint8Array, claim: LeaseClaim): boolean {
    return this.opened.leaseKeys.accepts(token, claim);
  }

  quarantineMs(worker: string): number {
    return this.opened.quarantines.leftMs(worker);
  }

  tellQuarantine(worker: string, ms: number): void {
    this.opened.quarantines.tell(worker, ms);
  }

  async drain(): Promise<void> {
    await this.own?.feed.close();
  }

  async close(): Promise<void> {
    await this.closeParts();
    await this.link.close();
  }

  private async closeParts(): Promise<void> {
    for (const close of this.closers.splice(0)) await close();
  }

  private sharingBy(
    parts: Pick<Parts, 'engine' | 'follower' | 'signals'> & { claims: JobClaims },
  ): JobSharing {
    const { engine, claims, follower, signals } = parts;
    return {
      isFree: (job) => this.own !== undefined && claims.isFree(job),
      claim: async (job) => {
        await follower.whenCleared(job);
        const claim = await claims.claim(job);
        if (claim !== null) follower.drove(job);
        return claim;
      },
      refresh: (job) => engine.refreshJob(job),
      tell: progressTeller({ signals, gateway: this.gateway, nowMs }),
    };
  }

  private get opened(): Parts {
    if (this.parts === undefined) throw new Error('Broken invariant: a cluster is opened before it is used');
    return this.parts;
  }
}

function nowMs(): number {
  return performance.now();
}
