/**
 * Objects: bytes of any size under a name, in an object store, in pieces.
 *
 * An object is one message with its description (ObjectInfo), put by compare-and-set, that names the subject of its pieces. Of two that
 * put an object at a time one is refused and takes back its pieces; pieces of one that died meanwhile are swept away. An object is
 * removed by deleting the very description that was found, which leaves no trace: the library's own way takes 40 ms (nats-server
 * 2.10.27, 10,000 objects), leaves a marker for ever, and takes what somebody else puts at that moment.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { AckPolicy, DeliverPolicy } from '@nats-io/jetstream';
import { type ObjectInfo, type ObjectStore, Objm } from '@nats-io/obj';
import { type Msg, nanos } from '@nats-io/transport-node';
import {
  natsObjectPutAttemptsMax,
  natsObjectReadAttemptsMax,
  natsPieceBytes,
  natsSubjectsListedMax,
} from '../../../src/core/limits.ts';
import { isConflict } from './conflict.ts';
import type { NatsLink } from './connection.ts';
import { Lanes } from './lanes.ts';
import { pullNow } from './pull-now.ts';
import { deleteMessage, subjectsOf } from './streams.ts';

const bucket = 'tombola-blobs';
const stream = `OBJ_${bucket}`;
const pieceRoot = `$O.${bucket}.C.`;
const infoRoot = `$O.${bucket}.M.`;
/** A replica that lags behind has a blob's pieces a moment later. */
const lagMs = 100;
/** A list that nobody asks for any more is forgotten. */
const listMs = 5000;
/** Pieces that do not exist would be waited for for ever. */
const silenceMsMax = 5000;

/** How objects are kept. */
export interface ObjectsOptions {
  readonly replicas: number;
  readonly silenceMs?: number;
}

/** What is said of an object. */
export type Description = Pick<ObjectInfo, 'name' | 'nuid' | 'mtime' | 'deleted' | 'revision'>;

/** Which pieces may go. */
export interface PieceSweep {
  readonly olderThanMs: number;
  /** Ends the sweep early. */
  readonly signal: AbortSignal;
}

/** Returns the objects; their store is made if it is not there. */
export async function openObjects(
  link: NatsLink,
  { replicas, silenceMs = silenceMsMax }: ObjectsOptions,
): Promise<Objects> {
  const store = await link.guard('open', () => new Objm(link.client).create(bucket, { replicas }));
  return new Objects(link, store, silenceMs);
}

/** No piece has come for a while. */
class Silence extends Error {}

/** All objects. Methods reject with TombolaError (failure) where the engine cannot be used. */
export class Objects {
  private readonly link: NatsLink;
  private readonly store: ObjectStore;
  private readonly silenceMs: number;
  private readonly lanes = new Lanes(16);
  private readonly looks = new Lanes(16);

  constructor(link: NatsLink, store: ObjectStore, silenceMs: number) {
    this.link = link;
    this.store = store;
    this.silenceMs = silenceMs;
  }

  /** What is there and whole is not written again, unless it was written longer ago than `freshMs`. */
  put(name: string, bytes: Uint8Array, freshMs = Number.POSITIVE_INFINITY): Promise<void> {
    return this.lanes.run(name, async () => {
      for (let attempt = 1; ; attempt++) {
        const info = await this.info(name);
        if (info !== null && ageMs(info) < freshMs && (await this.has(info, bytes))) return;
        const isLast = attempt >= natsObjectPutAttemptsMax;
        if (await this.putOver(info?.revision ?? 0, { name, bytes, isLast })) return;
      }
    });
  }

  /** Undefined where there is none, or not with the bytes that `isRight` wants. */
  async read(name: string, isRight: (bytes: Uint8Array) => boolean): Promise<Uint8Array | undefined> {
    const bytes = await this.readWhole(name, natsObjectReadAttemptsMax);
    return bytes !== undefined && isRight(bytes) ? bytes : undefined;
  }

  /** Of all objects, in the order of nothing. */
  async names(): Promise<readonly string[]> {
    const subjects = await subjectsOf(this.link, stream, `${infoRoot}*`);
    return subjects.map((subject) =>
      Buffer.from(subject.slice(infoRoot.length), 'base64url').toString('utf8'),
    );
  }

