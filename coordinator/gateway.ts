/**
 * The coordinator as a service: jobs, ledger, engine and checking threads behind one HTTP and WebSocket listener. What happens where:
 *
 *   gateway/socket-server.ts    sockets and what they may do to us     gateway/http-routes.ts   the HTTP interface
 *   gateway/gateway-session.ts  one connection                         gateway/ledger-shell.ts  the ledger's effects
 *   gateway/tile-check-pool.ts  results are checked on threads         jobs/jobs.ts             from networks to tickets
 */
import { randomBytes } from 'node:crypto';
import type { Server } from 'node:http';
import type { AddressInfo, BlockList } from 'node:net';
import { performance } from 'node:perf_hooks';
import { closeMsMax, engineAwayMs, engineAwayRetryMs, gatewayCountMax } from '../src/core/limits.ts';
import type { Solver } from '../src/core/plan/tile.ts';
import type { TileSize } from '../src/core/plan/tiles.ts';
import { type Cluster, type ClusterOptions, openCluster } from './cluster/cluster.ts';
import type { Engine } from './engine/engine.ts';
import { openLocalEngine } from './engine/local-engine.ts';
import { accessChecker, originChecker } from './gateway/access.ts';
import { clientAddressOf } from './gateway/client-address.ts';
import { type ConnectionOrigin, GatewaySession } from './gateway/gateway-session.ts';
import { type Backend, httpRoutes } from './gateway/http-routes.ts';
import { httpServer, listen } from './gateway/http-server.ts';
import { openJoin } from './gateway/join.ts';
import { type LedgerShell, openLedgerShell } from './gateway/ledger-shell.ts';
import { checkListenAddress } from './gateway/listen-address.ts';
import { listenLive } from './gateway/live/live.ts';
import { liveRoute } from './gateway/live/live-route.ts';
import { type Log, openLog } from './gateway/log.ts';
import { type Metrics, openMetrics } from './gateway/metrics.ts';
import { Offences } from './gateway/offences.ts';
import { openPages } from './gateway/pages.ts';
import { provingChecks } from './gateway/proving-checks.ts';
import { searchViewOf, searchViewText } from './gateway/search-view.ts';
import { openSocketServer, type SocketServer, socketPath } from './gateway/socket-server.ts';
import { openTileCheckPool } from './gateway/tile-check-pool.ts';
import { jobEngineOf } from './jobs/job-store.ts';
import { type Jobs, startJobs } from './jobs/jobs.ts';
import { threadRunner } from './jobs/thread-runner.ts';
import { type LedgerStatus, ledgerStatus } from './ledger.ts';
import { reasonOf } from './reason-of.ts';
import { newTokenKey, type TokenKeys } from './tokens.ts';
import { waitAtMost } from './wait-at-most.ts';

/** What a coordinator runs with. */
export interface ServeOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Where its store is; made if it is not there. Not used with `cluster`. */
  readonly directory: string;
  /** Shares jobs, results and work with other coordinators instead of keeping them in the directory. */
  readonly cluster?: ClusterOptions;
  /** Under which URL workers reach it, if not under the one it listens on. */
  readonly advertise?: string;
  /** Null: nobody needs a token; on loopback only. */
  readonly keys: TokenKeys | null;
  /** PEM texts; null: no encryption. */
  readonly tls: { readonly cert: string; readonly key: string } | null;
  /** Allows other addresses than loopback without encryption. */
  readonly insecure: boolean;
  /** Threads that check results and tickets. */
  readonly threads: number;
  /** Plans, and solves what no worker could. Whoever gives it closes it. */
  readonly solver: Solver;
  /** Hex SHA-256 of the kernel that workers have to run. */
  readonly build: string;
  /** Writes lines of the log. */
  readonly writeLog: (line: string) => void;
  /** One copy in so many of a trusted worker's results is checked on arrival. */
  readonly checkOneIn?: number;
  /** URLs of other gateways that workers may move to. */
  readonly gateways?: readonly string[];
  /** Whose X-Forwarded-For is believed; see gateway/client-address.ts. */
  readonly proxies?: BlockList | undefined;
  /** Web pages that may use it, as https://host. */
  readonly allowedOrigins?: readonly string[];
  /** Lets anybody who reaches it lend it a browser; see gateway/join.ts. */
  readonly volunteers?: boolean;
  /** How large it cuts the tiles of the jobs it drives, if not as plan/tiles.ts has it. */
  readonly tileSize?: TileSize | undefined;
}

