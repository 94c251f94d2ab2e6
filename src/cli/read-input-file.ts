/**
 * Reads the files a user names. Whatever is wrong with one becomes one line that says what to do.
 */
import { readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { failure, misuse, type TombolaError } from '../core/errors.ts';

/**
 * Returns the bytes of a file.
 * @param what for messages: "target", "images".
 * @throws TombolaError (misuse) when there is no such file, (failure) when it cannot be read.
 */
export function readInputFile(path: string, what: string): Uint8Array {
  try {
    const status = statSync(path);
    if (status.isDirectory()) throw misuse(`Cannot read ${what} ${path}: it is a folder, expected a file`);
    if (status.isCharacterDevice())
      throw misuse(`Cannot read ${what} ${path}: it is a device, expected a file`);
    return readFileSync(path);
  } catch (cause) {
    throw readError(path, what, cause);
  }
}

/** Returns the bytes of the file of that name beside another, or undefined: names from files may not lead elsewhere. */
export function readSiblingOf(path: string): (name: string) => Uint8Array | undefined {
  return (name) => {
    if (name === '' || name === '.' || name === '..' || basename(name) !== name) return undefined;
    const sibling = join(dirname(path), name);
    const exists = statSync(sibling, { throwIfNoEntry: false })?.isFile() === true;
    return exists ? readInputFile(sibling, 'data file') : undefined;
  };
}

/** Returns the code of a system error, such as ENOENT, or undefined for any other value. */
export function systemErrorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

function readError(path: string, what: string, cause: unknown): unknown {
  const code = systemErrorCode(cause);
  if (code === undefined) return cause;
  const known: Readonly<Record<string, () => TombolaError>> = {
    ENOENT: () => misuse(`Cannot read ${what} ${path}: there is no such file; check the path`, cause),
    ENOTDIR: () =>
      misuse(`Cannot read ${what} ${path}: a part of the path is no folder; check the path`, cause),
    EACCES: () => failure(`Cannot read ${what} ${path}: permission denied; make the file readable`, cause),
  };
  return (
    known[code]?.() ?? failure(`Cannot read ${what} ${path}: ${code}; check the file and its disk`, cause)
  );
}
