/**
 * Blobs as objects (objects.ts):
 *
 *   blob.<sha256>           what the engine's interface calls blobs
 *   result.<job>.<sha256>   results of tiles that are too large for one message
 *   spec.<job>.<digest>     layers, and large tiles, of jobs at work, for the gateways that have them solved (coordinator/cluster)
 *
 * Names that begin with a job are removed with it. A name says which bytes it must have, so what is read is checked against it.
 */
import { createHash } from 'node:crypto';
import type { NatsLink } from './connection.ts';
import { jobToken, nameOfToken } from './names.ts';
import { type Objects, type ObjectsOptions, openObjects, type PieceSweep } from './objects.ts';

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
  /** Removes what no object has any more, if it was put longer ago than this, and what is of jobs that are gone. */
  sweep(options: SweepOptions): Promise<void>;
}

/** What may be swept away. */
export interface SweepOptions extends PieceSweep {
  readonly isGone: (job: string) => Promise<boolean>;
}

/** Returns the objects; their store is made if it is not there. */
export async function openObjectBlobs(link: NatsLink, options: ObjectsOptions): Promise<ObjectBlobs> {
  const objects = await openObjects(link, options);
  const removeOf = (prefix: string) => async (job: string, mayGo?: () => Promise<boolean>) => {
    const found = await objects.names();
    for (const name of found.filter((name) => name.startsWith(`${prefix}.${jobToken(job)}.`))) {
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
      const names = (await objects.names()).filter((name) => name.startsWith('blob.'));
      const found = await objects.infos(names);
      return found.flatMap(({ name, mtime, deleted }) =>
        !deleted && Date.parse(mtime) <= limit ? [name.slice('blob.'.length)] : [],
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
    sweep: async (options) => {
      await objects.sweep(options);
      await sweepJobs(objects, options);
    },
  };
}

/** Removes the objects of jobs that are gone: a result or a layer that was put when its job had just been removed. */
async function sweepJobs(objects: Objects, { isGone, signal }: SweepOptions): Promise<void> {
  const standing = new Set<string>();
  for (const name of await objects.names()) {
    const [, token] = /^(?:result|spec)\.([^.]+)\./.exec(name) ?? [];
    if (token === undefined || standing.has(token)) continue;
    if (signal.aborted) return;
    if (await isGone(nameOfToken(token))) await objects.remove(name);
    else standing.add(token);
  }
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function isDigest(name: string): boolean {
  return /^[0-9a-f]{64}$/.test(name);
}
