/** What the pool that checks results and its threads say to each other. */
import type { LayerProblem, Tile } from '../../src/core/plan/tile.ts';
import type { BodyForm } from '../../src/core/protocol/transport.ts';

/** A result to check. */
export interface TileCheckTask {
  /** Its arrays lie in shared memory, so that sending it with every tile costs nothing. */
  readonly problem: LayerProblem;
  readonly tile: Tile;
  /** As it came in a message. */
  readonly body: Uint8Array;
  readonly form: BodyForm;
  /** One copy in so many has its residuals recomputed, which ones is a secret; 1: all of them. */
  readonly checkOneIn: number;
  /** Whether claimed misses are to be proven (proving-checks.ts). */
  readonly provesMisses?: boolean;
}

/** What a thread of the pool gets. Tasks of one layer have one key: every message to a thread brings a new problem object. */
export interface ThreadCheckTask extends TileCheckTask {
  readonly layerKey: number;
}

/** The verdict. */
export type TileCheckReply =
  /** `value` is the result as the engine keeps it (engine/stored-result.ts), `digest` its hex SHA-256. */
  | {
      readonly kind: 'verified';
      readonly value: Uint8Array;
      readonly digest: string;
      /** It says of rows that they have no subset somewhere, and that is not proven. */
      readonly claimsMisses: boolean;
      /** What it says, as in TileResult. */
      readonly misses: Int32Array;
    }
  | { readonly kind: 'refused'; readonly reason: string };
