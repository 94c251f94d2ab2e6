/**
 * `tombola submit`, `status`, `cancel` and `fetch`: jobs of a coordinator.
 */

import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { planOptionsOfJson } from '../../../coordinator/jobs/job-request.ts';
import { failure, misuse } from '../../core/errors.ts';
import { decodeNetwork, networkDigest } from '../../core/format/network-file.ts';
import type { CommandContext, Outcome } from '../command-context.ts';
import { finishRun } from '../finish-run.ts';
import { loadData } from '../load-data.ts';
import { type LoadedTarget, loadTarget } from '../load-target.ts';
import type { OptionRow, RawOptions } from '../option-table.ts';
import { connectionOptions, parseConnection, parsePriority } from '../remote/connection-options.ts';
import { CoordinatorClient } from '../remote/coordinator-client.ts';
import type { JobView } from '../remote/job-view.ts';
import { fetchTicket, submitSearch } from '../remote/remote-search.ts';
import { jobsText, jobText, workersText } from '../remote/status-text.ts';
import { formatShare } from '../report/format-number.ts';
import { writeRunConfig } from '../run-config.ts';
import { createRunFolder, writeDurably } from '../run-folder.ts';
import { parseSearchOptions, parseSharedOptions, type SearchOptions } from '../search-options.ts';
import { noteAssumedRange, printSearch } from './search.ts';

/** Options of `tombola status`. */
export const statusOptions: readonly OptionRow[] = [
  ...connectionOptions,
  { name: 'watch', value: null, help: 'show it again and again, until the job is over' },
];

/** The target's file in the folder of a ticket that was fetched without one. */
const targetFileName = 'target.safetensors';
/** Between two looks with --watch. */
const lookMs = 1000;
/** Off a terminal, only every so many looks are printed, and the last. */
const looksPerPrint = 5;
const clearTerminal = '\u001b[H\u001b[2J';

/** Submits a search and prints the job's id. */
export async function submitCommand(
  targetPath: string,
  raw: RawOptions,
  context: CommandContext,
): Promise<Outcome> {
  const options = parseSearchOptions(raw);
  const priority = parsePriority(raw);
  const client = clientOf(raw, context);
  const target = loadTarget(targetPath, options.activation?.value);
  noteAssumedRange(options, context);
  const view = await submitSearch({ target, options }, { client, priority });
  context.note(
    view.state === 'done'
      ? `The same search has been done already. Get its ticket with: npx tombola fetch ${view.job} --coordinator ${client.url}`
      : `Watch it with: npx tombola status ${view.job} --coordinator ${client.url} --watch`,
  );
  context.print(context.isJson ? JSON.stringify(view, null, 2) : view.job);
  return 0;
}

/** Prints one job, or all of them, and the workers. */
export async function statusCommand(
  job: string | undefined,
  raw: RawOptions,
  context: CommandContext,
): Promise<Outcome> {
  const client = clientOf(raw, context);
  const isWatching = raw.get('watch') === 'true';
  const isTerminal = isWatching && process.stdout.isTTY === true && !context.isJson;
  for (let looks = 0; ; looks++) {
    const { text, over } = await statusOf(client, { job, isJson: context.isJson });
    if (isTerminal) context.print(`${clearTerminal}${text}`);
    else if (over !== null || looks % looksPerPrint === 0) context.print(text);
    if (!isWatching) return 0;
    if (over !== null) return over === 'done' ? 0 : 1;
    await delay(lookMs, undefined, { signal: context.signal }).catch(() => undefined);
    if (context.signal.aborted) return 0;
  }
}

/** Cancels a job. */
export async function cancelCommand(job: string, raw: RawOptions, context: CommandContext): Promise<Outcome> {
  const client = clientOf(raw, context);
  const view = await client.cancel(job);
  if (view.state !== 'cancelled')
    throw failure(`Cannot cancel job ${job}: it is ${view.state}, expected a running one`);
  context.print(
    context.isJson
      ? JSON.stringify(view, null, 2)
      : `Job ${job} is cancelled. What it solved is kept; submit it again to go on.`,
  );
  return 0;
}

