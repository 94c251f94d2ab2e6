/** Folders, made with their parents. */
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { systemErrorCode } from './read-input-file.ts';

/**
 * Makes a folder and its parents where they are not there yet. Node's own recursive mkdir never returns where a file system refuses
 * new folders with ENOENT, as /proc does (Node 20.20).
 * @throws the system's error when one cannot be made.
 */
export function makeFolder(path: string, mode = 0o777): void {
  try {
    mkdirSync(path, { mode });
  } catch (cause) {
    if (systemErrorCode(cause) === 'EEXIST' && statSync(path).isDirectory()) return;
    const parent = dirname(path);
    if (systemErrorCode(cause) !== 'ENOENT' || parent === path || existsSync(parent)) throw cause;
    makeFolder(parent, mode);
    mkdirSync(path, { mode });
  }
}
