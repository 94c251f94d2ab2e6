/** An engine over an ordered map of records and a map of blobs: what the local engine and the one in memory have in common. */
import { failure } from '../../src/core/errors.ts';
import { engineGroupChangesMax } from '../../src/core/limits.ts';
import type { Engine, StoredJob } from './engine.ts';
import { GroupReader } from './group-reader.ts';
import { GroupWriter, type RecordStore } from './group-writer.ts';
import {
  jobKey,
  jobRange,
  type KeyRange,
  nameOfKey,
  openRecord,
  resultKey,
  resultRange,
  sealRecord,
} from './record.ts';

/** A record store that also lists and closes. */
export interface OpenRecordStore extends RecordStore {
  /** Returns the keys of a range, ascending. */
  keys(range: KeyRange): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** Blobs by the hex SHA-256 of their bytes. */
export interface BlobStore {
  put(bytes: Uint8Array): Promise<string>;
  /** Undefined where the blob is absent or its bytes have another digest. */
  read(sha256: string): Promise<Uint8Array | undefined>;
  list(): Promise<readonly string[]>;
  /** After all puts that were asked for before. A name that is no digest, or not there, is passed over. */
  remove(sha256: string): Promise<void>;
}

/** Returns the engine over the two stores. Closing it closes the record store, after what was being written. */
export function recordEngine(store: OpenRecordStore, blobs: BlobStore): Engine {
  const writer = new GroupWriter(store);
  const reader = new GroupReader(store);
  let closing: Promise<void> | undefined;
  const checkOpen = (): void => {
    if (closing !== undefined) throw failure('Cannot use the store: it is closed, expected an open one');
  };
  return {
    jobs: async () => {
      checkOpen();
      const keys = await store.keys(jobRange);
      const records = await store.read(keys);
      const jobs = keys.map((key, index) => readJob(key, records[index]));
      return jobs.sort((a, b) => a.sequence - b.sequence || (a.job < b.job ? -1 : 1));
    },
    putJob: async (job) => {
      checkOpen();
      const key = jobKey(job.job);
      const record = sealRecord(key, new TextEncoder().encode(JSON.stringify(job)));
      await writer.update(key, record.length, () => ({ record, outcome: undefined }));
    },
    removeJob: async (job) => {
      checkOpen();
      // The job goes last: a removal that was cut short can be repeated.
      const keys = await store.keys(resultRange(job));
      for (let from = 0; from < keys.length; from += engineGroupChangesMax)
        await Promise.all(
          keys.slice(from, from + engineGroupChangesMax).map((key) => writer.update(key, 0, removal)),
        );
      await writer.update(jobKey(job), 0, removal);
    },
    commitResult: async (job, tile, result) => {
      checkOpen();
      const key = resultKey(job, tile);
      const record = sealRecord(key, result);
      return writer.update(key, record.length, (current) =>
        openRecord(key, current) === undefined ? { record, outcome: 'new' } : { outcome: 'duplicate' },
      );
    },
    readResult: async (job, tile) => {
      checkOpen();
      const key = resultKey(job, tile);
      const record = await reader.read(key);
      const value = openRecord(key, record);
      // A plain view: LevelDB gives Buffers, which look like Uint8Arrays and are not.
      if (value !== undefined) return new Uint8Array(value.buffer, value.byteOffset, value.length);
      if (record === undefined) return undefined;
      // Damaged. It goes, unless a sound one has come in its place by now.
      await writer.update(key, 0, (current) =>
        openRecord(key, current) === undefined ? removal() : { outcome: undefined },
      );
      return undefined;
    },
    committedTiles: async (job) => {
      checkOpen();
      const keys = await store.keys(resultRange(job));
      return new Set(keys.map(nameOfKey));
    },
    dropResult: async (job, tile) => {
      checkOpen();
      await writer.update(resultKey(job, tile), 0, removal);
    },
    putBlob: async (bytes) => {
      checkOpen();
      return blobs.put(bytes);
    },
    readBlob: async (sha256) => {
      checkOpen();
      return blobs.read(sha256);
    },
    blobs: async () => {
      checkOpen();
      return blobs.list();
    },
    removeBlob: async (sha256) => {
      checkOpen();
      await blobs.remove(sha256);
    },
    close: () => {
      closing ??= writer.idle().then(() => store.close());
      return closing;
    },
  };
}

function removal(): { record: null; outcome: undefined } {
  return { record: null, outcome: undefined };
}

/** Returns the job of a record; one whose record is damaged is listed as failed: it must not vanish without a word. */
export function readJob(key: string, record: Uint8Array | undefined): StoredJob {
  const value = openRecord(key, record);
  if (value !== undefined) return JSON.parse(new TextDecoder().decode(value)) as StoredJob;
  return {
    job: nameOfKey(key),
    request: '',
    state: 'failed',
    reason:
      'Cannot read the job: its record in the store is damaged, expected an undamaged one; submit it again',
    result: '',
    priority: 0,
    sequence: 0,
  };
}
