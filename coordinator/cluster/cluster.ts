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
import { feedLayersMax, jobClaimMs, workAckMs, workAuditMs } from '../../src/core/limits.ts';
import { openCells } from '../engine/nats/cells.ts';
import { openNatsLink, parseNatsAddress } from '../engine/nats/connection.ts';
import { type NatsEngine, openNatsEngine } from '../engine/nats/nats-engine.ts';
import { checkServers, monitorsOf } from '../engine/nats/server-check.ts';
import { signalsOf } from '../engine/nats/signals.ts';
import { openWorkStream } from '../engine/nats/work-stream.ts';
import type { Adoption } from '../gateway/adoption.ts';
import type { Log } from '../gateway/log.ts';
import type { JobSharing } from '../jobs/job-sharing.ts';
import type { Jobs } from '../jobs/jobs.ts';
import type { LedgerPort } from '../jobs/ledger-port.ts';
import { GatewayList } from './gateway-list.ts';
import { JobClaims } from './job-claims.ts';
import { JobsFollower, progressTeller } from './jobs-follower.ts';
import { LeaseKeys } from './lease-keys.ts';
import { Quarantines } from './quarantines.ts';
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
  /** Returns the key that signs leases now. */
  leaseKey(): Uint8Array;
  /** Takes no more work, and gives back what is not done. */
  drain(): Promise<void>;
  close(): Promise<void>;
}

/** The bucket of all cells that are not jobs. */
export const stateBucket = 'tombola-state';

/**
 * Returns the cluster that servers make.
 * @throws TombolaError (misuse) when they cannot be relied on, (failure) when they cannot be reached.
 */
export async function openCluster(options: ClusterOptions, log: Log): Promise<Cluster> {
  const { replicas, monitors, claimMs = jobClaimMs, ackMs = workAckMs } = options;
  const address = parseNatsAddress(options.address);
  if (monitors === null) log('engine-unchecked', { servers: address.servers.join(',') });
  else await checkServers({ monitors: monitors ?? monitorsOf(address.servers), replicas });
  const link = await openNatsLink(address);
  try {
    const nowMs = (): number => performance.now();
    const gateway = randomUUID();
    const onTrouble = (reason: string): void => log('engine-trouble', { reason });
    const engine = await openNatsEngine(link, { replicas });
    const cells = await openCells(link, { bucket: stateBucket, replicas });
    const work = await openWorkStream(link, { replicas, ackMs });
    const signals = signalsOf(link);
    const leaseKeys = await LeaseKeys.open(cells);
    const quarantines = new Quarantines(cells);
    await quarantines.open();
    await quarantines.sweep();
    const gateways = new GatewayList({ cells, gateway, nowMs });
    await gateways.open();
    let own: { jobs: Jobs; feed: WorkFeed } | undefined;
    const onFree = (): void => own?.jobs.fill();
    const claims = new JobClaims({ cells, gateway, claimMs, nowMs, onFree });
    await claims.open();
    const follower = new JobsFollower({ engine, work, signals, gateway, onTrouble });
    return {
      engine,
      port: workPort({ link, engine, work, signals, auditMs: options.auditMs ?? workAuditMs, onTrouble }),
      sharing: {
        isFree: (job) => own !== undefined && claims.isFree(job),
        claim: async (job) => {
          const claim = await claims.claim(job);
          if (claim !== null) follower.drove(job);
          return claim;
        },
        tell: progressTeller({ signals, gateway, nowMs }),
      },
      gateways,
      start: async ({ jobs, ...rest }) => {
        const running = (): ReturnType<JobsFollower['running']> => follower.running();
        const items = new ItemReader(engine.objects, feedLayersMax);
        const common = { engine, work, items, signals, ackMs, nowMs, onTrouble };
        const feed = new WorkFeed({ ...common, ...rest, jobs: running });
        own = { jobs, feed };
        await follower.open(jobs, (job) => feed.drop(job));
        jobs.fill();
      },
      leaseKey: () => leaseKeys.current(),
      isLease: (token, claim) => leaseKeys.accepts(token, claim),
      quarantineMs: (worker) => quarantines.leftMs(worker),
      tellQuarantine: (worker, ms) => quarantines.tell(worker, ms),
      adopt: async (job, tile) => (await own?.feed.adopt(job, tile)) === true,
      drain: async () => {
        await own?.feed.close();
      },
      close: async () => {
        await follower.close();
        await own?.feed.close();
        await gateways.close();
        leaseKeys.close();
        quarantines.close();
        claims.close();
        await engine.close();
        await link.close();
      },
    };
  } catch (error) {
    await link.close();
    throw error;
  }
}
