/**
 * The folder of a sweep on disk:
 *
 *   cells/KEY.json     the row of a finished cell; its presence means that the cell need not be searched again
 *   work/KEY/          the run folder of a search that is under way
 *   results.jsonl      one row per cell, in the order of the sweep's file
 *   results.csv        the same
 *   README.md          the table of means, the plots, and what failed
 *   *.svg              the plots
 */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { misuse } from '../../core/errors.ts';
import type { Summary } from '../report/summary.ts';
import { isComplete, openFolder, runFiles, writeDurably } from '../run-folder.ts';
import { type Figures, figureNames } from './sweep-figures.ts';

/** What is kept of a finished cell. */
export interface CellResult {
  readonly figures: Figures;
  readonly ticketSha256: string;
}

const resultSchema = z.object({
  figures: z.record(z.enum(figureNames), z.number().nullable()),
  ticketSha256: z.string(),
});

const cellFile = /^[0-9a-f]{64}\.json(\.partial)?$/;

/**
 * Opens the folder of a sweep, and writes nothing where it would replace what this sweep did not make.
 * @param keys of all cells of the sweep.
 * @throws TombolaError (misuse) when the folder cannot be made, holds no sweep, or holds finished cells that are none of these.
 */
export function openSweepFolder(folder: string, keys: readonly string[]): void {
  openFolder(folder);
  const cells = join(folder, 'cells');
  const [first] = readdirSync(folder);
  const names = existsSync(cells) ? readdirSync(cells) : [];
  const advice = 'expected a folder of its own; name one with --out DIR';
  if (first !== undefined && !(existsSync(cells) && names.every((name) => cellFile.test(name))))
    throw misuse(`Cannot sweep into ${folder}: it holds ${first} and no cells of a sweep, ${advice}`);
  const finished = names.filter((name) => name.endsWith('.json'));
  const others = finished.filter((name) => !keys.includes(name.slice(0, -'.json'.length)));
  if (others.length > 0)
    throw misuse(
      `Cannot sweep into ${folder}: ${others.length} of its ${finished.length} finished cells are none of this sweep's (other options, another target, another version of Tombola), ${advice}`,
    );
  openFolder(cells);
}

/** Returns the result of a finished cell, undefined where there is none that can be read. */
export function readCell(folder: string, key: string): CellResult | undefined {
  const path = cellPath(folder, key);
  if (!existsSync(path)) return undefined;
  try {
    return resultSchema.safeParse(JSON.parse(readFileSync(path, 'utf8'))).data;
  } catch {
    // Damaged: the cell is searched again, and the file written anew.
    return undefined;
  }
}

/** Keeps the result of a cell, and lets go of its run folder. */
export function writeCell(folder: string, key: string, result: CellResult): void {
  writeDurably(join(folder, 'cells'), `${key}.json`, `${JSON.stringify(result)}\n`);
  rmSync(workFolder(folder, key), { recursive: true, force: true });
}

/** Returns the run folder of a cell; it may not exist yet. */
export function workFolder(folder: string, key: string): string {
  return join(folder, 'work', key);
}

/** Returns the summary of a run that was complete when the sweep was interrupted. */
export function completeSummary(run: string): Summary | undefined {
  if (!isComplete(run)) return undefined;
  return JSON.parse(readFileSync(join(run, runFiles.summary), 'utf8')) as Summary;
}

function cellPath(folder: string, key: string): string {
  return join(folder, 'cells', `${key}.json`);
}
