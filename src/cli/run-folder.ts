/**
 * A run's folder on disk:
 *
 *   config.json          options, target and versions: enough to go on with
 *   metrics.jsonl        one line per layer, pass and tile
 *   state/               solved tiles, until the ticket is sealed
 *   ticket.safetensors   the ticket; while it is being checked, ticket.safetensors.partial
 *   summary.json         the figures; its presence means the run is complete
 *   README.md            model card
 *   report.html          the run for people: figures, plots, how to check it
 */
import {
  appendFileSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { failure, misuse, TombolaError } from '../core/errors.ts';
import { makeFolder } from './make-folder.ts';
import { systemErrorCode } from './read-input-file.ts';
import { fromHere, quote } from './report/command-line.ts';

/** Names of the files in a run folder. */
export const runFiles = {
  config: 'config.json',
  metrics: 'metrics.jsonl',
  state: 'state',
  ticket: 'ticket.safetensors',
  partialTicket: 'ticket.safetensors.partial',
  summary: 'summary.json',
  card: 'README.md',
  report: 'report.html',
} as const;

/** Default folders of runs with one name on one day: more than anybody starts. */
const foldersPerDayMax = 10_000;

/** Characters of a run's name that its default folder has: at most 4 bytes each, of the 255 that file systems allow. */
const folderNameLengthMax = 50;

/**
 * Makes a run folder and returns its path: `out`, which must be new or empty, or a new one runs/<date>_<name>.
 * @throws TombolaError (misuse) when `out` has contents or cannot be made.
 */
export function createRunFolder(
  out: string | undefined,
  run: { readonly name: string; readonly date: Date; readonly action: 'search' | 'fetch' },
): string {
  if (out === undefined) return createDefaultFolder(run);
  const files = filesIn(out);
  if (files.length === 0) return out;
  const isInterrupted = files.includes(runFiles.config) && !files.includes(runFiles.ticket);
  const advice =
    run.action === 'search' && isInterrupted
      ? `to go on with the run in it use npx tombola search --resume ${quote(fromHere(out))}`
      : 'name another --out';
  throw misuse(`Cannot ${run.action} into ${out}: the folder is not empty, expected a new one; ${advice}`);
}

/**
 * Makes a folder and its parents where it is not there yet.
 * @param option the one that names it, for messages.
 * @throws TombolaError when it cannot be made.
 */
export function openFolder(
  path: string,
  { option = '--out', mode = 0o777 }: { readonly option?: string; readonly mode?: number } = {},
): void {
  try {
    makeFolder(path, mode);
  } catch (cause) {
    throw folderError(path, cause, option);
  }
}

function filesIn(folder: string): string[] {
  openFolder(folder);
  try {
    return readdirSync(folder);
  } catch (cause) {
    throw folderError(folder, cause);
  }
}

function createDefaultFolder({ name, date }: { readonly name: string; readonly date: Date }): string {
  const short = [...name.replace(/[^\p{L}\p{N}._-]+/gu, '-')].slice(0, folderNameLengthMax).join('');
  const stem = join('runs', `${localDay(date)}_${short}`);
  openFolder(dirname(stem));
  for (let count = 1; count <= foldersPerDayMax; count++) {
    const path = count === 1 ? stem : `${stem}-${count}`;
    try {
      // Not recursive, so that of two processes only one gets the folder.
      mkdirSync(path);
      return path;
    } catch (cause) {
      if (systemErrorCode(cause) !== 'EEXIST') throw folderError(path, cause);
    }
  }
  throw misuse(`Cannot search into ${stem}: too many runs of that name today, name a folder with --out`);
}

function localDay(date: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** Tells whether the run of a folder is complete. */
export function isComplete(folder: string): boolean {
  return existsSync(join(folder, runFiles.summary));
}

/** Appends one line of JSON to the run's metrics. */
export function appendMetrics(folder: string, metrics: Readonly<Record<string, unknown>>): void {
  onDisk(folder, () => appendFileSync(join(folder, runFiles.metrics), `${JSON.stringify(metrics)}\n`));
}

/** Bytes of a file that are read or written by one call: the system refuses 2 GiB. */
export const bytesAtATime = 2 ** 30;

/** Writes a file so that it is either there in full or not at all, also after a power cut. */
export function writeDurably(folder: string, name: string, contents: string | Uint8Array): void {
  const partial = `${name}.partial`;
  writePartial(folder, partial, contents);
  seal(folder, partial, name);
}

/** Writes a file, given whole or in parts, through to the disk under a name for unfinished files. */
export function writePartial(
  folder: string,
  name: string,
  contents: string | Uint8Array | readonly Uint8Array[],
): void {
  const bytes = typeof contents === 'string' ? new TextEncoder().encode(contents) : contents;
  const parts = bytes instanceof Uint8Array ? [bytes] : bytes;
  onDisk(folder, () => {
    const file = openSync(join(folder, name), 'w');
    try {
      for (const part of parts)
        for (let written = 0; written < part.length; )
          written += writeSync(file, part, written, Math.min(part.length - written, bytesAtATime));
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  });
}

/** Gives an unfinished file its final name, durably. */
export function seal(folder: string, partial: string, name: string): void {
  onDisk(folder, () => {
    renameSync(join(folder, partial), join(folder, name));
    if (process.platform === 'win32') return;
    const directory = openSync(folder, 'r');
    try {
      fsyncSync(directory);
    } finally {
      closeSync(directory);
    }
  });
}

function onDisk(folder: string, act: () => void): void {
  try {
    act();
  } catch (cause) {
    const code = systemErrorCode(cause);
    if (code === undefined) throw cause;
    throw failure(
      code === 'ENOSPC' || code === 'EDQUOT'
        ? `Cannot write into ${folder}: the disk is full; make room, what was solved is kept`
        : `Cannot write into ${folder}: ${code}; check the folder and its disk`,
      cause,
    );
  }
}

function folderError(path: string, cause: unknown, option = '--out'): unknown {
  if (cause instanceof TombolaError) return cause;
  const code = systemErrorCode(cause);
  if (code === undefined) return cause;
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return failure(
      `Cannot make the folder ${path}: the disk is full; make room or name another ${option}`,
      cause,
    );
  const reasons: Readonly<Record<string, string>> = {
    EEXIST: 'there is a file of that name',
    ENOTDIR: 'a part of the path is a file',
    ENOENT: 'no folder can be made there',
    EACCES: 'permission denied',
    EPERM: 'permission denied',
    EROFS: 'the disk is read-only',
    ENAMETOOLONG: 'its name is too long',
  };
  return misuse(
    `Cannot make the folder ${path}: ${reasons[code] ?? code}, expected a folder of your own; name another ${option}`,
    cause,
  );
}