/** A coordinator that runs. */
export interface RunningCoordinator {
  /** http://host:port or https://host:port. */
  readonly url: string;
  readonly port: number;
  readonly jobs: Jobs;
  /**
   * Grants no more, stores and acknowledges what has come in, tells everybody to come back, and ends within seconds: no part of it is
   * waited for longer than closeMsMax. Idempotent.
   */
  close(): Promise<void>;
}

/** Every how many copies of a trusted worker's result are checked; see {@link ServeOptions.checkOneIn}. */
const checkOneInDefault = 16;
/** The ledger wants to be told the time every second or oftener. */
const tickMs = 250;

/**
 * Returns a coordinator that listens and has taken up the jobs of its directory.
 * @throws TombolaError (misuse) when the address may not be used so or is in use, or another process has the directory.
 */
export async function serve(options: ServeOptions): Promise<RunningCoordinator> {
  const { host, port, keys, tls, insecure, proxies } = options;
  const isProxied = proxies !== undefined;
  checkListenAddress({ host, port, insecure, isProxied, hasKeys: keys !== null, isEncrypted: tls !== null });
  const log = openLog(options.writeLog);
  const cluster = options.cluster === undefined ? undefined : await openCluster(options.cluster, log);
  const engine = cluster?.engine ?? (await openLocalEngine(options.directory));
  const closers: (() => Promise<void>)[] = [() => (cluster ?? engine).close()];
  try {
    const service = await openService(options, { engine, cluster, log, closers });
    await listen(service.server, { host, port });
    service.server.on('error', (error) => log('listener-error', { reason: reasonOf(error) }));
    const address = service.server.address() as AddressInfo;
    const name = host.includes(':') ? `[${host}]` : host;
    const url = `${tls === null ? 'http' : 'https'}://${name}:${address.port}`;
    log('started', { url, needsToken: keys !== null });
    cluster?.gateways.announce(options.advertise ?? `${url.replace(/^http/, 'ws')}${socketPath}`);
    let closing: Promise<void> | undefined;
    return {
      url,
      port: address.port,
      jobs: service.jobs,
      close: () => {
        closing ??= shutDown(service, { closers, log });
        return closing;
      },
    };
  } catch (error) {
    await closeAll(closers);
    throw error;
  }
}

interface Service {
  readonly server: Server;
  readonly sockets: SocketServer;
  readonly shell: LedgerShell;
  readonly jobs: Jobs;
  readonly cluster: Cluster | undefined;
  /** URLs of the gateways that pages may move to. */
  readonly pageGateways: readonly string[];
}

