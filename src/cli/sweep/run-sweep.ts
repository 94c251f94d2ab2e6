/**
 * Searches the cells of a sweep, some at a time, and keeps each result as soon as it is there. What fails is listed and stops
 * nothing else.
 */
import { mkdirSync } from 'node:fs';
import { TombolaError } from '../../core/errors.ts';
import type { SearchTask } from '../finish-run.ts';
import { type LoadedData, loadData } from '../load-data.ts';
import type { Progress } from '../progress.ts';
import { runRemoteSearch } from '../remote/remote-search.ts';
import type { RemotePlace } from '../remote/submit-search.ts';
import type { Summary } from '../report/summary.ts';
import { writeRunConfig } from '../run-config.ts';
import { runSearch } from '../run-search.ts';
import { checkRange } from '../search-data-range.ts';
import { type CellResult, completeSummary, readCell, workFolder, writeCell } from './cell-store.ts';
import type { SweepCell } from './sweep-cells.ts';
import { figuresOf } from './sweep-figures.ts';
import { type GroupAxis, placeName, varyingAxes } from './sweep-groups.ts';

/** What came of a cell. */
export type CellOutcome =
  | { readonly cell: SweepCell; readonly kind: 'done'; readonly result: CellResult }
  | { readonly cell: SweepCell; readonly kind: 'failed'; readonly reason: string };

/** What a sweep runs with. */
export interface SweepRun {
  readonly cells: readonly SweepCell[];
  readonly folder: string;
  /** Cells that are searched at a time. */
  readonly cellsAtATime: number;
  /** Null: on this machine. */
  readonly place: RemotePlace | null;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** Inside a cell nobody is told anything: the sweep speaks for all of them. */
const silent: Progress = { say: () => undefined, show: () => undefined, clear: () => undefined };

/**
 * Returns what came of every cell, in their order.
 * @throws the signal's reason when it aborts; finished cells are kept.
 */
export async function runSweep(run: SweepRun): Promise<CellOutcome[]> {
  const { cells, folder, progress, signal } = run;
  const outcomes = new Map<SweepCell, CellOutcome>();
  for (const cell of cells) {
    const result = readCell(folder, cell.key);
    if (result !== undefined) outcomes.set(cell, { cell, kind: 'done', result });
  }
  if (outcomes.size > 0) progress.say(`${outcomes.size} of ${cells.length} cells are finished already.`);
  const axes = varyingAxes(cells);
  const data = new DataShelf();
  const waiting = cells.filter((cell) => !outcomes.has(cell))[Symbol.iterator]();
  const lane = async (): Promise<void> => {
    for (const cell of waiting) {
      const outcome = await outcomeOf(cell, { ...run, data });
      outcomes.set(cell, outcome);
      const reason = outcome.kind === 'failed' ? ` failed: ${outcome.reason}` : '';
      progress.say(`${outcomes.size} of ${cells.length}: ${cellName(cell, axes)}${reason}`);
    }
  };
  // A lane ends early only when the sweep is interrupted; then the others are let come to their end too.
  const lanes = await Promise.allSettled(Array.from({ length: run.cellsAtATime }, lane));
  signal.throwIfAborted();
  for (const ended of lanes) if (ended.status === 'rejected') throw ended.reason;
  return cells.flatMap((cell) => outcomes.get(cell) ?? []);
}

/** The target, whatever else differs between cells, and the seed. */
function cellName({ place }: SweepCell, axes: readonly GroupAxis[]): string {
  const others = axes.filter((axis) => axis !== 'target' && place[axis] !== '');
  return `${placeName(place, ['target', ...others])}, seed ${place.seed}`;
}

async function outcomeOf(cell: SweepCell, run: SweepRun & { data: DataShelf }): Promise<CellOutcome> {
  try {
    const summary = await searchCell(cell, run);
    if (!summary.verified)
      return {
        cell,
        kind: 'failed',
        reason: `the ticket does not verify: ${summary.fault ?? 'unknown fault'}`,
      };
    const result = { figures: figuresOf(summary), ticketSha256: summary.ticketSha256 };
    writeCell(run.folder, cell.key, result);
    return { cell, kind: 'done', result };
  } catch (error) {
    run.signal.throwIfAborted();
    const message = error instanceof Error ? error.message : String(error);
    const reason = error instanceof TombolaError ? message : `Unexpected error, this is a bug: ${message}`;
    return { cell, kind: 'failed', reason: reason.replace(/\s*\n\s*/g, ' ') };
  }
}

async function searchCell(cell: SweepCell, run: SweepRun & { data: DataShelf }): Promise<Summary> {
  const { target, options, key } = cell;
  const folder = workFolder(run.folder, key);
  const complete = completeSummary(folder);
  if (complete?.verified === true) return complete;
  const data = run.data.of(cell);
  mkdirSync(folder, { recursive: true });
  writeRunConfig(folder, target, options);
  const task: SearchTask = { target, options, data, progress: silent, signal: run.signal };
  return run.place === null ? runSearch(task, folder) : runRemoteSearch(task, folder, run.place);
}

/** Images that several cells compare on, read once. */
class DataShelf {
  private readonly loaded = new Map<string, LoadedData>();

  of({ target, options }: SweepCell): LoadedData | null {
    if (options.data === null) return null;
    const key = JSON.stringify([options.data, options.scaling, target.network.inputShape]);
    const data = this.loaded.get(key) ?? loadData(options.data, options.scaling, target.network);
    this.loaded.set(key, data);
    checkRange(data.inputs, options.plan.inputRange);
    return data;
  }
}
