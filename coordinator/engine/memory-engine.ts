/** An engine in memory, with faults on demand, for tests and the simulation. */
import { createHash } from 'node:crypto';
import { failure, misuse } from '../../src/core/errors.ts';
import type { Engine } from './engine.ts';
import { recordEngine } from './record-engine.ts';

/** What stays when an engine in memory is closed. Tests may change the bytes. */
export interface MemoryDisk {
  /** Records by key (record.ts). */
  readonly records: Map<string, Uint8Array>;
  readonly blobs: Map<string, Uint8Array>;
  /** An engine has it open. */
  isOpen: boolean;
}

/** What becomes of a write: it happens; it fails and did not happen; it fails although it happened. */
export type WriteFate = 'written' | 'lost' | 'written-but-rejected';

/** What an engine in memory is made with. */
export interface MemoryFaults {
  /** The disk to open; a fresh one by default. */
  readonly disk?: MemoryDisk;
  /** Asked once for every atomic write, with the keys of its records. By default everything is written. */
  readonly fateOf?: (keys: readonly string[]) => WriteFate;
}

/** Returns an empty disk. */
export function memoryDisk(): MemoryDisk {
  return { records: new Map(), blobs: new Map(), isOpen: false };
}

/**
 * Returns an engine over a disk in memory.
 * @throws TombolaError (misuse) when another engine has the disk open.
 */
export function memoryEngine({ disk = memoryDisk(), fateOf = () => 'written' }: MemoryFaults = {}): Engine {
  if (disk.isOpen)
    throw misuse('Cannot open the store in memory: it is in use, expected one coordinator for each');
  disk.isOpen = true;
  const write = (keys: readonly string[], change: () => void): void => {
    const fate = fateOf(keys);
    if (fate !== 'lost') change();
    if (fate !== 'written') throw failure(`Cannot write ${keys.length} records: the disk in memory fails`);
  };
  return recordEngine(
    {
      read: (keys) => Promise.resolve(keys.map((key) => disk.records.get(key)?.slice())),
      write: async (changes) =>
        write(
          changes.map(({ key }) => key),
          () => {
            for (const { key, record } of changes)
              if (record === null) disk.records.delete(key);
              else disk.records.set(key, record);
          },
        ),
      keys: ({ gte, lt }) =>
        Promise.resolve([...disk.records.keys()].filter((key) => key >= gte && key < lt).sort()),
      close: async () => {
        disk.isOpen = false;
      },
    },
    {
      put: async (bytes) => {
        const sha256 = digestOf(bytes);
        write([sha256], () => disk.blobs.set(sha256, bytes.slice()));
        return sha256;
      },
      read: async (sha256) => {
        const bytes = disk.blobs.get(sha256);
        return bytes !== undefined && digestOf(bytes) === sha256 ? bytes.slice() : undefined;
      },
      list: async () => [...disk.blobs.keys()],
      remove: async (sha256) => write([sha256], () => disk.blobs.delete(sha256)),
    },
  );
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