async function openService(
  options: ServeOptions,
  {
    engine,
    cluster,
    log,
    closers,
  }: { engine: Engine; cluster: Cluster | undefined; log: Log; closers: (() => Promise<void>)[] },
): Promise<Service> {
  const { keys, threads, solver, tileSize } = options;
  const metrics = openMetrics();
  closers.unshift(async () => metrics.close());
  const checks = provingChecks(openTileCheckPool({ threads }), solver);
  closers.unshift(() => checks.close());
  let jobs: Jobs | undefined;
  const nowMs = (): number => performance.now();
  const live = listenLive({ log, observer: metrics, nowMs });
  const ownKey = randomBytes(32);
  const shell = openLedgerShell({
    engine,
    checks,
    solver,
    leaseKey: () => cluster?.leaseKey() ?? ownKey,
    checkOneIn: options.checkOneIn ?? checkOneInDefault,
    form: 'coded',
    stateOf: (job) => jobs?.stateOf(job),
    nowMs,
    log: live.log,
    observer: live.observer,
    ...(cluster === undefined ? {} : { adoption: cluster }),
  });
  const volunteerKeys = keys ?? { current: newTokenKey(), previous: null };
  const checkAccess = accessChecker(keys, volunteerKeys);
  const gateways = options.gateways ?? [];
  const checkOrigin = originChecker({
    // A volunteer's page that one gateway served goes on with another.
    allowedOrigins: [...(options.allowedOrigins ?? []), ...gateways.map(pageOriginOf)],
    isOpen: keys === null,
  });
  const server = httpServer(options.tls);
  const addressOf = clientAddressOf(options.proxies);
  const offences = new Offences();
  // A page may reach only those that its content security policy names.
  const gatewaysFor = ({ isPage }: ConnectionOrigin): readonly string[] =>
    isPage ? gateways : [...gateways, ...(cluster?.gateways.all() ?? [])];
  const setting = { shell, build: options.build, checkAccess, gateways: gatewaysFor, offences, nowMs };
  const sockets = openSocketServer(server, {
    checkAccess,
    checkOrigin,
    addressOf,
    openSession: (transport, origin) => new GatewaySession(transport, origin, { ...setting, log: live.log }),
    onOutcome: (outcome) => metrics.connected(outcome),
    offences,
    log,
  });
  closers.unshift(() => sockets.close(1012, 'the coordinator restarts', closeMsMax));
  const timer = setInterval(() => {
    shell.tick();
    for (const session of sockets.sessions) session.tick();
  }, tickMs);
  closers.unshift(async () => clearInterval(timer));
  const pageGateways = gateways.slice(0, gatewayCountMax);
  const awayTimer = setInterval(() => {
    const others = cluster?.refuge() ?? [];
    if (others.length > 0) sendAway(sockets, { others, pageGateways, graceMs: engineAwayRetryMs });
  }, engineAwayMs);
  closers.unshift(async () => clearInterval(awayTimer));
  jobs = await startJobs({
    engine,
    ledger: cluster?.port ?? shell.port,
    planSolver: solver,
    runner: threadRunner({ verifyThreads: threads }),
    tileObserver: live.tileObserver,
    tileSize,
    onChange: jobLogger(live.log, (job) => jobs?.stateOf(job)),
    ...(cluster === undefined ? {} : { sharing: live.noticing(cluster.sharing) }),
  });
  closers.unshift(async () => jobs?.close());
  const status = () => ledgerStatus(shell.ledger, nowMs());
  await cluster?.start({ jobs, ledger: shell.port, ledgerStatus: status });
  const isReady = (): boolean => (cluster?.refuge() ?? null) === null;
  const backend = backendOf({ jobs, engine, status, sockets, metrics, isReady, nowMs });
  const pages = openPages({
    hasVolunteers: options.volunteers === true,
    gateways,
    isEncrypted: options.tls !== null,
  });
  const join = options.volunteers === true ? openJoin(volunteerKeys, nowMs()) : null;
  const feed = live.serve({ jobs, ledger: shell.ledger, sessions: sockets.sessions, engine });
  closers.unshift(async () => feed.close());
  const routes = { backend, pages, join, live: liveRoute(feed, checkAccess), checkAccess, checkOrigin };
  server.on('request', httpRoutes({ ...routes, addressOf, log: live.log }));
  return { server, sockets, shell, jobs, cluster, pageGateways };
}

/** Has workers go on with other gateways, where there are any. */
function sendAway(
  { sessions }: SocketServer,
  {
    others,
    pageGateways,
    graceMs,
  }: {
    readonly others: readonly string[];
    readonly pageGateways: readonly string[];
    readonly graceMs: number;
  },
): void {
  for (const session of sessions) {
    const gateways = session.origin.isPage ? pageGateways : others.slice(0, gatewayCountMax);
    session.send({ kind: 'drain', graceMs, gateways });
  }
}

