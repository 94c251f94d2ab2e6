/**
 * The engine over NATS JetStream, for coordinators that share it: any number may open it at a time.
 *
 *   jobs      key-value bucket tombola-jobs, by job: CRC-32 as in record.ts, then JSON of StoredJob
 *   results   stream tombola-results (result-stream.ts): a commit is a compare-and-set
 *   blobs     object store tombola-blobs (object-blobs.ts)
 *
 * Every write is acknowledged by a majority of the replicas after it is on their disks (server-check.ts sees to that). A server that
 * does not answer may have done what it was asked: commits are read back; other writes reject, and may be repeated.
 * A job's record is replaced or removed only by who had seen its latest version when he asked for that: of two coordinators that change
 * it at a time one is refused, until it follows what the other has made of it. Who follows the jobs is told of own changes too, before
 * they resolve, and of all in the order of revisions: nothing that is told is older than what was told before.
 */
import { createHash } from 'node:crypto';
import { failure, type TombolaError } from '../../../src/core/errors.ts';
import { jobCountMax, natsBlobGraceMs, natsRemovalKnownMs, natsWritesMax } from '../../../src/core/limits.ts';
import type { Engine, StoredJob } from '../engine.ts';
import { jobKey, sealRecord } from '../record.ts';
import { readJob } from '../record-engine.ts';
import { type Cell, type CellChange, type Cells, openCells } from './cells.ts';
import type { NatsLink } from './connection.ts';
import { Lanes } from './lanes.ts';
import { jobToken, nameOfToken } from './names.ts';
import { type ObjectBlobs, openObjectBlobs } from './object-blobs.ts';
import { openResultStream, type ResultStream } from './result-stream.ts';
import { checkStream } from './streams.ts';

/** How the engine keeps what it is given. */
export interface NatsEngineOptions {
  /** Copies of everything, each on a server of its own. */
  readonly replicas: number;
  /** How long a blob may wait for the job that refers to it. */
  readonly blobGraceMs?: number;
  /** Told why following the jobs begins anew. */
  readonly onTrouble?: (reason: string) => void;
}

/** Told of a job as it is stored; null: it was removed. Told again of the same it must not mind. */
export type OnJobChange = (job: string, stored: StoredJob | null) => void;

/** The engine, and the parts of it that coordinators share beyond its interface. */
export interface NatsEngine extends Engine {
  /** Whether the tile has a result, sound or not. */
  hasResult(job: string, tile: string): Promise<boolean>;
  /** Returns a job as it is stored now; undefined: there is none. */
  storedJob(job: string): Promise<StoredJob | undefined>;
  /** Calls back with every job there is and with every change from then on (null: it was removed). Returns how to stop. */
  followJobs(onChange: OnJobChange): Promise<() => void>;
  /** Resolves when who follows the jobs has been called back with what is stored of the job now. It does not wait for any commit. */
  refreshJob(job: string): Promise<void>;
  /**
   * Removes what commits and uploads leave that come too late or are cut short: results and objects of jobs that are gone, pieces of
   * objects that never came to be. Forgets removals after natsRemovalKnownMs. `signal` ends it early.
   */
  sweep(signal: AbortSignal): Promise<void>;
  readonly objects: ObjectBlobs;
}

/**
 * Returns the engine, whose streams are made if they are not there. The link stays its owner's to close, after the engine.
 * @throws TombolaError (misuse) when what is there has fewer replicas, (failure) when the servers cannot be used.
 */
export async function openNatsEngine(link: NatsLink, options: NatsEngineOptions): Promise<NatsEngine> {
  const { replicas, blobGraceMs = natsBlobGraceMs, ...rest } = options;
  const objects = await openObjectBlobs(link, options);
  const results = await openResultStream(link, { replicas, large: objects.large });
  const jobs = await openCells(link, { ...rest, bucket: 'tombola-jobs', replicas });
  for (const name of ['OBJ_tombola-blobs', 'KV_tombola-jobs']) await checkStream(link, name, replicas);
  return new NatsJobs({ objects, results, jobs, blobGraceMs });
}

/** A version of a job's record. */
interface Version {
  /** 0: there is none. */
  readonly revision: number;
  readonly digest: string;
}

const noVersion: Version = { revision: 0, digest: '' };

/** What a change is based on. */
interface Basis {
  /** Undefined: nothing was ever heard of the job here. */
  readonly known: Version | undefined;
  /** The digest of what was asked for before and is not answered yet. */
  readonly asked: string | undefined;
}

