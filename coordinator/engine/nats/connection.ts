/** The connection to NATS servers that everything in this folder shares. */
import { setTimeout as delay } from 'node:timers/promises';
import { type JetStreamClient, type JetStreamManager, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { failure, misuse, TombolaError } from '../../../src/core/errors.ts';
import { reasonOf } from '../../reason-of.ts';

/** Where the servers are. */
export interface NatsAddress {
  /** host:port of one or more servers of one cluster; the others are learnt from them. */
  readonly servers: readonly string[];
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly isEncrypted: boolean;
}

/** A connection, and what is done over it. */
export interface NatsLink {
  readonly connection: NatsConnection;
  readonly client: JetStreamClient;
  readonly manager: JetStreamManager;
  /** The servers, without secrets. */
  readonly name: string;
  /** Runs a step; what goes wrong is thrown as TombolaError (failure): "Cannot <action> …". */
  guard<T>(action: string, step: () => Promise<T>): Promise<T>;
  /** Ends the connection. Idempotent. */
  close(): Promise<void>;
}

const portDefault = 4222;
/** A server that does not answer within this time may or may not have done what it was asked. */
const requestMs = 2500;
/** A connection that has been silent for three of these is given up. */
const pingMs = 5_000;
/** A server that was killed while it let us in is not waited for any longer: the others may be up. */
const connectMs = 5000;
const reconnectMs = 500;
const flushMsMax = 500;

/**
 * Returns the address of `nats://[user:password@]host[:port][,host[:port]…]`; `tls://` for encryption.
 * @throws TombolaError (misuse) when that is none.
 */
export function parseNatsAddress(text: string): NatsAddress {
  const [scheme = '', rest = ''] = text.split('://');
  const parts = /^(?:([^:@/]+):([^@/]*)@)?([^@/]+)\/?$/.exec(rest);
  const servers = (parts?.[3] ?? '').split(',').map(serverOf);
  const [user, password] = [decoded(parts?.[1]), decoded(parts?.[2])];
  const isRight = !servers.includes(undefined) && user !== null && password !== null;
  if (!['nats', 'tls'].includes(scheme) || !isRight)
    throw misuse(
      `Cannot use the engine ${withoutSecrets(text)}: expected nats://[user:password@]host[:port][,host[:port]…], or tls:// for encryption`,
    );
  return {
    servers: servers.filter((server) => server !== undefined),
    user,
    password,
    isEncrypted: scheme === 'tls',
  };
}

/**
 * Returns a connection that, once made, is kept up for ever.
 * @throws TombolaError (failure) when no server lets us in.
 */
export async function openNatsLink({ servers, user, password, isEncrypted }: NatsAddress): Promise<NatsLink> {
  const name = servers.join(',');
  const guard = async <T>(action: string, step: () => Promise<T>): Promise<T> => {
    try {
      return await step();
    } catch (error) {
      if (error instanceof TombolaError) throw error;
      throw failure(
        `Cannot ${action} the engine at ${name}: ${reasonOf(error)}, expected NATS servers with JetStream of which most are up; what was acknowledged is kept`,
        error,
      );
    }
  };
  const connection = await guard('reach', () =>
    connect({
      servers: [...servers],
      name: 'tombola',
      maxReconnectAttempts: -1,
      // Else two refusals close the connection for good, and servers under load give them ("authentication timeout").
      ignoreAuthErrorAbort: true,
      timeout: connectMs,
      // A stack for every request, should it fail, is a twentieth of a gateway's time; what failed is said by `guard`.
      noAsyncTraces: true,
      reconnectTimeWait: reconnectMs,
      pingInterval: pingMs,
      ...(user === undefined ? {} : { user, pass: password ?? '' }),
      ...(isEncrypted ? { tls: {} } : {}),
    }),
  );
  try {
    const options = { timeout: requestMs };
    const manager = await guard('use', () => jetstreamManager(connection, options));
    const close = async (): Promise<void> => {
      await flushed(connection);
      await connection.close();
    };
    return { connection, client: jetstream(connection, options), manager, name, guard, close };
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/** What was said last, as that somebody else is to have a work item, is to go out; servers that are gone are not waited for. */
async function flushed(connection: NatsConnection): Promise<void> {
  if (connection.isClosed()) return;
  const late = new AbortController();
  const soon = delay(flushMsMax, undefined, { signal: late.signal });
  await Promise.race([connection.flush(), soon]).catch(() => undefined);
  late.abort();
  await soon.catch(() => undefined);
}

function serverOf(text: string): string | undefined {
  const [, host, port = String(portDefault)] =
    /^(\[[0-9a-fA-F:]+\]|[\w.-]+)(?::(\d{1,5}))?$/.exec(text) ?? [];
  return host === undefined || Number(port) > 65_535 ? undefined : `${host}:${port}`;
}

/** Returns null for what is no percent-encoded text. */
function decoded(text: string | undefined): string | undefined | null {
  try {
    return text === undefined ? undefined : decodeURIComponent(text);
  } catch {
    return null;
  }
}

/** A password that is not encoded may have any character: all before the last @ goes. */
function withoutSecrets(text: string): string {
  const at = text.lastIndexOf('@');
  return at < 0 ? text : `${/^[a-z]+:\/\//.exec(text)?.[0] ?? ''}${text.slice(at + 1)}`;
}
