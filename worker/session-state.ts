/** What a worker's session remembers. */
import type { Grant, Result, TileName } from '../src/core/protocol/messages.ts';
import type { SessionEffect } from './session.ts';

/** A tile to solve. */
export type HeldLease = Grant['leases'][number];

/** What a session is made with. */
export interface SessionOptions {
  /** URLs of gateways, the first tried first. */
  readonly gateways: readonly string[];
  readonly workerId: string;
  /** Random, fresh for every process: session ids are made of it and a count. */
  readonly sessionPrefix: string;
  /** Hex SHA-256 of the kernel. */
  readonly build: string;
  readonly runtime: 'node' | 'browser';
  readonly threads: number;
  readonly blocksPerSecond: number;
  /** Access token, or ''. */
  readonly token: string;
  /** Leases and unacknowledged results to hold at most. */
  readonly slots: number;
  /** Results of an earlier session that nobody has acknowledged. */
  readonly results?: readonly Result[];
}

/** A gateway, and since when it may be asked again. */
export interface KnownGateway {
  readonly url: string;
  notBefore: number;
}

/** A result that nobody has acknowledged yet. */
export interface OutboxEntry {
  readonly message: Result;
  /** Waits to be sent, was sent on this connection, or is to be sent again at `dueAt`. */
  state: 'waiting' | 'sent' | 'postponed';
  dueAt: number;
  refusals: number;
}

/** A worker's session with whichever gateway it finds. */
export interface Session {
  readonly options: SessionOptions;
  state: 'offline' | 'opening' | 'open' | 'ended';
  readonly gateways: KnownGateway[];
  /** Index of the gateway in use, or to use next. */
  gateway: number;
  connections: number;
  /** Connections in a row that came to nothing. */
  failures: number;
  /** When to connect; null: to be drawn at the next tick. */
  connectAt: number | null;
  openedAt: number;
  /** Last sign of life of the gateway. */
  heardAt: number;
  beatAt: number;
  heartbeatMs: number;
  leaseCountMax: number;
  /** Bytes of a frame that the gateway takes. */
  frameBytesMax: number;
  /** Credit that the gateway has of us, as far as we know. */
  credit: number;
  /** No credit is given before this time. */
  wantAt: number;
  solveFailures: number;
  readonly leases: Map<string, HeldLease>;
  readonly outbox: Map<string, OutboxEntry>;
  sentCount: number;
  hidden: boolean;
  /** Null: not draining. */
  drainUntil: number | null;
  chance: number;
  effects: SessionEffect[];
}

/** Returns a tile's key in maps. */
export function keyOf({ job, tile }: TileName): string {
  return `${job}/${tile}`;
}

/** Returns names alone, without what else the records hold. */
export function namesOf(leases: Iterable<TileName>): TileName[] {
  return Array.from(leases, ({ job, tile }) => ({ job, tile }));
}