class NatsJobs implements NatsEngine {
  readonly objects: ObjectBlobs;
  private readonly results: ResultStream;
  private readonly cells: Cells;
  private readonly blobGraceMs: number;
  private readonly lanes = new Lanes(natsWritesMax);
  /** The version of each job that was seen last by whoever changes it here: its revision only grows. */
  private readonly known = new Map<string, Version>();
  /** Jobs that were asked about and never were there, the latest. */
  private readonly absent = new Set<string>();
  /** Digests of records that are being put: who asks for the next change has seen them. */
  private readonly asked = new Map<string, string>();
  /** Digests of records that may have been written: their answer was lost. */
  private readonly unanswered = new Map<string, string>();
  private onJobChange: OnJobChange | undefined;
  private isClosed = false;

  constructor(parts: { objects: ObjectBlobs; results: ResultStream; jobs: Cells; blobGraceMs: number }) {
    this.objects = parts.objects;
    this.results = parts.results;
    this.cells = parts.jobs;
    this.blobGraceMs = parts.blobGraceMs;
  }

  async jobs(): Promise<readonly StoredJob[]> {
    const keys = await this.run(Symbol('list'), () => this.cells.keys());
    const jobs = await Promise.all(
      keys.map(async (key) => {
        const cell = await this.run(Symbol('list'), () => this.cells.read(key));
        if (cell === undefined) return [];
        // Who follows the jobs does not know yet what is newer than what was called back.
        if (this.onJobChange === undefined) this.see(key, cell);
        return [storedOf(key, cell)];
      }),
    );
    return jobs.flat().sort((a, b) => a.sequence - b.sequence || (a.job < b.job ? -1 : 1));
  }

  async storedJob(job: string): Promise<StoredJob | undefined> {
    const cell = await this.run(Symbol('job'), () => this.cells.read(jobToken(job)));
    return cell && readJob(jobKey(job), cell.value);
  }

  async followJobs(onChange: OnJobChange): Promise<() => void> {
    this.onJobChange = onChange;
    return this.cells.watch('>', (key, _, change) => this.follow(key, change));
  }

  async refreshJob(job: string): Promise<void> {
    const key = jobToken(job);
    this.checkOpen();
    const before = this.known.get(key);
    const change = await this.cells.latest(key);
    if (change !== undefined) this.follow(key, change);
    // Removed, so long ago that even that is forgotten.
    else if (before !== undefined) this.follow(key, { value: null, revision: before.revision });
    else {
      this.absent.add(key);
      for (const oldest of this.absent) if (this.absent.size > jobCountMax) this.absent.delete(oldest);
    }
  }

  async putJob(job: StoredJob): Promise<void> {
    const key = jobToken(job.job);
    const record = sealRecord(jobKey(job.job), new TextEncoder().encode(JSON.stringify(job)));
    const digest = digestOf(record);
    const basis = this.basisOf(key);
    this.asked.set(key, digest);
    const put = this.run(key, async () => {
      const base = await this.baseOf(key, job.job, basis);
      this.unanswered.set(key, digest);
      const revision = await this.cells.set(key, record, base);
      // Refused: nothing of ours is under way, unless the request was doubled and this is the answer to the second.
      const cell = revision === null ? await this.cells.read(key) : { value: record, revision };
      this.unanswered.delete(key);
      if (cell === undefined || digestOf(cell.value) !== digest) throw changedMeanwhile(job.job);
      this.follow(key, cell);
    });
    await put.finally(() => {
      if (this.asked.get(key) === digest) this.asked.delete(key);
    });
  }

  async removeJob(job: string): Promise<void> {
    const key = jobToken(job);
    const basis = this.basisOf(key);
    await this.run(key, async () => {
      const base = await this.baseOf(key, job, basis);
      // The job goes last: a removal that was cut short can be repeated.
      await this.results.removeJob(job);
      await this.objects.removeSpecs(job);
      const isRemoved = base === 0 || (await this.cells.remove(key, base));
      if (!isRemoved && (await this.cells.read(key)) !== undefined) throw changedMeanwhile(job);
      this.follow(key, { value: null, revision: base });
    });
  }

  async commitResult(job: string, tile: string, result: Uint8Array): Promise<'new' | 'duplicate'> {
    const kept = result.slice();
    return this.run(`${job}/${tile}`, () => this.results.commit(job, tile, kept));
  }