  /** Returns the descriptions of those of the objects that are there. */
  async infos(names: readonly string[]): Promise<readonly Description[]> {
    const listed = await this.listed();
    const ask = (name: string): Promise<Description | null> =>
      this.looks.run(Symbol(name), () => this.info(name));
    const found = await Promise.all(names.map((name) => listed.get(name) ?? ask(name)));
    return found.filter((info) => info !== null);
  }

  remove(name: string, olderThanMs = Number.NEGATIVE_INFINITY): Promise<void> {
    return this.lanes.run(name, async () => {
      const info = await this.info(name);
      if (info === null || ageMs(info) < olderThanMs) return;
      await deleteMessage(this.link, stream, info.revision);
      if (!info.deleted) await this.purge(pieceRoot + info.nuid);
    });
  }

  /** Removes pieces that no object names, unless they are newer than that: their object may come yet. */
  async sweep({ olderThanMs, signal }: PieceSweep): Promise<void> {
    // Pieces first: an object that is whole by then is among those that are listed after, however it is put meanwhile.
    const pieces = await subjectsOf(this.link, stream, `${pieceRoot}*`);
    const names = await this.names();
    if (names.length >= natsSubjectsListedMax) return;
    const named = new Set<string>();
    for (const { nuid, deleted, revision } of await this.infos(names)) {
      if (signal.aborted) return;
      if (!deleted) named.add(pieceRoot + nuid);
      // Removed in the library's way, by an earlier version.
      else await deleteMessage(this.link, stream, revision);
    }
    for (const subject of pieces) {
      if (signal.aborted) return;
      if (!named.has(subject) && (await this.isOlder(subject, olderThanMs))) await this.purge(subject);
    }
  }

  /**
   * By name; a replica that lags behind, or a server that is slow, leaves some out. The library's list may wait for half a minute for
   * an object that is removed meanwhile.
   */
  private listed(): Promise<ReadonlyMap<string, Description>> {
    const { link } = this;
    return link.guard('list', async () => {
      const { name: consumer, num_pending: count } = await link.manager.consumers.add(stream, {
        filter_subject: `${infoRoot}*`,
        deliver_policy: DeliverPolicy.LastPerSubject,
        ack_policy: AckPolicy.None,
        mem_storage: true,
        num_replicas: 1,
        inactive_threshold: nanos(listMs),
      });
      const messages = count === 0 ? null : await pullNow(link, { stream, consumer, count });
      return new Map((messages ?? []).map(descriptionOf).map((info) => [info.name, info]));
    });
  }

  /** Whether the last of the pieces on a subject came longer ago than this. */
  private async isOlder(subject: string, olderThanMs: number): Promise<boolean> {
    const last = await this.link.guard('read', () =>
      this.link.manager.streams.getMessage(stream, { last_by_subj: subject }),
    );
    return last !== null && Date.now() - last.time.getTime() >= olderThanMs;
  }

  private purge(filter: string): Promise<unknown> {
    return this.link.guard('write to', () => this.link.manager.streams.purge(stream, { filter }));
  }

  private info(name: string): Promise<ObjectInfo | null> {
    return this.link.guard('read', () => this.store.info(name));
  }

  /** Returns whether the object was put; not where it is another one's than that of the revision by now, unless this is the last attempt. */
  private putOver(
    previousRevision: number,
    { name, bytes, isLast }: { readonly name: string; readonly bytes: Uint8Array; readonly isLast: boolean },
  ): Promise<boolean> {
    return this.link.guard('write to', async () => {
      try {
        const options = { max_chunk_size: natsPieceBytes };
        await this.store.putBlob({ name, options }, bytes, { previousRevision });
        return true;
      } catch (error) {
        if (isLast || !isConflict(error)) throw error;
        return false;
      }
    });
  }

  private async has({ name, deleted }: ObjectInfo, bytes: Uint8Array): Promise<boolean> {
    if (deleted) return false;
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
    const subject = pieceRoot + nuid;
    const { state } = await this.link.manager.streams.info(stream, { subjects_filter: subject });
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

/** The reply subject is $JS.ACK.[<domain>.<account>.]<stream>.<consumer>.<deliveries>.<sequence>.… */
function descriptionOf(message: Msg): Description {
  const tokens = message.reply?.split('.') ?? [];
  const revision = Number(tokens[tokens.indexOf(stream) + 3]);
  const { name, nuid, mtime, deleted = false } = message.json<Omit<Description, 'revision'>>();
  return { name, nuid, mtime, deleted, revision };
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
