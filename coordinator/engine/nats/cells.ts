/**
 * Small values by name that several processes change: a key-value bucket, every change a compare-and-set against the revision that
 * the change is based on. Reads are answered by the bucket's leader, never by a replica that lags behind.
 */
import { type KV, Kvm, type KvWatchEntry } from '@nats-io/kv';
import { isConflict } from './conflict.ts';
import type { NatsLink } from './connection.ts';

/** A value and the revision that it came with: revisions of a bucket only grow. */
export interface Cell {
  readonly value: Uint8Array;
  readonly revision: number;
}

/** A bucket of cells. Methods reject with TombolaError (failure) where the engine cannot be used; a change may have happened then. */
export interface Cells {
  read(key: string): Promise<Cell | undefined>;
  /** Sets a cell that has the revision (0: that is not there); returns its new one, or null where it has another one. */
  set(key: string, value: Uint8Array, revision: number): Promise<number | null>;
  /** Sets a cell whatever it holds. */
  put(key: string, value: Uint8Array): Promise<void>;
  /** Removes a cell, if it still has the revision where one is given; returns whether it had. */
  remove(key: string, revision?: number): Promise<boolean>;
  keys(): Promise<readonly string[]>;
  /**
   * Calls back with every cell there is and with every change from then on, in order (null: removed), over all reconnections.
   * Returns how to stop.
   */
  watch(filter: string, onChange: (key: string, cell: Cell | null) => void): Promise<() => void>;
}

/** Returns the bucket, which is made if it is not there. */
export async function openCells(
  link: NatsLink,
  { bucket, replicas }: { readonly bucket: string; readonly replicas: number },
): Promise<Cells> {
  const kv: KV = await link.guard('open', () =>
    new Kvm(link.client).create(bucket, { replicas, history: 1, allow_direct: false }),
  );
  const read = (key: string): Promise<Cell | undefined> =>
    link.guard('read', async () => {
      const entry = await kv.get(key);
      return entry === null || entry.operation !== 'PUT' ? undefined : entry;
    });
  return {
    read,
    set: (key, value, revision) =>
      link.guard('write to', async () => {
        try {
          return await (revision === 0 ? kv.create(key, value) : kv.update(key, value, revision));
        } catch (error) {
          if (isConflict(error)) return null;
          throw error;
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
    watch: (filter, onChange) =>
      link.guard('follow', async () => {
        const changes = await kv.watch({ key: filter });
        const take = (entry: KvWatchEntry): void =>
          onChange(entry.key, entry.operation === 'PUT' ? entry : null);
        const following = (async () => {
          for await (const entry of changes) take(entry);
        })();
        // It only ends with the connection, whose owner is told by whatever it asks for next.
        following.catch(() => undefined);
        return () => changes.stop();
      }),
  };
}
