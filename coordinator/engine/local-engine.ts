/**
 * The engine of one machine: a directory with a LevelDB for jobs and results, and files for blobs.
 *
 *   <directory>/level     LevelDB, keys and values as in record.ts. Its lock makes the directory's owner the only one
 *   <directory>/blobs     files by SHA-256 (blob-files.ts)
 *
 * Failed writes. After a failed append LevelDB's log may end in a torn record, and what is appended after it might not be found
 * again; after a failed sync nobody knows what is on the disk. So the first failed write closes LevelDB, and nothing is written,
 * and so nothing acknowledged, before it has been opened again: opening reads the log up to its last whole record and writes what
 * it found to a table of its own, synced. Every read and write tries that first; where it fails too (the disk is still full) so
 * does the call. The failed write may turn out to have happened: committing again then says `duplicate`.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { failure, misuse, type TombolaError } from '../../src/core/errors.ts';
import { reasonOf } from '../reason-of.ts';
import { openBlobFiles } from './blob-files.ts';
import type { Engine } from './engine.ts';
import type { RecordChange } from './group-writer.ts';
import type { KeyRange } from './record.ts';
import { type OpenRecordStore, recordEngine } from './record-engine.ts';

/** Keys per call while listing. */
const keysPerPage = 1000;
/** Results have 10 to 200 kB: with LevelDB's 4 MB it would compact all the time. Opening again reads as much as this at most. */
const writeBufferBytes = 1 << 25;

/**
 * Returns the engine of a directory, which is made if it is not there.
 * @throws TombolaError (misuse) when another process, or this one, has it open; (failure) when it cannot be used. The engine's
 * methods throw TombolaError (failure) when the disk is full or fails.
 */
export async function openLocalEngine(directory: string): Promise<Engine> {
  const store = new LevelStore(directory);
  await store.open();
  try {
    return recordEngine(store, await openBlobFiles(join(directory, 'blobs')));
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** LevelDB as a record store that opens itself again after a failed write. */
class LevelStore implements OpenRecordStore {
  private readonly directory: string;
  private readonly level: ClassicLevel<string, Uint8Array>;
  private hasFailed = false;
  private reopening: Promise<void> | undefined;

  constructor(directory: string) {
    this.directory = directory;
    this.level = new ClassicLevel<string, Uint8Array>(join(directory, 'level'), {
      keyEncoding: 'utf8',
      valueEncoding: 'view',
      writeBufferSize: writeBufferBytes,
      maxFileSize: writeBufferBytes,
      // Masks are as good as random.
      compression: false,
    });
  }

  async open(): Promise<void> {
    try {
      await mkdir(this.directory, { recursive: true, mode: 0o700 });
      await this.level.open({ passive: false });
    } catch (error) {
      throw openingError(this.directory, error);
    }
  }

  async read(keys: readonly string[]): Promise<readonly (Uint8Array | undefined)[]> {
    await this.whole();
    try {
      return await this.level.getMany([...keys]);
    } catch (error) {
      if (codeOf(error) !== 'LEVEL_CORRUPTION') throw this.failed('read', error);
      // One rotten block spoils the whole call, so every key is asked for by itself.
      return Promise.all(keys.map((key) => this.readOne(key)));
    }
  }

  async write(changes: readonly RecordChange[]): Promise<void> {
    await this.whole();
    const operations = changes.map(({ key, record }) =>
      record === null ? { type: 'del' as const, key } : { type: 'put' as const, key, value: record },
    );
    try {
      await this.level.batch(operations, { sync: true });
    } catch (error) {
      this.hasFailed = true;
      throw this.failed('write to', error);
    }
  }

  async keys({ gte, lt }: KeyRange): Promise<readonly string[]> {
    await this.whole();
    const keys: string[] = [];
    const iterator = this.level.keys({ gte, lt });
    try {
      for (;;) {
        const page = await iterator.nextv(keysPerPage);
        if (page.length === 0) return keys;
        keys.push(...page);
      }
    } catch (error) {
      throw this.failed('list', error);
    } finally {
      await iterator.close();
    }
  }

  async close(): Promise<void> {
    await this.reopening?.catch(() => undefined);
    await this.level.close();
  }

  /** Resolves when LevelDB may be used: at once, or after it has been opened again. */
  private whole(): Promise<void> {
    if (!this.hasFailed) return Promise.resolve();
    this.reopening ??= this.reopen().finally(() => {
      this.reopening = undefined;
    });
    return this.reopening;
  }

  private async reopen(): Promise<void> {
    await this.level.close();
    await this.open();
    this.hasFailed = false;
  }

  private async readOne(key: string): Promise<Uint8Array | undefined> {
    try {
      return await this.level.get(key);
    } catch (error) {
      // As good as absent; present in a form that no checksum passes, so that the reader removes it.
      if (codeOf(error) === 'LEVEL_CORRUPTION') return new Uint8Array(0);
      throw this.failed('read', error);
    }
  }

  private failed(action: string, error: unknown): TombolaError {
    return failure(
      `Cannot ${action} the store ${this.directory}: ${reasonOf(error)}, expected a disk that works and has free space; make room, what was acknowledged is kept`,
      error,
    );
  }
}

function openingError(directory: string, error: unknown): TombolaError {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  if (codeOf(cause) === 'LEVEL_LOCKED')
    return misuse(
      `Cannot open the store ${directory}: it is in use by another process, expected one at a time; end that one or name another directory`,
      error,
    );
  if (codeOf(cause) === 'LEVEL_CORRUPTION')
    return failure(
      `Cannot open the store ${directory}: ${reasonOf(cause)}, expected an undamaged store; delete its folder "level", jobs have then to be submitted again`,
      error,
    );
  return failure(
    `Cannot open the store ${directory}: ${reasonOf(cause)}, expected a directory that can be written to`,
    error,
  );
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}
