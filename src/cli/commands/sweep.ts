/**
 * `tombola sweep FILE`: the searches of a sweep file, or of one that comes with Tombola, with their table and plots. Called again it
 * goes on where it was.
 */
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { misuse } from '../../core/errors.ts';
import { poolThreadsMax } from '../../core/limits.ts';
import type { CommandContext, Outcome } from '../command-context.ts';
import type { RawOptions } from '../option-table.ts';
import { numberOption, wholeNumber } from '../option-values.ts';
import { fromHere, quote } from '../report/command-line.ts';
import { openSweepFolder } from '../sweep/cell-store.ts';
import { runSweep } from '../sweep/run-sweep.ts';
import { sweepCells } from '../sweep/sweep-cells.ts';
import { readSweepFile } from '../sweep/sweep-file.ts';
import { cellOptionNames } from '../sweep/sweep-options.ts';
import { resultFiles, writeResults } from '../sweep/write-results.ts';
import { packagePath } from '../version.ts';
import { placeOf } from './search.ts';

/** Cells at a time at most by default: each holds its images and the edges of its ticket. */
const cellsAtATimeMax = 4;

/** Searches all cells that are not finished, and writes table and plots. Fails when a cell does. */
export async function sweepCommand(
  named: string,
  raw: RawOptions,
  context: CommandContext,
): Promise<Outcome> {
  const file = sweepFilePath(named);
  const spec = readSweepFile(file);
  const given = new Map([...raw].filter(([name]) => cellOptionNames.includes(name)));
  const place = placeOf(raw, context);
  const cellsAtATime =
    numberOption(raw, 'cells', wholeNumber(1, poolThreadsMax)) ??
    Math.min(cellsAtATimeMax, availableParallelism());
  const cells = sweepCells(spec, { folder: raw.get('targets') ?? dirname(file), given });
  const folder = raw.get('out') ?? join('runs', `sweep-${spec.name}`);
  openSweepFolder(
    folder,
    cells.map(({ key }) => key),
  );
  const command = commandOf(named, raw);
  context.onInterrupt(`Go on with: ${command}`);
  context.progress.say(
    `Sweep ${spec.name}: ${cells.length} cells, ${cellsAtATime} at a time, into ${folder} …`,
  );
  const { progress, signal } = context;
  const outcomes = await runSweep({ cells, folder, cellsAtATime, place, progress, signal });
  const body = writeResults(folder, spec, { outcomes, command });
  const failed = outcomes.filter(({ kind }) => kind === 'failed').length;
  context.print(
    context.isJson
      ? JSON.stringify({ folder, cells: cells.length, failed }, null, 2)
      : `\n${body}\n\nTable and plots: ${fromHere(join(folder, resultFiles.page))}`,
  );
  return failed === 0 ? 0 : 1;
}

/** A path, or the name of a file that comes with Tombola. */
function sweepFilePath(named: string): string {
  if (existsSync(named) || !/^[\w-]+$/.test(named)) return named;
  const path = packagePath(`src/cli/sweep/${named}.yaml`);
  if (existsSync(path)) return path;
  throw misuse(
    `Cannot sweep ${named}: there is no such file, and none of that name comes with Tombola, expected a path or one of mnist-mlp, copies, exact-vs-tolerance, depth, digits`,
  );
}

function commandOf(named: string, raw: RawOptions): string {
  const secret = ['token'];
  const words = [...raw].flatMap(([name, text]) =>
    secret.includes(name) ? [] : text === 'true' ? [`--${name}`] : [`--${name}`, quote(text)],
  );
  return ['npx tombola sweep', quote(named), ...words].join(' ');
}
