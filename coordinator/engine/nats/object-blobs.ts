/**
 * Blobs in an object store, in pieces:
 *
 *   blob.<sha256>           what the engine's interface calls blobs
 *   result.<job>.<sha256>   results of tiles that are too large for one message
 *   spec.<job>.<digest>     layers, and large tiles, of jobs at work, for the gateways that have them solved (coordinator/cluster)
 *
 * Names that begin with a job are removed with it. A name says which bytes it must have, so what is read is checked against it.
 */
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { type ObjectInfo, type ObjectStore, Objm } from '@nats-io/obj';
import { natsObjectReadAttemptsMax, natsPieceBytes } from '../../../src/core/limits.ts';
import type { NatsLink } from './connection.ts';
import { Lanes } from './lanes.ts';
import { jobToken } from './names.ts';

const bucket = 'tombola-blobs';
/** A replica that lags behind has a blob's pieces a moment later. */
const lagMs = 100;
/** Pieces that do not exist would be waited for for ever. */
const silenceMsMax = 5000;

/** Results that are too large for a message, by their job and digest. */
export interface LargeResults {
  put(job: string, result: Uint8Array): Promise<string>;
  read(job: string, sha256: string): Promise<Uint8Array | undefined>;
  removeJob(job: string): Promise<void>;
}

/** All objects. Methods reject with TombolaError (failure) where the engine cannot be used. */
export interface ObjectBlobs {
  /** What is there already counts as put lately once it was put half of this ago. */
  put(bytes: Uint8Array, graceMs: number): Promise<string>;
  read(sha256: string): Promise<Uint8Array | undefined>;
  /** Names of blobs that were put longer ago than this. */
  list(olderThanMs: number): Promise<readonly string[]>;
  /** Leaves a blob that was not put longer ago than this: somebody has put it again. */
  remove(sha256: string, olderThanMs: number): Promise<void>;
  readonly large: LargeResults;
  /** Keeps a part of a job's work items until the job is over; see coordinator/cluster/work-item.ts. */
  putSpec(job: string, digest: string, bytes: Uint8Array): Promise<void>;
  readSpec(job: string, digest: string): Promise<Uint8Array | undefined>;
  /** Stops where the job has come to need them: `mayGo` is asked before each. */
  removeSpecs(job: string, mayGo?: () => Promise<boolean>): Promise<void>;
}

/** Returns the objects; their store is made if it is not there. */
export async function openObjectBlobs(
  link: NatsLink,
  { replicas, silenceMs = silenceMsMax }: { readonly replicas: number; readonly silenceMs?: number },
): Promise<ObjectBlobs> {
  const store = await link.guard('open', () => new Objm(link.client).create(bucket, { replicas }));
  const objects = new Objects(link, store, silenceMs);
  const removeOf = (prefix: string) => async (job: string, mayGo?: () => Promise<boolean>) => {
    const found = await objects.list();
    for (const { name } of found.filter(({ name }) => name.startsWith(`${prefix}.${jobToken(job)}.`))) {
      if ((await mayGo?.()) === false) return;
      await objects.remove(name);
    }
  };
  const readOf = async (prefix: string, sha256: string): Promise<Uint8Array | undefined> =>
    isDigest(sha256) ? objects.read(`${prefix}.${sha256}`, (bytes) => digestOf(bytes) === sha256) : undefined;
  const putOf = async (prefix: string, bytes: Uint8Array, freshMs?: number): Promise<string> => {
    const sha256 = digestOf(bytes);
    await objects.put(`${prefix}.${sha256}`, bytes, freshMs);
    return sha256;
  };
  return {
    put: (bytes, graceMs) => putOf('blob', bytes, graceMs / 2),
    read: (sha256) => readOf('blob', sha256),
    list: async (olderThanMs) => {
      const limit = Date.now() - olderThanMs;
      const found = await objects.list();
      return found.flatMap(({ name, atMs }) =>
        name.startsWith('blob.') && atMs <= limit ? [name.slice('blob.'.length)] : [],
      );
    },
    remove: async (sha256, olderThanMs) => {
      if (isDigest(sha256)) await objects.remove(`blob.${sha256}`, olderThanMs);
    },
    large: {
      put: (job, result) => putOf(`result.${jobToken(job)}`, result),
      read: (job, sha256) => readOf(`result.${jobToken(job)}`, sha256),
      removeJob: removeOf('result'),
    },
    putSpec: (job, digest, bytes) => objects.put(`spec.${jobToken(job)}.${digest}`, bytes),
    readSpec: (job, digest) => objects.read(`spec.${jobToken(job)}.${digest}`, () => true),
    removeSpecs: removeOf('spec'),
  };
}

