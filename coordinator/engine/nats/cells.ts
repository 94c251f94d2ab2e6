/**
 * Small values by name that several processes change: a key-value bucket, every change a compare-and-set against the revision that
 * the change is based on. Reads are answered by the bucket's leader, never by a replica that lags behind.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type KV, type KvEntry, Kvm } from '@nats-io/kv';
import { natsWatchRetryMsMax } from '../../../src/core/limits.ts';
import { isConflict } from './conflict.ts';
import type { NatsLink } from './connection.ts';
import { deleteMessage } from './streams.ts';

/** A value and the revision that it came with: revisions of a bucket only grow. */
export interface Cell {
  readonly value: Uint8Array;
  readonly revision: number;
}

/** What became of a cell, and when: null where it was removed. */
export interface CellChange {
  readonly value: Uint8Array | null;
  readonly revision: number;
}

/** A cell that is there no more. */
export interface RemovedCell {
  readonly key: string;
  readonly revision: number;
  /** By the servers' clock. */
  readonly atMs: number;
}

/** A bucket of cells. Methods reject with TombolaError (failure) where the engine cannot be used; a change may have happened then. */
export interface Cells {
  read(key: string): Promise<Cell | undefined>;
  /** As {@link Cells.read}, also of a cell that was removed; undefined where there never was one. */
  latest(key: string): Promise<CellChange | undefined>;
  /** Sets a cell that has the revision (0: that is not there); returns its new one, or null where it has another one. */
  set(key: string, value: Uint8Array, revision: number): Promise<number | null>;
  /** Sets a cell whatever it holds. */
  put(key: string, value: Uint8Array): Promise<void>;
  /** Removes a cell, if it still has the revision where one is given; returns whether it had. */
  remove(key: string, revision?: number): Promise<boolean>;
  keys(): Promise<readonly string[]>;
  /** Cells that were removed, as long as that is known, which costs a message each. */
  removed(): Promise<readonly RemovedCell[]>;
  /** Forgets that a cell was removed, unless it is there again: as if it had never been. Who watches must have heard of it before. */
  forget(cell: RemovedCell): Promise<void>;
  /**
   * Calls back with every cell there is and with every change from then on, in order, over all reconnections.
   * Where the engine ends that, or `onChange` throws, it begins anew after a while, with every cell there is. Returns how to stop.
   */
  watch(filter: string, onChange: OnCellChange): Promise<() => void>;
}

/** Told of a cell, null where it was removed, and of the change itself. */
export type OnCellChange = (key: string, cell: Cell | null, change: CellChange) => void;

/** Which bucket, and how it is kept. */
export interface CellsOptions {
  readonly bucket: string;
  readonly replicas: number;
  /** Told why a watch begins anew. */
  readonly onTrouble?: (reason: string) => void;
}

const watchRetryMsMin = 250;

