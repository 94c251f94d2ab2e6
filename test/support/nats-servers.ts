/** NATS servers of their own on loopback, one or a cluster, that a test kills and starts again. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from './free-port.ts';
import { until } from './until.ts';

/** One server. */
export interface NatsServer {
  readonly name: string;
  /** host:port for clients. */
  readonly address: string;
  /** Base URL of its monitoring port. */
  readonly monitor: string;
  /** Starts it over what it has on its disk; with a password only for who is `tombola` and knows it. */
  start(password?: string): Promise<void>;
  /** kill -9; resolves when it is gone. */
  kill(): Promise<void>;
  /** Its process; undefined while it does not run. */
  pid(): number | undefined;
}

/** Servers that replicate each other. */
export interface NatsServers {
  readonly servers: readonly NatsServer[];
  /** As `--engine` takes it. */
  readonly url: string;
  readonly monitors: readonly string[];
  /** Resolves when most servers agree on a leader and all that run have caught up with it. */
  ready(): Promise<void>;
  close(): Promise<void>;
}

const binary = process.env.NATS_SERVER ?? 'nats-server';

/** The version of the nats-server that tests use; undefined where there is none. */
export const natsVersion: string | undefined = versionOf();

/** Whether tests with NATS servers can run; says so where not. */
export const hasNats: boolean = natsVersion !== undefined;
/** Whether it is one that coordinators rely on. */
export const isRecentNats: boolean =
  (natsVersion ?? '2.9').localeCompare('2.10.23', undefined, { numeric: true }) >= 0;
if (!hasNats)
  console.log('Tests with NATS are skipped: there is no nats-server here (apt-get install nats-server)');

/** Starts so many servers; `syncs: false`: as nats-server does it by default. */
export async function startNats(count: 1 | 3, { syncs = true } = {}): Promise<NatsServers> {
  const folder = mkdtempSync(join(tmpdir(), 'tombola-nats-'));
  const ports: number[] = [];
  for (let k = 0; k < 3 * count; k++) ports.push(await freePort());
  const portsOf = (index: number) => ports.slice(3 * index, 3 * index + 3) as [number, number, number];
  const routes = Array.from({ length: count }, (_, index) => `nats-route://127.0.0.1:${portsOf(index)[2]}`);
  const servers = Array.from({ length: count }, (_, index) => {
    const name = `n${index + 1}`;
    const [client, monitor, route] = portsOf(index);
    const file = join(folder, `${name}.conf`);
    const lines = [
      `server_name: ${name}`,
      `listen: "127.0.0.1:${client}"`,
      `http: "127.0.0.1:${monitor}"`,
      `jetstream { store_dir: "${join(folder, name)}", ${syncs && canSync() ? 'sync_interval: always' : ''} }`,
      count === 1
        ? ''
        : `cluster { name: c, listen: "127.0.0.1:${route}", routes: ${JSON.stringify(routes)} }`,
    ];
    return serverOf({ name, file, lines, client, monitor });
  });
  const ready = async (): Promise<void> => {
    for (const server of servers) await whenHealthy(server);
  };
  const started: NatsServers = {
    servers,
    url: `nats://${servers.map(({ address }) => address).join(',')}`,
    monitors: servers.map(({ monitor }) => monitor),
    ready,
    close: async () => {
      await Promise.all(servers.map((server) => server.kill()));
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await Promise.all(servers.map((server) => server.start()));
  await ready();
  for (const server of servers) await until(async () => (await clusterSize(server)) === count);
  return started;
}

/** How many servers one knows of that share streams, itself included: two of three are healthy without the third. */
async function clusterSize({ monitor }: NatsServer): Promise<number> {
  const state = await fetch(`${monitor}/jsz`).then(
    async (response) => (await response.json()) as { meta_cluster?: { cluster_size: number } },
    () => undefined,
  );
  return state?.meta_cluster?.cluster_size ?? (state === undefined ? 0 : 1);
}

/** `sync_interval` came with 2.10. */
function canSync(): boolean {
  const [major = 0, minor = 0] = (natsVersion ?? '0.0').split('.').map(Number);
  return major > 2 || (major === 2 && minor >= 10);
}

function serverOf(options: {
  name: string;
  file: string;
  lines: readonly string[];
  client: number;
  monitor: number;
}): NatsServer {
  let child: ChildProcess | undefined;
  return {
    name: options.name,
    address: `127.0.0.1:${options.client}`,
    monitor: `http://127.0.0.1:${options.monitor}`,
    start: async (password) => {
      const login = password === undefined ? [] : [`authorization { user: tombola, password: ${password} }`];
      writeFileSync(options.file, [...options.lines, ...login].join('\n'));
      child = spawn(binary, ['-c', options.file], { stdio: 'ignore' });
      const started = child;
      await new Promise((resolve, reject) => {
        started.once('spawn', resolve);
        started.once('error', reject);
      });
    },
    kill: async () => {
      const ending = child;
      child = undefined;
      if (ending === undefined || ending.exitCode !== null) return;
      const ended = new Promise((resolve) => ending.once('close', resolve));
      ending.kill('SIGKILL');
      await ended;
    },
    pid: () => child?.pid,
  };
}

/** A server that does not run is passed over. */
async function whenHealthy(server: NatsServer): Promise<void> {
  for (let refusals = 0; refusals < 100; ) {
    const status = await fetch(`${server.monitor}/healthz`).then(
      (response) => response.status,
      () => 0,
    );
    if (status === 200) return;
    if (status === 0) refusals++;
    await delay(50);
  }
}

function versionOf(): string | undefined {
  try {
    return /v(\d+\.\d+\.\d+)/.exec(execFileSync(binary, ['--version'], { encoding: 'utf8' }))?.[1];
  } catch {
    return undefined;
  }
}
