/**
 * The blobs of all jobs: networks, tickets and summaries. A blob goes when no job refers to it any more. Nothing is counted: what
 * is there is compared with what the jobs' records name, after a job was removed and when the coordinator starts, so a removal
 * that was cut short is finished by the next one, and a blob whose job never came about goes too.
 * The records are read after the blobs are listed: other coordinators of the engine may put jobs meanwhile.
 */
import type { Engine, StoredJob } from '../engine/engine.ts';
import { readJobRequest } from './job-request.ts';
import { decodeJobResult } from './job-result.ts';

type BlobEngine = Pick<Engine, 'jobs' | 'putBlob' | 'blobs' | 'removeBlob'>;

/** Stores jobs' blobs and sweeps them away. */
export class JobBlobs {
  private readonly engine: BlobEngine;
  /** Blobs that were put since the start, by job: its record may not name them yet. */
  private readonly held = new Map<string, Set<string>>();
  /** A blob that is being put must not be swept away before it is held. */
  private turn: Promise<unknown> = Promise.resolve();

  constructor(engine: BlobEngine) {
    this.engine = engine;
  }

  /** Stores a blob of a job, and keeps it until the job is forgotten. */
  put(job: string, bytes: Uint8Array): Promise<string> {
    return this.inTurn(async () => {
      const sha256 = await this.engine.putBlob(bytes);
      const held = this.held.get(job);
      if (held === undefined) this.held.set(job, new Set([sha256]));
      else held.add(sha256);
      return sha256;
    });
  }

  /** Lets go of a removed job's blobs; the next sweep removes them. */
  forget(job: string): void {
    this.held.delete(job);
  }

  /**
   * Removes the blobs that no job refers to. None, while there is a job whose record cannot be read: nobody knows which are its own.
   */
  sweep(): Promise<void> {
    return this.inTurn(async () => {
      const held = new Set([...this.held.values()].flatMap((some) => [...some]));
      const loose = (await this.engine.blobs()).filter((sha256) => !held.has(sha256));
      if (loose.length === 0) return;
      const named = namedBlobs(await this.engine.jobs());
      if (named === null) return;
      for (const sha256 of loose) if (!named.has(sha256)) await this.engine.removeBlob(sha256);
    });
  }

  private inTurn<T>(act: () => Promise<T>): Promise<T> {
    const result = this.turn.then(act);
    this.turn = result.catch(() => undefined);
    return result;
  }
}

/** Null where a job's record cannot be read. */
function namedBlobs(jobs: readonly StoredJob[]): ReadonlySet<string> | null {
  const named = new Set<string>();
  for (const stored of jobs) {
    const request = readJobRequest(stored.request);
    if (request === null) return null;
    named.add(request.networkBlob);
    const result = decodeJobResult(stored.result);
    if (result !== null) named.add(result.ticketBlob).add(result.summaryBlob);
  }
  return named;
}