/** Returns the bucket, which is made if it is not there. */
export async function openCells(
  link: NatsLink,
  { bucket, replicas, onTrouble = () => undefined }: CellsOptions,
): Promise<Cells> {
  const kv: KV = await link.guard('open', () =>
    new Kvm(link.client).create(bucket, { replicas, history: 1, allow_direct: false }),
  );
  const latest = (key: string): Promise<CellChange | undefined> =>
    link.guard('read', async () => {
      const entry = await kv.get(key);
      return entry === null ? undefined : changeOf(entry);
    });
  return {
    latest,
    read: async (key) => {
      const change = await latest(key);
      return (change && cellOf(change)) ?? undefined;
    },
    set: (key, value, revision) =>
      link.guard('write to', async () => {
        for (let attempt = 1; ; attempt++)
          try {
            return await (revision === 0 ? kv.create(key, value) : kv.update(key, value, revision));
          } catch (error) {
            if (!isConflict(error)) throw error;
            // That it was removed may just have been forgotten: then nobody else has set it.
            if (revision !== 0 || attempt > 1 || (await kv.get(key)) !== null) return null;
          }
      }),
    put: (key, value) => link.guard('write to', async () => void (await kv.put(key, value))),
    remove: (key, revision) =>
      link.guard('write to', async () => {
        try {
          await kv.delete(key, revision === undefined ? {} : { previousSeq: revision });
          return true;
        } catch (error) {
          if (isConflict(error)) return false;
          throw error;
        }
      }),
    keys: () =>
      link.guard('list', async () => {
        const keys: string[] = [];
        for await (const key of await kv.keys()) keys.push(key);
        return keys;
      }),
    removed: () =>
      link.guard('list', async () => {
        const removed: RemovedCell[] = [];
        // Without values: the library knows how to, though its type does not say so.
        const query = { key: '>', headers_only: true };
        for await (const entry of await kv.history(query))
          if (entry.operation !== 'PUT')
            removed.push({ key: entry.key, revision: entry.revision, atMs: entry.created.getTime() });
        return removed;
      }),
    forget: ({ revision }) => deleteMessage(link, `KV_${bucket}`, revision),
    watch: async (filter, onChange) => {
      const open = (): Promise<Changes> => link.guard('follow', () => kv.watch({ key: filter }));
      const first = await open();
      const following = new Following({ link, open, onChange, onTrouble });
      void following.run(first);
      return () => following.stop();
    },
  };
}

function changeOf({ operation, value, revision }: KvEntry): CellChange {
  return { value: operation === 'PUT' ? value : null, revision };
}

function cellOf({ value, revision }: CellChange): Cell | null {
  return value === null ? null : { value, revision };
}

type Changes = Awaited<ReturnType<KV['watch']>>;

interface FollowingOptions {
  readonly link: NatsLink;
  readonly open: () => Promise<Changes>;
  readonly onChange: OnCellChange;
  readonly onTrouble: (reason: string) => void;
}

/** A watch that goes on until it is stopped or the connection is closed: who relies on it learns of revoked keys by it. */
class Following {
  private readonly options: FollowingOptions;
  private readonly ending = new AbortController();
  private changes: Changes | undefined;

  constructor(options: FollowingOptions) {
    this.options = options;
  }

  stop(): void {
    this.ending.abort();
    this.changes?.stop();
  }

  /** Never rejects. */
  async run(first: Changes): Promise<void> {
    const { link, open, onTrouble } = this.options;
    let waitMs = watchRetryMsMin;
    for (let changes: Changes | undefined = first; ; changes = await open().catch(() => undefined)) {
      const isGood = changes !== undefined && (await this.take(changes, waitMs));
      if (this.isOver()) return;
      waitMs = isGood ? watchRetryMsMin : Math.min(2 * waitMs, natsWatchRetryMsMax);
      onTrouble(`what changes in the engine at ${link.name} is not followed; trying again in ${waitMs} ms`);
      await delay(waitMs, undefined, { signal: this.ending.signal, ref: false }).catch(() => undefined);
      if (this.isOver()) return;
    }
  }

  /** Resolves when the watch has ended: whether all was taken. A change that was not is asked for again, those after it are not held up. */
  private async take(changes: Changes, waitMs: number): Promise<boolean> {
    const { onChange, onTrouble } = this.options;
    let again: ReturnType<typeof setTimeout> | undefined;
    this.changes = changes;
    if (this.isOver()) changes.stop();
    try {
      for await (const entry of changes) {
        try {
          const change = changeOf(entry);
          onChange(entry.key, cellOf(change), change);
        } catch (error) {
          onTrouble(`cannot use what ${entry.key} says: ${String(error)}`);
          again ??= setTimeout(() => changes.stop(), waitMs).unref();
        }
      }
    } catch (error) {
      onTrouble(String(error));
    }
    clearTimeout(again);
    return again === undefined;
  }

  private isOver(): boolean {
    return this.ending.signal.aborted || this.options.link.connection.isClosed();
  }
}
