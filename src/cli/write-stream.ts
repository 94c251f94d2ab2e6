/**
 * Writes files chunk by chunk, for what is too large to be in memory. A file gets its name when it is complete.
 */
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { failure, misuse } from '../core/errors.ts';
import { systemErrorCode } from './read-input-file.ts';

/** A file that is made while it is written. */
export interface StreamedFile {
  readonly path: string;
  /** Each chunk is written before the next is asked for. */
  readonly chunks: Iterable<Uint8Array>;
}

/** How files are written. */
export interface WriteOptions {
  /** Whether files of these names are replaced. */
  readonly force: boolean;
  readonly signal: AbortSignal;
  /** Gets the bytes written so far, of all files. */
  readonly onBytes: (bytes: number) => void;
}

/** Chunks between two looks at the signal. */
const chunksPerTurn = 16;

/**
 * Refuses a file whose writing would replace one that the work is read from, whatever may be replaced.
 * @param inputs path of each, by what it is.
 * @throws TombolaError (misuse) when it is one of them.
 */
export function checkNoInput(path: string, inputs: Readonly<Record<string, string>>): void {
  for (const [what, input] of Object.entries(inputs))
    if (isSameFile(path, input) || isSameFile(partialOf(path), input))
      throw misuse(`Cannot write ${path}: the ${what} ${input} would be lost; name another --out`);
}

/** Links and the spelling of a path do not hide a file. */
function isSameFile(one: string, other: string): boolean {
  const [a, b] = [one, other].map((path) => statSync(path, { bigint: true, throwIfNoEntry: false }));
  return a !== undefined && b !== undefined && a.dev === b.dev && a.ino === b.ino;
}

function partialOf(path: string): string {
  return `${path}.partial`;
}

/**
 * Refuses a file that is there, unless it may be replaced: to be asked before the work begins.
 * @throws TombolaError (misuse) when the file is there.
 */
export function checkFree(path: string, force: boolean): void {
  if (!force && existsSync(path))
    throw misuse(`Cannot write ${path}: it is there already; name another --out, or replace it with --force`);
}

/**
 * Writes the files; none has its name before all are complete. Returns the bytes of each.
 * @throws TombolaError when one cannot be written, (misuse) when it is there and may not be replaced.
 * @throws the signal's reason when it aborts; no part of a file stays behind then.
 */
export async function writeStreams(files: readonly StreamedFile[], options: WriteOptions): Promise<number[]> {
  const partials = files.map(({ path }) => partialOf(path));
  const sizes: number[] = [];
  try {
    let before = 0;
    for (const [index, { path, chunks }] of files.entries()) {
      checkFree(path, options.force);
      const size = await writeChunks(partials[index] ?? '', chunks, {
        ...options,
        onBytes: (bytes) => options.onBytes(before + bytes),
      });
      sizes.push(size);
      before += size;
    }
    files.forEach(({ path }, index) => {
      checkFree(path, options.force);
      renameSync(partials[index] ?? '', path);
    });
  } catch (cause) {
    for (const partial of partials) rmSync(partial, { force: true });
    throw writeError(files[sizes.length]?.path ?? files[0]?.path ?? '', cause);
  }
  return sizes;
}

async function writeChunks(
  path: string,
  chunks: Iterable<Uint8Array>,
  { signal, onBytes }: Omit<WriteOptions, 'force'>,
): Promise<number> {
  const file = openSync(path, 'w');
  try {
    let size = 0;
    let count = 0;
    for (const chunk of chunks) {
      for (let written = 0; written < chunk.length; ) written += writeSync(file, chunk, written);
      size += chunk.length;
      if (++count % chunksPerTurn !== 0) continue;
      onBytes(size);
      await setImmediate();
      signal.throwIfAborted();
    }
    fsyncSync(file);
    return size;
  } finally {
    closeSync(file);
  }
}

function writeError(path: string, cause: unknown): unknown {
  const code = systemErrorCode(cause);
  if (code === undefined) return cause;
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return failure(`Cannot write ${path}: the disk is full; make room or name another --out`, cause);
  if (code === 'ENOENT' || code === 'ENOTDIR')
    return misuse(`Cannot write ${path}: there is no such folder; name another --out`, cause);
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS')
    return failure(`Cannot write ${path}: no permission to write there; name another --out`, cause);
  if (code === 'ENAMETOOLONG')
    return misuse(`Cannot write ${path}: the name is too long; name another --out`, cause);
  if (code === 'EISDIR') return misuse(`Cannot write ${path}: it is a folder; name a file with --out`, cause);
  return failure(`Cannot write ${path}: ${code}; check the folder and its disk`, cause);
}
