/**
 * What the dashboard is told: `GET /api/live?job=ID` answers with lines of JSON, one {@link LiveLine} each, until either side ends it.
 * Each topic begins with its whole state; then come patches (patch.ts) from each state to the next, at most once a second. A viewer
 * that reads too slowly is left out, and gets the whole state again when it has caught up.
 *
 * Topics: `session`, who is looking; `overview`, all jobs and workers; `job`, the one that was asked for, null where there is none.
 * Times are milliseconds of the coordinator's own clock, which starts anywhere: only differences mean something.
 */
import type { ConstructionKind } from '../plan/stage.ts';

/** One line of the feed. */
export type LiveLine =
  | { readonly topic: LiveTopic; readonly state: unknown }
  | { readonly topic: LiveTopic; readonly patch: unknown };

/** What a line speaks of. */
export type LiveTopic = 'session' | 'overview' | 'job';

/** Who is looking. */
export interface LiveSession {
  readonly scope: string;
  readonly maySubmit: boolean;
  readonly mayFetch: boolean;
}

/** The whole coordinator at a glance. */
export interface LiveOverview {
  readonly atMs: number;
  /** By id; those that run, and the latest of the others. */
  readonly jobs: Readonly<Record<string, LiveJobRow>>;
  readonly jobCounts: Readonly<Record<JobState, number>>;
  readonly workers: LiveWorkers;
  readonly engine: LiveEngine;
  /** The latest, by a number that grows. */
  readonly troubles: Readonly<Record<string, LiveTrouble>>;
}

/** What may become of a job: what the engine stores (coordinator/engine/engine.ts) and the feed tells. */
export type JobState = 'running' | 'done' | 'failed' | 'incomplete' | 'cancelled';

/** A job in the list. */
export interface LiveJobRow {
  readonly name: string;
  readonly state: JobState;
  /** What a running job is doing. */
  readonly phase: string | null;
  readonly reason: string;
  readonly priority: number;
  readonly sequence: number;
  /** In [0, 1]; null before it is planned. */
  readonly share: number | null;
  readonly blocksPerSecond: number;
  readonly secondsLeft: number | null;
}

/** The workers that are connected. */
export interface LiveWorkers {
  readonly count: number;
  readonly threads: number;
  readonly trusted: number;
  readonly volunteers: number;
  readonly quarantined: number;
  readonly blocksPerSecond: number;
  /** The fastest, by session. */
  readonly fastest: Readonly<Record<string, LiveWorker>>;
}

/** A worker. */
export interface LiveWorker {
  readonly worker: string;
  readonly kind: 'trusted' | 'volunteer';
  readonly runtime: string;
  readonly threads: number;
  readonly address: string;
  readonly leases: number;
  readonly tilesDone: number;
  readonly blocksPerSecond: number;
  /** Leases it may hold: grows with good results. */
  readonly quota: number;
  /** Good results since the last bad one. */
  readonly good: number;
  readonly isQuarantined: boolean;
  readonly seenAtMs: number;
}

/** How storing, checking and granting are. */
export interface LiveEngine {
  /** The store is failing; nothing is granted. */
  readonly isPaused: boolean;
  readonly openTiles: number;
  readonly pendingResults: number;
  readonly heldResults: number;
  readonly localSolves: number;
  readonly stalledMs: number;
  readonly resultsStored: number;
  readonly resultsRefused: number;
}

/** Something that went wrong: a result or a connection refused, a tile given up, a store that failed. */
export interface LiveTrouble {
  readonly atMs: number;
  readonly event: string;
  /** One line. */
  readonly text: string;
}

/** One job in full. */
export interface LiveJob extends LiveJobRow {
  readonly job: string;
  readonly targetSha256: string;
  /** As submitted; see coordinator/jobs/job-request.ts. */
  readonly options: LiveOptions | null;
  readonly layers: readonly LiveLayer[];
  /** Blocks per second, one figure every `rateEveryMs`, the latest last. */
  readonly rates: readonly number[];
  readonly rateEveryMs: number;
  readonly ticketBytes: number | null;
  /** What verification found out, once it is done. */
  readonly report: LiveReport | null;
}

/** A job's options. */
export interface LiveOptions {
  readonly mode: 'tolerance' | 'exact';
  readonly epsilon: number;
  readonly rule: string;
  readonly seed: string;
  readonly gridBits: number;
  readonly copies: number | 'auto';
  readonly inputRange: readonly [number, number];
  /** L+1 where it is left out. */
  readonly construction?: ConstructionKind;
}

/** One target layer of a job. */
export interface LiveLayer {
  readonly name: string;
  readonly copies: number;
  readonly copiesWanted: number;
  readonly tilesDone: number;
  readonly tilesKnown: number;
  readonly pass: number;
  readonly isDone: boolean;
  /** tile-cells.ts; '' where the tiles themselves were not seen. */
  readonly cells: string;
  readonly tilesPerCell: number;
  readonly working: number;
  readonly retried: number;
  readonly failed: number;
  /** Blocks in copies, edges kept in them, and rows that are no copies. */
  readonly blocks: number;
  readonly keptEdges: number;
  readonly misses: number;
  /** |residual| over tolerance of a sample of blocks: how many lie in each of equal bins of [0, 1]. */
  readonly residuals: readonly number[];
}

/** What is known of a sealed ticket; see coordinator/jobs/job-result.ts. */
export interface LiveReport {
  readonly ticketSha256: string;
  readonly ticketBytes: number;
  readonly missedRows: number;
  readonly missingCopies: number;
  readonly verdict: {
    readonly fault: string | null;
    readonly keptEdges: number;
    readonly blocks: number;
    readonly certifiedBound: number | null;
    readonly linearisationBound: number | null;
    readonly layers: readonly LiveLayerReport[];
  };
  readonly seconds: { readonly plan: number; readonly solve: number; readonly verify: number };
}

/** What verification found out about one target layer, residuals in the target's units. */
export interface LiveLayerReport {
  readonly copies: number;
  readonly blocks: number;
  readonly keptEdges: number;
  readonly residualMax: number;
  readonly biasResidualMax: number;
}
