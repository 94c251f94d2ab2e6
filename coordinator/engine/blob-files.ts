/**
 * Blobs as files `<sha256>` in one directory. A blob is written as `<sha256>.partial`, synced, renamed, and the directory
 * synced; so a file under its final name is whole, and its name says what its bytes must be. Puts and removals are done one after
 * the other.
 *
 * Files rather than LevelDB values: a network or ticket has 1 to 100 MB, which LevelDB would write to its log, copy to a table,
 * and copy again with every compaction.
 */
import { createHash } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { failure } from '../../src/core/errors.ts';
import { reasonOf } from '../reason-of.ts';
import type { BlobStore } from './record-engine.ts';

const partialSuffix = '.partial';
/** About 5 ms. */
const hashedAtOnceBytes = 1 << 23;

/**
 * Returns the blobs of a directory, which is made if it is not there; what an interrupted write left is removed.
 * @throws TombolaError (failure) when the directory cannot be used; so does writing and reading.
 */
export async function openBlobFiles(directory: string): Promise<BlobStore> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const names = await readdir(directory);
    await Promise.all(
      names.filter((name) => name.endsWith(partialSuffix)).map((name) => rm(join(directory, name))),
    );
  } catch (error) {
    throw blobFailure('open the blobs', directory, error);
  }
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(act: () => Promise<T>): Promise<T> => {
    const result = turn.then(act);
    turn = result.catch(() => undefined);
    return result;
  };
  return {
    put: (bytes) => inTurn(() => writeBlobFile(directory, bytes)),
    read: (sha256) => readBlobFile(directory, sha256),
    list: () => listBlobFiles(directory),
    remove: (sha256) => inTurn(() => removeBlobFile(directory, sha256)),
  };
}

async function writeBlobFile(directory: string, bytes: Uint8Array): Promise<string> {
  const sha256 = await digestOf(bytes);
  if ((await readBlobFile(directory, sha256)) !== undefined) return sha256;
  const partial = join(directory, `${sha256}${partialSuffix}`);
  try {
    await writeSynced(partial, bytes);
    await rename(partial, join(directory, sha256));
    await syncDirectory(directory);
  } catch (error) {
    await rm(partial, { force: true });
    throw blobFailure('write a blob to', directory, error);
  }
  return sha256;
}

async function listBlobFiles(directory: string): Promise<readonly string[]> {
  try {
    return (await readdir(directory)).filter(isDigest);
  } catch (error) {
    throw blobFailure('list the blobs of', directory, error);
  }
}

async function removeBlobFile(directory: string, sha256: string): Promise<void> {
  if (!isDigest(sha256)) return;
  try {
    await rm(join(directory, sha256), { force: true });
  } catch (error) {
    throw blobFailure('remove a blob of', directory, error);
  }
}

function isDigest(name: string): boolean {
  return /^[0-9a-f]{64}$/.test(name);
}

async function readBlobFile(directory: string, sha256: string): Promise<Uint8Array | undefined> {
  if (!isDigest(sha256)) return undefined;
  let bytes: Uint8Array;
  try {
    const { buffer, byteOffset, length } = await readFile(join(directory, sha256));
    bytes = new Uint8Array(buffer, byteOffset, length);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw blobFailure('read a blob of', directory, error);
  }
  return (await digestOf(bytes)) === sha256 ? bytes : undefined;
}

/** A hundred megabytes at once would keep the coordinator's thread for a tenth of a second. */
async function digestOf(bytes: Uint8Array): Promise<string> {
  const hash = createHash('sha256');
  for (let from = 0; from < bytes.length; from += hashedAtOnceBytes) {
    if (from > 0) await nextTurn();
    hash.update(bytes.subarray(from, from + hashedAtOnceBytes));
  }
  return hash.digest('hex');
}

async function writeSynced(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes a rename last. */
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function blobFailure(action: string, directory: string, error: unknown): Error {
  return failure(
    `Cannot ${action} ${directory}: ${reasonOf(error)}, expected a disk that works and has free space; make room and try again`,
    error,
  );
}
