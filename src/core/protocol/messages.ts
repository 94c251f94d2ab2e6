/**
 * The messages between a worker (w) and a gateway (g), version 1. Binary WebSocket frames, one message each, msgpack without
 * records or extensions (codec.ts), checked against one schema (schema.ts) before anything reads them.
 *
 *   hello      w→g  first frame; no other comes before `welcome`
 *   welcome    g→w  the session is open             reject  g→w  it is not, and why; the gateway closes
 *   want       w→g  credit: how many leases the worker can take now; nothing is pushed unasked
 *   spec       g→w  what the tiles of one layer share; once per session and layer, before the first grant that needs it
 *   grant      g→w  leases; the worker owes each a result, a nack or nothing at all (it may die)
 *   beat       both ways: w→g progress of the leases held; g→w cancels what is no longer wanted
 *   result     w→g  the masks of one tile; the worker keeps it until `committed` or `refused`
 *   committed  g→w  durable: the worker may forget it. `new` or `duplicate` makes no difference to the worker
 *   refused    g→w  not accepted, and why; `retryMs` > 0 asks to send it again after that time, 0 to drop it
 *   nack       w→g  a lease given back unsolved, and why
 *   slow       g→w  overload: no credit for retryMs, nothing is lost
 *   drain      g→w  the gateway is going away: finish and resubmit elsewhere within graceMs
 *   bye        both ways: orderly end of the session
 *
 * Rules that make faults harmless: every message may be lost, doubled or late (a reconnect resends); a result names what it is
 * for by content hash, so it is accepted whenever its tile is still open, from whoever sends it; tokens are signed and stateless.
 * Durations travel, never clock readings.
 *
 * A frame that is larger than its sender's role allows is answered by closing with 1009; a text frame with 1003; MessagePack that
 * pre-scan.ts refuses with 1007; what is no message field by field, or a layer, tile or result whose parts do not fit each other,
 * with 1002; a digest or checksum that is not that of the content with 1008. A result's frame has `bodyCrc32` too, which the codec
 * adds, checks and takes out. Counts and sizes stand in limits.ts: 256 leases in a grant, 1,024 names in a beat. `reason` is one
 * line without control characters; the codec makes it so when sending.
 *
 * Further parts of the format: layer-spec.ts (Spec), lease-tile.ts (Lease), mask-code.ts (Result.body).
 */
import type { Rule } from '../subset-sum/problem.ts';

/** The protocol versions this code speaks. */
export const protocolVersions = { min: 1, max: 1 } as const;

/** Identifies a tile of a job everywhere: the tile's id is a content hash, the job's an id of the coordinator's making. */
export interface TileName {
  readonly job: string;
  /** Hex SHA-256 (plan/tiles.ts). */
  readonly tile: string;
}

/** First message of a worker. */
export interface Hello {
  readonly kind: 'hello';
  readonly protocolMin: number;
  readonly protocolMax: number;
  /** Hex SHA-256 of the kernel's module. */
  readonly build: string;
  readonly runtime: 'node' | 'browser';
  /** Chosen by the worker, stable across its sessions. */
  readonly workerId: string;
  /** Chosen by the worker, fresh for every connection. */
  readonly sessionId: string;
  readonly threads: number;
  /** What the worker measured of itself, blocks per second; shown, never trusted. */
  readonly blocksPerSecond: number;
  /** An access token, or '' where none is needed. */
  readonly token: string;
  /** Tiles whose results the worker still holds unacknowledged. */
  readonly holding: readonly TileName[];
}

/** Opens the session. */
export interface Welcome {
  readonly kind: 'welcome';
  readonly protocol: number;
  readonly heartbeatMs: number;
  readonly leaseMs: number;
  /** Largest frame the gateway takes from this worker. */
  readonly frameBytesMax: number;
  /** Leases the worker may hold at a time. */
  readonly leaseCountMax: number;
  /** URLs of gateways that serve the same jobs, this one included. */
  readonly gateways: readonly string[];
}

/** Why a session is not opened. */
export type RejectCode = 'version' | 'build' | 'token' | 'banned' | 'full';

/** Refuses the session. */
export interface Reject {
  readonly kind: 'reject';
  readonly code: RejectCode;
  /** One line for the person who runs the worker. */
  readonly reason: string;
  /** 0: do not come back as you are. */
  readonly retryMs: number;
}