/** No piece has come for a while. */
class Silence extends Error {}

class Objects {
  private readonly link: NatsLink;
  private readonly store: ObjectStore;
  private readonly silenceMs: number;
  private readonly lanes = new Lanes(16);

  constructor(link: NatsLink, store: ObjectStore, silenceMs: number) {
    this.link = link;
    this.store = store;
    this.silenceMs = silenceMs;
  }

  /** What is there and whole is not written again, unless it was written longer ago than `freshMs`. */
  put(name: string, bytes: Uint8Array, freshMs = Number.POSITIVE_INFINITY): Promise<void> {
    return this.lanes.run(name, async () => {
      if (await this.has(name, bytes, freshMs)) return;
      await this.link.guard('write to', () =>
        this.store.putBlob({ name, options: { max_chunk_size: natsPieceBytes } }, bytes),
      );
    });
  }

  /** Undefined where there is none, or not with the bytes that `isRight` wants. */
  async read(name: string, isRight: (bytes: Uint8Array) => boolean): Promise<Uint8Array | undefined> {
    const bytes = await this.readWhole(name, natsObjectReadAttemptsMax);
    return bytes !== undefined && isRight(bytes) ? bytes : undefined;
  }

  /** In the order of nothing. */
  list(): Promise<{ name: string; atMs: number }[]> {
    return this.link.guard('list', async () =>
      (await this.store.list()).map(({ name, mtime }) => ({ name, atMs: Date.parse(mtime) })),
    );
  }

  remove(name: string, olderThanMs = Number.NEGATIVE_INFINITY): Promise<void> {
    return this.lanes.run(name, () =>
      this.link.guard('write to', async () => {
        const info = await this.store.info(name);
        if (info !== null && !info.deleted && ageMs(info) >= olderThanMs) await this.store.delete(name);
      }),
    );
  }

  private async has(name: string, bytes: Uint8Array, freshMs: number): Promise<boolean> {
    const info = await this.link.guard('read', () => this.store.info(name));
    if (info === null || info.deleted || ageMs(info) >= freshMs) return false;
    const known = await this.readWhole(name, 1);
    return known !== undefined && Buffer.compare(known, bytes) === 0;
  }

  private async readOnce(name: string): Promise<Uint8Array | undefined> {
    const found = await this.store.get(name);
    if (found === null) return undefined;
    // The same is told by the pieces.
    found.error.catch(() => undefined);
    const reader = found.data.getReader();
    const pieces: Uint8Array[] = [];
    try {
      for (;;) {
        const { done, value } = await inTime(reader.read(), this.silenceMs);
        if (done) return new Uint8Array(Buffer.concat(pieces));
        pieces.push(value);
      }
    } catch (error) {
      if (error instanceof Silence && !(await this.hasPieces(found.info)))
        throw new Error('corrupt: pieces are missing');
      throw error;
    } finally {
      await reader.cancel().catch(() => undefined);
    }
  }

  /** Whether the leader has all pieces: one that only keeps us waiting is not to pass for damage. */
  private async hasPieces({ nuid, chunks }: ObjectInfo): Promise<boolean> {
    const subject = `$O.${bucket}.C.${nuid}`;
    const { state } = await this.link.manager.streams.info(`OBJ_${bucket}`, { subjects_filter: subject });
    return (state.subjects?.[subject] ?? 0) >= chunks;
  }

  /** Pieces that are missing or differ from their own digest are looked for again: a replica may lag behind. */
  private async readWhole(name: string, attempts: number): Promise<Uint8Array | undefined> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.readOnce(name);
      } catch (error) {
        const isDamaged = error instanceof Error && /corrupt|digest/.test(error.message);
        if (isDamaged && attempt >= attempts) return undefined;
        if (attempt >= attempts) return this.link.guard('read', () => Promise.reject(error));
        await delay(lagMs * attempt);
      }
    }
  }
}

/** Rejects when a result takes too long. */
async function inTime<T>(result: Promise<T>, msMax: number): Promise<T> {
  const ending = new AbortController();
  const late = delay(msMax, undefined, { signal: ending.signal });
  try {
    return await Promise.race([
      result,
      late.then(() => Promise.reject(new Silence(`silent for ${msMax} ms`))),
    ]);
  } finally {
    ending.abort();
    late.catch(() => undefined);
  }
}

function ageMs({ mtime }: { readonly mtime: string }): number {
  return Date.now() - Date.parse(mtime);
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function isDigest(name: string): boolean {
  return /^[0-9a-f]{64}$/.test(name);
}