/** Gets the ticket of a job, checks it here, and fills a run folder. */
export async function fetchCommand(job: string, raw: RawOptions, context: CommandContext): Promise<Outcome> {
  const { progress, signal } = context;
  const connection = parseConnection(raw);
  const client = new CoordinatorClient(connection, signal);
  const shared = parseSharedOptions(raw);
  const given = raw.get('target');
  const local = given === undefined ? null : loadTarget(given, shared.activation?.value);
  const view = await client.job(job);
  if (view.state !== 'done') throw failure(whyNoTicket(view, client.url));
  const { request } = view;
  if (request === null)
    throw failure(`Cannot fetch job ${job}: the coordinator cannot read its request; submit it again`);
  const name = raw.get('name') ?? (view.name === '' ? (local?.name ?? job) : view.name);
  const options: SearchOptions = {
    ...shared,
    name,
    isInputRangeAssumed: false,
    plan: planOptionsOfJson(request.options),
  };
  const networkFile = local === null ? await client.blob(request.networkBlob, "the job's target") : null;
  const target = local ?? targetOf(networkFile ?? new Uint8Array(), name);
  if (target.sha256 !== request.targetSha256)
    throw misuse(
      `Cannot fetch job ${job} for ${target.path}: it is for another target (digest ${request.targetSha256.slice(0, 16)}…, this one has ${target.sha256.slice(0, 16)}…)`,
    );
  const data = shared.data === null ? null : loadData(shared.data, shared.scaling, target.network);
  const folder = createRunFolder(raw.get('out'), { name, date: new Date() });
  if (networkFile !== null) writeDurably(folder, targetFileName, networkFile);
  const placed = networkFile === null ? target : { ...target, path: join(folder, targetFileName) };
  writeRunConfig(folder, placed, options);
  const { retrySeconds } = connection;
  const found = await fetchTicket(client, view, { options: options.plan, progress, signal, retrySeconds });
  const summary = await finishRun({ target: placed, options, data, progress, signal }, folder, found);
  if (networkFile !== null)
    context.note(
      'The target came from the coordinator too; give your own with --target to check against it.',
    );
  printSearch({ target: placed, options, data, folder, summary }, context);
  return summary.verified ? 0 : 1;
}

function clientOf(raw: RawOptions, context: CommandContext): CoordinatorClient {
  return new CoordinatorClient(parseConnection(raw), context.signal);
}

function targetOf(bytes: Uint8Array, name: string): LoadedTarget {
  const network = decodeNetwork(bytes);
  return { path: targetFileName, name, network, sha256: networkDigest(network) };
}

function whyNoTicket({ job, state, reason, progress }: JobView, url: string): string {
  return state === 'running'
    ? `Cannot fetch job ${job}: it is running (${formatShare(progress?.share ?? 0)}), expected a done one; watch it with: npx tombola status ${job} --coordinator ${url} --watch`
    : `Cannot fetch job ${job}: it is ${state}${reason === '' ? '' : ` (${reason})`}, expected a done one; submit it again`;
}

/** `over`: the state the job ended in; null while it runs, and for all jobs together. */
async function statusOf(
  client: CoordinatorClient,
  { job, isJson }: { job: string | undefined; isJson: boolean },
): Promise<{ text: string; over: JobView['state'] | null }> {
  const workers = await client.workers();
  if (job === undefined) {
    const jobs = await client.jobs();
    const text = isJson ? JSON.stringify({ jobs, workers }) : `${jobsText(jobs)}\n\n${workersText(workers)}`;
    return { text, over: null };
  }
  const view = await client.job(job);
  const text = isJson ? JSON.stringify({ ...view, workers }) : `${jobText(view)}\n\n${workersText(workers)}`;
  return { text, over: view.state === 'running' ? null : view.state };
}
