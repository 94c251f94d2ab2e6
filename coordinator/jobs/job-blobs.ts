/**
 * The blobs of all jobs: networks, tickets and summaries. A blob goes when no job refers to it any more. Nothing is counted: what
 * is there is compared with what the jobs' records name, after a job was removed and when the coordinator starts, so a removal
 * that was cut short is finished by the next one, and a blob whose job never came about goes too.
 */
import type { Engine, StoredJob } from '../engine/engine.ts';
import type { JobRequest } from './job-request.ts';
import { decodeJobResult } from './job-result.ts';

/** A job as far as its blobs go. */
export interface BlobOwner {
  readonly stored: StoredJob;
  /** Null where the stored one cannot be read. */
  readonly request: JobRequest | null;
}

/** Stores jobs' blobs and sweeps them away. */
export class JobBlobs {
  private readonly engine: Pick<Engine, 'putBlob' | 'blobs' | 'removeBlob'>;
  /** Blobs that were put since the start, by job: its record may not name them yet. */
  private readonly held = new Map<string, Set<string>>();
  /** A blob that is being put must not be swept away before it is held. */
  private turn: Promise<unknown> = Promise.resolve();

  constructor(engine: Pick<Engine, 'putBlob' | 'blobs' | 'removeBlob'>) {
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
   * Removes the blobs that none of these jobs, all there are, refers to. None, while there is a job whose record cannot be read:
   * nobody knows which are its own.
   */
  sweep(jobs: readonly BlobOwner[]): Promise<void> {
    return this.inTurn(async () => {
      if (jobs.some(({ request }) => request === null)) return;
      const kept = new Set([...this.held.values()].flatMap((held) => [...held]));
      for (const owner of jobs) for (const sha256 of namedBlobs(owner)) kept.add(sha256);
      for (const sha256 of await this.engine.blobs())
        if (!kept.has(sha256)) await this.engine.removeBlob(sha256);
    });
  }

  private inTurn<T>(act: () => Promise<T>): Promise<T> {
    const result = this.turn.then(act);
    this.turn = result.catch(() => undefined);
    return result;
  }
}

function namedBlobs({ stored, request }: BlobOwner): string[] {
  const result = decodeJobResult(stored.result);
  const made = result === null ? [] : [result.ticketBlob, result.summaryBlob];
  return request === null ? made : [request.networkBlob, ...made];
}
