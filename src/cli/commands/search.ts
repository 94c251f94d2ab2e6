/**
 * `tombola search TARGET`, `tombola plan TARGET` and `tombola search --resume DIR`; with --coordinator the search runs there, and
 * the ticket is checked here.
 */
import { join } from 'node:path';
import { misuse } from '../../core/errors.ts';
import type { CommandContext, Outcome } from '../command-context.ts';
import { type LoadedData, loadData } from '../load-data.ts';
import { type LoadedTarget, loadTarget } from '../load-target.ts';
import { noteAssumedRange } from '../note-assumed-range.ts';
import type { RawOptions } from '../option-table.ts';
import { parseConnection, parsePriority, remoteSearchOptions } from '../remote/connection-options.ts';
import { CoordinatorClient } from '../remote/coordinator-client.ts';
import { runRemoteSearch } from '../remote/remote-search.ts';
import type { RemotePlace } from '../remote/submit-search.ts';
import { fromHere, quote, verifyCommand } from '../report/command-line.ts';
import { planFigures, planText } from '../report/plan-text.ts';
import type { Summary } from '../report/summary.ts';
import { summaryText, verdictLine } from '../report/summary-text.ts';
import { readRunConfig, writeRunConfig } from '../run-config.ts';
import { createRunFolder, runFiles } from '../run-folder.ts';
import { planSearch, runSearch } from '../run-search.ts';
import { checkRange } from '../search-data-range.ts';
import { parseSearchOptions, type SearchOptions } from '../search-options.ts';

/** Prints what a search would cost, and searches nothing. */
export async function planCommand(
  targetPath: string,
  raw: RawOptions,
  context: CommandContext,
): Promise<Outcome> {
  const options = parseSearchOptions(raw);
  // What the search itself would refuse is refused here.
  const { target } = loadSearch(targetPath, options);
  noteAssumedRange(options, context);
  const planned = await planSearch({ target, options, progress: context.progress, signal: context.signal });
  context.print(
    context.isJson ? JSON.stringify(planFigures(planned, target), null, 2) : `\n${planText(planned, target)}`,
  );
  return 0;
}

/** Searches into a new run folder and prints the summary. */
export async function searchCommand(
  targetPath: string,
  raw: RawOptions,
  context: CommandContext,
): Promise<Outcome> {
  const { folder, summary, search } = await searchIntoNewFolder(targetPath, raw, context);
  printSearch({ ...search, folder, summary }, context);
  return summary.verified ? 0 : 1;
}

/** A search whose files are loaded and whose options fit them. */
interface ReadySearch {
  readonly target: LoadedTarget;
  readonly options: SearchOptions;
  readonly data: LoadedData | null;
}

/** Searches into a new run folder; the folder is made only when everything that can be checked before has been. */
export async function searchIntoNewFolder(
  targetPath: string,
  raw: RawOptions,
  context: CommandContext,
): Promise<{ folder: string; summary: Summary; search: ReadySearch }> {
  const options = parseSearchOptions(raw);
  const place = placeOf(raw, context);
  const search = loadSearch(targetPath, options);
  const folder = createRunFolder(raw.get('out'), {
    name: options.name ?? search.target.name,
    date: new Date(),
    action: 'search',
  });
  noteAssumedRange(options, context);
  writeRunConfig(folder, search.target, options);
  const summary = await runIn(folder, { search, place }, context);
  return { folder, summary, search };
}

/** Goes on with an interrupted run. */
export async function resumeCommand(
  { folder, targetPath }: { folder: string; targetPath: string | undefined },
  raw: RawOptions,
  context: CommandContext,
): Promise<Outcome> {
  const fitting = ['threads', ...remoteSearchOptions.map(({ name }) => name)];
  const unfit = [...raw.keys()].find((name) => !fitting.includes(name));
  if (unfit !== undefined)
    throw misuse(
      `Cannot use --${unfit} with --resume: a resumed run keeps its options, only --threads and the coordinator may change`,
    );
  const place = placeOf(raw, context);
  const config = readRunConfig(folder);
  const options = parseSearchOptions(new Map([...config.options, ...raw]));
  const search = loadSearch(targetPath ?? config.target, options);
  if (search.target.sha256 !== config.targetSha256)
    throw misuse(
      `Cannot resume ${folder}: the target ${search.target.path} has changed (digest ${search.target.sha256.slice(0, 16)}…, expected ${config.targetSha256.slice(0, 16)}…); start a new run`,
    );
  const summary = await runIn(folder, { search, place }, context);
  printSearch({ ...search, folder, summary }, context);
  return summary.verified ? 0 : 1;
}

function loadSearch(targetPath: string, options: SearchOptions): ReadySearch {
  const target = loadTarget(targetPath, options.activation?.value);
  const data = options.data === null ? null : loadData(options.data, options.scaling, target.network);
  if (data !== null) checkRange(data.inputs, options.plan.inputRange);
  return { target, options, data };
}

/** Returns where a search is to run; null: here. */
export function placeOf(raw: RawOptions, context: CommandContext): RemotePlace | null {
  const orphan = remoteSearchOptions.find(({ name }) => raw.has(name));
  if (!raw.has('coordinator')) {
    if (orphan === undefined) return null;
    throw misuse(`Cannot use --${orphan.name} without --coordinator: name the coordinator too`);
  }
  const connection = parseConnection(raw);
  const { retrySeconds } = connection;
  const client = new CoordinatorClient(connection, context.signal);
  return { client, retrySeconds, priority: parsePriority(raw) };
}

function runIn(
  folder: string,
  { search, place }: { search: ReadySearch; place: RemotePlace | null },
  context: CommandContext,
): Promise<Summary> {
  const task = { ...search, progress: context.progress, signal: context.signal };
  const again = `npx tombola search --resume ${quote(fromHere(folder))}`;
  if (place === null) {
    context.onInterrupt(`Go on with: ${again}`);
    return runSearch(task, folder);
  }
  const there = `${again} --coordinator ${place.client.url}`;
  context.onInterrupt(`Go on with: ${there}`);
  return runRemoteSearch(task, folder, {
    ...place,
    onSubmitted: () => context.onInterrupt(`The job itself goes on; come back to it with: ${there}`),
  });
}

/** Prints the summary of a run. */
export function printSearch(
  run: ReadySearch & { folder: string; summary: Summary },
  context: CommandContext,
): void {
  const { folder, summary, target, options } = run;
  if (context.isJson) {
    context.print(JSON.stringify({ ...summary, folder }, null, 2));
    return;
  }
  const command = verifyCommand({ ticket: join(folder, runFiles.ticket), target: target.path }, options);
  context.print(
    [
      '',
      summaryText(summary),
      '',
      verdictLine(summary),
      '',
      `Files: ${fromHere(folder)}`,
      `Verify: ${command}`,
    ].join('\n'),
  );
}
