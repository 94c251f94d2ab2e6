/**
 * `tombola fetch JOB`: the ticket of a coordinator's job, checked here.
 */
import { join } from 'node:path';
import { planOptionsOfJson } from '../../../coordinator/jobs/job-request.ts';
import { failure, misuse } from '../../core/errors.ts';
import { decodeNetwork, networkDigest } from '../../core/format/network-file.ts';
import { formatShare } from '../../core/format-number.ts';
import type { CommandContext, Outcome } from '../command-context.ts';
import { finishRun } from '../finish-run.ts';
import { loadData } from '../load-data.ts';
import { type LoadedTarget, loadTarget } from '../load-target.ts';
import type { RawOptions } from '../option-table.ts';
import { parseConnection } from '../remote/connection-options.ts';
import { CoordinatorClient } from '../remote/coordinator-client.ts';
import type { JobView } from '../remote/job-view.ts';
import { fetchTicket } from '../remote/remote-search.ts';
import { writeRunConfig } from '../run-config.ts';
import { createRunFolder, writeDurably } from '../run-folder.ts';
import { checkRange } from '../search-data-range.ts';
import { parseSharedOptions, type SearchOptions } from '../search-options.ts';
import { printSearch } from './search.ts';

/** The target's file in the folder of a ticket that was fetched without one. */
const targetFileName = 'target.safetensors';

/** Gets the ticket of a job, checks it here, and fills a run folder. */
export async function fetchCommand(job: string, raw: RawOptions, context: CommandContext): Promise<Outcome> {
  const { progress, signal } = context;
  const connection = parseConnection(raw);
  const client = new CoordinatorClient(connection, signal);
  const shared = parseSharedOptions(raw);
  const given = raw.get('target');
  const local = given === undefined ? null : loadTarget(given, shared.activation?.value);
  if (given === undefined && shared.activation !== null)
    throw misuse('Cannot use --activation without --target: what was submitted says its own; leave it out');
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
  if (data !== null) checkRange(data.inputs, options.plan.inputRange);
  const folder = createRunFolder(raw.get('out'), { name, date: new Date(), action: 'fetch' });
  if (networkFile !== null) writeDurably(folder, targetFileName, networkFile);
  const placed = networkFile === null ? target : { ...target, path: join(folder, targetFileName) };
  writeRunConfig(folder, placed, options);
  const { retrySeconds } = connection;
  const patience = { progress, signal, retrySeconds };
  const found = await fetchTicket(client, view, { folder, options: options.plan, ...patience });
  const summary = await finishRun({ target: placed, options, data, progress, signal }, folder, found);
  if (networkFile !== null)
    context.note(
      'The target came from the coordinator too; give your own with --target to check against it.',
    );
  printSearch({ target: placed, options, data, folder, summary }, context);
  return summary.verified ? 0 : 1;
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