  async readResult(job: string, tile: string): Promise<Uint8Array | undefined> {
    return this.run(`${job}/${tile}`, () => this.results.read(job, tile));
  }

  async hasResult(job: string, tile: string): Promise<boolean> {
    return this.run(`${job}/${tile}`, () => this.results.has(job, tile));
  }

  async committedTiles(job: string): Promise<ReadonlySet<string>> {
    return this.run(Symbol('list'), () => this.results.tiles(job));
  }

  async dropResult(job: string, tile: string): Promise<void> {
    await this.run(`${job}/${tile}`, () => this.results.drop(job, tile));
  }

  async putBlob(bytes: Uint8Array): Promise<string> {
    return this.run(Symbol('blob'), () => this.objects.put(bytes, this.blobGraceMs));
  }

  async readBlob(sha256: string): Promise<Uint8Array | undefined> {
    return this.run(Symbol('blob'), () => this.objects.read(sha256));
  }

  async blobs(): Promise<readonly string[]> {
    return this.run(Symbol('blob'), () => this.objects.list(this.blobGraceMs));
  }

  async removeBlob(sha256: string): Promise<void> {
    await this.run(Symbol('blob'), () => this.objects.remove(sha256, this.blobGraceMs));
  }

  async sweep(signal: AbortSignal): Promise<void> {
    const isGone = async (job: string): Promise<boolean> => (await this.storedJob(job)) === undefined;
    await this.objects.sweep({ olderThanMs: natsBlobGraceMs, isGone, signal });
    // A job may be submitted again at any time: results that come from here on are not looked at.
    const end = await this.results.end();
    for (const removed of await this.cells.removed()) {
      if (signal.aborted) return;
      const job = nameOfToken(removed.key);
      const { size } = await this.results.tiles(job);
      if (size > 0 && (await isGone(job))) await this.results.sweepJob(job, end);
      if (Date.now() - removed.atMs >= natsRemovalKnownMs) await this.cells.forget(removed);
    }
  }

  async close(): Promise<void> {
    this.isClosed = true;
    await this.lanes.idle();
  }

  /** Runs a step after all of its name that were asked for before. */
  private run<T>(name: string | symbol, step: () => Promise<T>): Promise<T> {
    this.checkOpen();
    return this.lanes.run(name, step);
  }

  private checkOpen(): void {
    if (this.isClosed) throw failure('Cannot use the engine: it is closed, expected an open one');
  }

  /** What is known here of a job by who asks for a change now, which may have to wait for its turn. */
  private basisOf(key: string): Basis {
    const known = this.known.get(key) ?? (this.absent.has(key) ? noVersion : undefined);
    return { known, asked: this.asked.get(key) };
  }

  /**
   * Returns the revision that a change of a job is based on.
   * @throws TombolaError (failure) where the record is neither what was known nor what we may have written ourselves.
   */
  private async baseOf(key: string, job: string, { known, asked }: Basis): Promise<number> {
    const cell = await this.cells.read(key);
    const digest = cell === undefined ? noVersion.digest : digestOf(cell.value);
    if (known !== undefined && ![known.digest, asked, this.unanswered.get(key)].includes(digest))
      throw changedMeanwhile(job);
    return cell?.revision ?? 0;
  }

  /** Changes are put, read and followed side by side: one that is older than what is known is nobody's business any more. */
  private follow(key: string, change: CellChange): void {
    if (!this.see(key, change)) return;
    const { value } = change;
    this.onJobChange?.(nameOfToken(key), value === null ? null : storedOf(key, { value }));
  }

  /** Returns whether nothing newer is known. Our own removals have the revision of what they removed, and are the later ones. */
  private see(key: string, { value, revision }: CellChange): boolean {
    const known = this.known.get(key) ?? noVersion;
    const digest = value === null ? noVersion.digest : digestOf(value);
    const isOlder = revision < known.revision;
    if (isOlder || (revision === known.revision && value !== null && known.digest !== digest)) return false;
    this.known.set(key, { revision, digest });
    return true;
  }
}

function storedOf(key: string, { value }: Pick<Cell, 'value'>): StoredJob {
  return readJob(jobKey(nameOfToken(key)), value);
}

function digestOf(record: Uint8Array): string {
  return createHash('sha256').update(record).digest('hex');
}

function changedMeanwhile(job: string): TombolaError {
  return failure(
    `Cannot change job ${job}: another coordinator has changed it meanwhile, expected nobody to; look at it and try again`,
  );
}
