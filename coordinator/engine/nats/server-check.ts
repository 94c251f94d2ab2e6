/**
 * Whether NATS servers keep what they acknowledge, asked of their monitoring ports (`http: 8222` in nats-server's configuration):
 *
 *   version          2.10.23 or later: earlier ones have no `sync_interval: always`, or fix less about replicas that disagree
 *   sync_interval    `always`: by default a server syncs its disk every two minutes, and a power failure loses what it acknowledged
 *   servers          as many as replicas are wanted, each of them asked: what one of three forgets, two remember only if they sync
 *
 * A server that is down cannot be asked: it is looked at when a coordinator starts while it is up, and most have to be.
 */
import { z } from 'zod';
import { failure, misuse } from '../../../src/core/errors.ts';

/** Where to ask, and what to expect. */
export interface ServerCheck {
  /** Base URLs of monitoring ports, one of each server. */
  readonly monitors: readonly string[];
  readonly replicas: number;
}

const versionMin = [2, 10, 23] as const;
const answerMs = 3000;
const monitorPort = 8222;

const varzSchema = z.object({
  server_name: z.string(),
  version: z.string(),
  jetstream: z.object({ config: z.object({ sync_always: z.boolean().optional() }).optional() }).optional(),
});
const jszSchema = z.object({ meta_cluster: z.object({ cluster_size: z.number() }).optional() });

/** Returns the monitoring URLs that go with servers (host:port): the usual port of each host. */
export function monitorsOf(servers: readonly string[]): string[] {
  return servers.map((server) => `http://${server.replace(/:\d+$/, '')}:${monitorPort}`);
}

/**
 * Resolves if the servers can be relied on, with the monitors that did not answer: the smaller part of a cluster may be down.
 * @throws TombolaError (misuse) with the first reason why not, and what to do; (failure) while enough servers still look for each other.
 */
export async function checkServers({ monitors, replicas }: ServerCheck): Promise<readonly string[]> {
  const names = new Set<string>();
  const silent = new Map<string, unknown>();
  let clusterSize = 1;
  for (const monitor of monitors) {
    const answers = await asked(monitor).catch((error: unknown) => void silent.set(monitor, error));
    if (answers === undefined) continue;
    const [server, { meta_cluster: cluster }] = answers;
    const name = `${server.server_name} at ${monitor}`;
    clusterSize = Math.max(clusterSize, cluster?.cluster_size ?? 1);
    names.add(server.server_name);
    if (!isRecent(server.version))
      throw misuse(
        `Cannot rely on NATS server ${name}: its version is ${server.version}, expected ${versionMin.join('.')} or later; ${orElse}`,
      );
    if (server.jetstream?.config === undefined)
      throw misuse(
        `Cannot use NATS server ${name}: it has no JetStream, expected jetstream { sync_interval: always } in its configuration`,
      );
    if (server.jetstream.config.sync_always !== true)
      throw misuse(
        `Cannot rely on NATS server ${name}: a power failure loses what it acknowledged in the last two minutes, expected jetstream { sync_interval: always } in its configuration; ${orElse}`,
      );
  }
  const [firstError] = silent.values();
  if (2 * names.size <= clusterSize && firstError !== undefined) throw firstError;
  if (clusterSize < replicas) {
    const isForming = names.size >= replicas;
    throw (isForming ? failure : misuse)(
      `Cannot keep ${replicas} replicas: the NATS cluster has ${clusterSize} server${clusterSize === 1 ? '' : 's'}, expected at least ${replicas}; add servers, or accept fewer with --engine-replicas ${clusterSize}`,
    );
  }
  if (names.size + silent.size < clusterSize)
    throw misuse(
      `Cannot rely on a NATS cluster of ${clusterSize} servers of which only ${names.size} were asked (${[...names].join(', ')}), expected all: name the monitoring ports of all with --engine-monitor; ${orElse}`,
    );
  return [...silent.keys()];
}

function asked(monitor: string): Promise<[z.infer<typeof varzSchema>, z.infer<typeof jszSchema>]> {
  return Promise.all([ask(monitor, 'varz', varzSchema), ask(monitor, 'jsz', jszSchema)]);
}

const orElse = 'to use it all the same, for development, give --engine-unchecked';

async function ask<T>(monitor: string, path: string, schema: z.ZodType<T>): Promise<T> {
  try {
    const response = await fetch(`${monitor}/${path}`, { signal: AbortSignal.timeout(answerMs) });
    return schema.parse(await response.json());
  } catch (cause) {
    throw misuse(
      `Cannot ask the NATS server at ${monitor} whether it keeps what it acknowledges, expected its monitoring port (http: ${monitorPort} in its configuration); name another with --engine-monitor; ${orElse}`,
      cause,
    );
  }
}

function isRecent(version: string): boolean {
  const numbers = version.split(/[.-]/, 3).map(Number);
  for (const [index, least] of versionMin.entries()) {
    const number = numbers[index] ?? 0;
    if (number !== least) return number > least;
  }
  return true;
}
