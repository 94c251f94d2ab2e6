/**
 * `tombola submit`, `status` and `cancel`: jobs of a coordinator.
 */

import { setTimeout as delay } from 'node:timers/promises';
import { failure } from '../../core/errors.ts';
import type { CommandContext, Outcome } from '../command-context.ts';
import { loadTarget } from '../load-target.ts';
import { noteAssumedRange } from '../note-assumed-range.ts';
import type { RawOptions } from '../option-table.ts';
import { parseConnection, parsePriority } from '../remote/connection-options.ts';
import { CoordinatorClient } from '../remote/coordinator-client.ts';
import type { JobView } from '../remote/job-view.ts';
import { jobsText, jobText, workersText } from '../remote/status-text.ts';
import { submitSearch } from '../remote/submit-search.ts';
import { parseSearchOptions } from '../search-options.ts';

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

function clientOf(raw: RawOptions, context: CommandContext): CoordinatorClient {
  return new CoordinatorClient(parseConnection(raw), context.signal);
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
