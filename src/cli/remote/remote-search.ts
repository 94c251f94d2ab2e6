/** A search that a coordinator runs: submit ─ follow ─ fetch; its ticket is believed nothing and checked like one that was found here. */
import { failure } from '../../core/errors.ts';
import { decodeTicket } from '../../core/format/ticket-file.ts';
import type { PlanOptions } from '../../core/plan/make-plan.ts';
import { finishRun, keepTicket, type SearchFigures, type SearchTask } from '../finish-run.ts';
import type { Summary } from '../report/summary.ts';
import { appendMetrics } from '../run-folder.ts';
import { checkAsked } from './check-asked.ts';
import type { CoordinatorClient } from './coordinator-client.ts';
import { askPatiently, followJob, type Patience } from './follow-job.ts';
import type { JobView } from './job-view.ts';
import { type RemotePlace, submitSearch } from './submit-search.ts';

/**
 * Searches on a coordinator, and fills the run folder.
 * @throws TombolaError when the search cannot go on; the job does.
 */
export async function runRemoteSearch(
  task: SearchTask,
  folder: string,
  place: RemotePlace & { readonly onSubmitted?: () => void },
): Promise<Summary> {
  const { client, retrySeconds, onSubmitted } = place;
  const { progress, signal } = task;
  const patience: Patience = { signal, progress, retrySeconds };
  const { job } = await submitSearch(task, place);
  onSubmitted?.();
  progress.say(`Job ${job} at ${client.url}: planning, solving and verifying there …`);
  const start = performance.now();
  let last = '';
  const done = await followJob(client, job, {
    ...patience,
    onView: (view) => {
      const metrics = metricsOf(view);
      const text = JSON.stringify(metrics);
      if (text === last) return;
      last = text;
      const seconds = Number(((performance.now() - start) / 1000).toFixed(3));
      appendMetrics(folder, { event: 'progress', seconds, ...metrics });
    },
  });
  return finishRun(
    task,
    folder,
    await fetchTicket(client, done, { folder, options: task.options.plan, ...patience }),
  );
}

/**
 * Fetches the ticket of a job that is done into a run folder, and returns what is known of the search.
 * @throws TombolaError (failure) when it is not the ticket that the options ask for.
 */
export async function fetchTicket(
  client: CoordinatorClient,
  { job, result }: JobView,
  { folder, options, ...patience }: Patience & { readonly folder: string; readonly options: PlanOptions },
): Promise<SearchFigures> {
  if (result === null)
    throw failure(`Cannot fetch the ticket of job ${job}: ${client.url} has none; submit the job again`);
  patience.progress.say(`Fetching the ticket of job ${job} from ${client.url} …`);
  const ticket = await askPatiently(() => client.blob(result.ticketBlob, 'the ticket'), patience);
  const {
    missedRows,
    predictedMisses = null,
    missingCopies,
    seconds,
  } = await askPatiently(() => client.figures(result.summaryBlob), patience);
  checkAsked(decodeTicket(ticket).ticket, options);
  keepTicket(folder, [ticket]);
  return {
    blocks: null,
    search: { misses: missedRows, predictedMisses, missingCopies, blocksPerSecond: null },
    seconds: { plan: seconds.plan, solve: seconds.solve },
  };
}

function metricsOf({ progress }: JobView): Record<string, unknown> {
  const layers = progress?.layers ?? [];
  const at = layers.findIndex(({ isDone }) => !isDone);
  const layer = layers[at];
  return {
    share: progress?.share ?? 0,
    ...(layer === undefined
      ? {}
      : {
          'layer/index': at,
          'layer/pass': layer.pass,
          'layer/copies': layer.copies,
          'layer/copies_wanted': layer.copiesWanted,
        }),
  };
}
