/** A worker as the ledger's shell sees it. */
import type { GatewayMessage, TileName } from '../../src/core/protocol/messages.ts';
import type { WorkerKind } from '../ledger.ts';

/** A worker on the other end of a connection. */
export interface Peer {
  /** Names the connection; never used twice. */
  readonly session: string;
  /** Names who answers for its results. */
  readonly worker: string;
  readonly workerKind: WorkerKind;
  readonly threads: number;
  /** Tiles it had in hand when it came. */
  readonly holding: readonly TileName[];
  send(message: GatewayMessage): void;
  disconnect(reason: string): void;
}
