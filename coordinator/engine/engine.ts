/**
 * The engine: what is durable. Jobs, tile results by compare-and-set, and blobs by content. Implemented over classic-level
 * (local-engine.ts), in memory with faults for the simulator, and over NATS JetStream (nats/nats-engine.ts); one contract suite for all.
 */
import type { JobState } from '../../src/core/live/views.ts';

/** A job as it is kept. */
export interface StoredJob {
  readonly job: string;
  /** What was asked for: options and the digest of the network blob, JSON. */
  readonly request: string;
  readonly state: JobState;
  /** Why, for every state but running and done; '' otherwise. */
  readonly reason: string;
  /** What came of it (jobs/job-result.ts), JSON; '' until it is done. */
  readonly result: string;
  readonly priority: number;
  /** Order of submission. */
  readonly sequence: number;
  /** Who submitted it: the id of the access token. Absent in records from before this was kept. */
  readonly submitter?: string;
}

/**
 * A durable store. It has a single owner, but for the one over NATS, which several coordinators share.
 * Every promise resolves only after what it wrote is durable (synced). A rejected write may or may not have happened: read it back,
 * or commit again. What is asked for one after the other is done in that order, whether or not the answer was waited for.
 * Names of jobs and tiles are 1 to 128 printable ASCII characters, without `/` and space; methods reject others as misuse.
 * Methods reject with TombolaError (failure) where the store cannot be used, for the moment or for good.
 */
export interface Engine {
  /** All jobs in the order of submission; one whose record is damaged is listed as failed. */
  jobs(): Promise<readonly StoredJob[]>;
  /** Creates or replaces the job. */
  putJob(job: StoredJob): Promise<void>;
  /** Removes the job and all its results. */
  removeJob(job: string): Promise<void>;
  /** Commits a tile's result unless it has one: exactly one of several commits of a tile returns `new`. */
  commitResult(job: string, tile: string, result: Uint8Array): Promise<'new' | 'duplicate'>;
  /** Undefined where there is none. A damaged one is as good as none: it is dropped, and a commit replaces it. */
  readResult(job: string, tile: string): Promise<Uint8Array | undefined>;
  /** Ids of all tiles of the job that have a result: what the audit subtracts from the plan. */
  committedTiles(job: string): Promise<ReadonlySet<string>>;
  /** Removes one result, so that its tile is solved again; for results that no longer verify when read back. */
  dropResult(job: string, tile: string): Promise<void>;
  /** Stores a blob under the hex SHA-256 of its bytes, and returns that. */
  putBlob(bytes: Uint8Array): Promise<string>;
  /** Undefined where there is none, or its bytes have another digest by now. */
  readBlob(sha256: string): Promise<Uint8Array | undefined>;
  /**
   * Ids of the blobs that are removed unless a job refers to them (jobs/job-blobs.ts). Where several coordinators share a store,
   * one that was put lately is left out: its job may not have been put yet.
   */
  blobs(): Promise<readonly string[]>;
  /** Removes a blob that is one of {@link Engine.blobs} still. A removal that is not durable yet when power fails has not happened: the blob is listed again. */
  removeBlob(sha256: string): Promise<void>;
  /** Finishes what has been asked for, and lets another one open the store. Idempotent. */
  close(): Promise<void>;
}