/** Credit. */
export interface Want {
  readonly kind: 'want';
  /** Leases the worker can take now, beyond those it holds. */
  readonly slots: number;
}

/** What the tiles of one layer share: a LayerProblem (plan/tile.ts) by its digest. Arrays are little-endian bytes. */
export interface Spec {
  readonly kind: 'spec';
  readonly digest: string;
  readonly seed: string;
  readonly gridBits: number;
  readonly sourceLayer: number;
  readonly rows: number;
  readonly cols: number;
  readonly taps: number;
  readonly channels: number;
  readonly groupOffsets: Uint8Array;
  readonly groupColumns: Uint8Array;
  readonly groupChannels: Uint8Array;
  /** Empty where samples are plain. */
  readonly groupMultipliers: Uint8Array;
  readonly hasMultipliers: boolean;
  readonly sampleShift: number;
  readonly rule: Rule;
  readonly tolerance: number;
  readonly biasElements: Uint8Array;
  readonly biasValues: Uint8Array;
  readonly biasSampleShift: number;
  readonly biasOwnScale: number;
  readonly biasInterceptScale: number;
  readonly biasTolerance: number;
}

/** One lease: a tile to solve until the deadline. */
export interface Lease extends TileName {
  /** Digest of the layer's spec. */
  readonly spec: string;
  /** HMAC over (job, tile, attempt, worker, expiry): proves to any gateway that it was granted. */
  readonly token: Uint8Array;
  readonly attempt: number;
  readonly leaseMs: number;
  readonly sourceLayer: number;
  readonly pass: number;
  /** Int32 [neurons, 4]: neuron, firstRow, rowCount, wanted. */
  readonly neurons: Uint8Array;
  /** Int32 [neurons, channels, taps]. */
  readonly targets: Uint8Array;
  /** Float64 [neurons]. */
  readonly biasTargets: Uint8Array;
}

/** Leases. */
export interface Grant {
  readonly kind: 'grant';
  readonly leases: readonly Lease[];
}

/** A worker's sign of life. */
export interface WorkerBeat {
  readonly kind: 'beat';
  /** Leases in hand. */
  readonly holding: readonly TileName[];
  /** A browser tab in the background. */
  readonly hidden: boolean;
}

/** A gateway's sign of life. */
export interface GatewayBeat {
  readonly kind: 'beat';
  /** Leases whose results are no longer wanted. */
  readonly cancel: readonly TileName[];
}

/** The result of a tile. */
export interface Result extends TileName {
  readonly kind: 'result';
  readonly spec: string;
  readonly token: Uint8Array;
  readonly attempt: number;
  /** The tile's result (mask-code.ts: about 9.5 bits a block). */
  readonly body: Uint8Array;
  /** Time the worker spent on it; used for statistics only. */
  readonly computeMs: number;
}

/** A result is durable. */
export interface Committed extends TileName {
  readonly kind: 'committed';
  readonly outcome: 'new' | 'duplicate';
}

/** Why a result is not accepted. */
export type RefusalCode =
  | 'malformed'
  | 'spec'
  | 'residual'
  | 'token'
  | 'unknown-tile'
  | 'quota'
  | 'quarantine'
  | 'storage';

/** A result is not accepted. */
export interface Refused extends TileName {
  readonly kind: 'refused';
  readonly code: RefusalCode;
  readonly reason: string;
  /** Send it again after this time; 0: drop it. */
  readonly retryMs: number;
}

/** A lease given back. */
export interface Nack extends TileName {
  readonly kind: 'nack';
  readonly reason: string;
}

/** Overload. */
export interface Slow {
  readonly kind: 'slow';
  readonly retryMs: number;
}

/** The gateway is going away. */
export interface Drain {
  readonly kind: 'drain';
  readonly graceMs: number;
  readonly gateways: readonly string[];
}

/** Orderly end. */
export interface Bye {
  readonly kind: 'bye';
  readonly reason: string;
}

/** What a worker sends. */
export type WorkerMessage = Hello | Want | WorkerBeat | Result | Nack | Bye;

/** What a gateway sends. */
export type GatewayMessage =
  | Welcome
  | Reject
  | Spec
  | Grant
  | GatewayBeat
  | Committed
  | Refused
  | Slow
  | Drain
  | Bye;