/** The origin of the pages that the gateway at a WebSocket URL serves. */
function pageOriginOf(url: string): string {
  return new URL(url.replace(/^ws/, 'http')).origin;
}

/** Logs a job when its state has changed; progress is for whoever asks. */
function jobLogger(log: Log, stateOf: (job: string) => string | undefined): (job: string) => void {
  const states = new Map<string, string>();
  return (job) => {
    const state = stateOf(job) ?? 'removed';
    if (states.get(job) === state) return;
    if (state === 'removed') states.delete(job);
    else states.set(job, state);
    log('job', { job, state });
  };
}

function backendOf(parts: {
  jobs: Jobs;
  engine: Engine;
  status: () => LedgerStatus;
  sockets: SocketServer;
  metrics: Metrics;
  isReady: () => boolean;
  nowMs: () => number;
}): Backend {
  const { jobs, status, sockets, metrics, isReady, nowMs } = parts;
  const engine = jobEngineOf(parts.engine);
  return {
    isReady,
    jobs: async () => jobs.list(),
    job: (id) => jobs.find(id),
    submit: async (submission) => (await jobs.find(await jobs.submit(submission))) ?? {},
    cancel: async (id) => {
      await jobs.cancel(id);
      return jobs.find(id);
    },
    remove: async (id) => ((await jobs.remove(id)) ? { job: id, state: 'removed' } : undefined),
    ticket: async (id) => {
      const status = await jobs.find(id);
      if (status === undefined) return undefined;
      return status.result === null ? null : ((await engine.readBlob(status.result.ticketBlob)) ?? null);
    },
    blob: (sha256) => engine.readBlob(sha256),
    workers: () => {
      const standing = new Map(status().sessions.map((session) => [session.session, session]));
      return [...sockets.sessions].flatMap(({ view }) =>
        view === undefined ? [] : [{ ...view, ...standing.get(view.session) }],
      );
    },
    searchView: searchViewText(() => searchViewOf(jobs.running(), status().sessions), nowMs),
    metrics: async () => ({
      text: await metrics.text(metricsSource({ jobs, status })),
      contentType: metrics.contentType,
    }),
  };
}

function metricsSource({
  jobs,
  status,
}: {
  jobs: Jobs;
  status: () => LedgerStatus;
}): Parameters<Metrics['text']>[0] {
  const count = (into: Record<string, number>, key: string, by: number): void => {
    into[key] = (into[key] ?? 0) + by;
  };
  return {
    tilesByState: () => {
      const tiles: Record<string, number> = {};
      for (const { counts } of status().jobs)
        for (const [state, number] of Object.entries(counts)) count(tiles, state, number);
      return tiles;
    },
    jobsByState: () => {
      const states: Record<string, number> = {};
      for (const { state } of jobs.list()) count(states, state, 1);
      return states;
    },
    sessionCount: () => status().sessions.length,
  };
}

/**
 * Results that came in are stored and acknowledged first; connections end before jobs do, since a job that ends gives up its tiles
 * and would tell workers to throw their results away.
 */
async function shutDown(
  { server, sockets, shell, cluster, pageGateways }: Service,
  { closers, log }: { closers: (() => Promise<void>)[]; log: Log },
): Promise<void> {
  log('stopping');
  server.close();
  server.closeIdleConnections();
  shell.drain();
  sendAway(sockets, { others: cluster?.gateways.others() ?? [], pageGateways, graceMs: closeMsMax });
  await waitAtMost(closeMsMax, shell.settled());
  await sockets.close(1012, 'the coordinator restarts', closeMsMax);
  server.closeAllConnections();
  await cluster?.drain();
  await closeAll(closers);
  log('stopped');
}

async function closeAll(closers: (() => Promise<void>)[]): Promise<void> {
  for (const close of closers.splice(0)) await close();
}
