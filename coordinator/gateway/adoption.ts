/**
 * Tiles that come with a worker from another gateway: it has them in hand, or has solved them, and this gateway's ledger does not know
 * them. Where gateways share their work, such a tile is fetched (cluster/work-feed.ts); for whom, is settled here: a trusted worker
 * is taken at its word, a volunteer has to show the lease.
 */
import type { Result } from '../../src/core/protocol/messages.ts';
import type { LeaseClaim } from '../tokens.ts';
import type { Peer } from './peer.ts';

/** What gateways that share their work know of each other's tiles. */
export interface Adoption {
  /** Fetches a tile into this gateway's ledger; false where no job asks for it. Never rejects. */
  adopt(job: string, tile: string): Promise<boolean>;
  /** Asks the engine about a job that this gateway has not heard of; false where it cannot be asked. Never rejects. */
  learn(job: string): Promise<boolean>;
  /** Whether one of these gateways has leased the tile to the worker. */
  isLease(token: Uint8Array, claim: LeaseClaim): boolean;
  /** Returns how long a worker's quarantine still lasts, whichever gateway caught it; 0: it has none. */
  quarantineMs(worker: string): number;
  /** Tells the others of a quarantine. */
  tellQuarantine(worker: string, ms: number): void;
}

/** Returns whether a tile is to be fetched for the sake of a result. */
export function isAdoptable(adoption: Adoption, { workerKind, worker }: Peer, result: Result): boolean {
  const { job, tile, token } = result;
  return workerKind === 'trusted' || adoption.isLease(token, { job, tile, worker });
}
