/** Waiting for a job of a coordinator, which may be away for a while. */
import { setTimeout as delay } from 'node:timers/promises';
import { failure } from '../../core/errors.ts';
import { formatCount, formatSeconds } from '../../core/format-number.ts';
import { isTelling } from '../../core/network/layer-name.ts';
import type { Progress } from '../progress.ts';
import { type CoordinatorClient, UnreachableError } from './coordinator-client.ts';
import type { JobView } from './job-view.ts';

/** How to wait. */
export interface Patience {
  readonly signal: AbortSignal;
  readonly progress: Progress;
  /** How long to go on asking a coordinator that does not answer any more. */
  readonly retrySeconds: number;
}

/** Between two questions: first often, for what is over soon. */
const pollMs = { first: 100, most: 1000 } as const;
/** Between two attempts to reach a coordinator that is away. */
const retryMs = 1000;
/** A job without progress for so long: perhaps there is nobody to work on it. */
const idleMs = 5000;

/**
 * Returns what `ask` resolves with, asked again while the coordinator is away.
 * @throws TombolaError when it stays away for too long, or answers with an error.
 */
export async function askPatiently<T>(
  ask: () => Promise<T>,
  { signal, progress, retrySeconds }: Patience,
): Promise<T> {
  const start = performance.now();
  for (let attempt = 0; ; attempt++) {
    try {
      return await ask();
    } catch (error) {
      const seconds = (performance.now() - start) / 1000;
      if (!(error instanceof UnreachableError) || seconds >= retrySeconds) throw error;
      if (attempt === 0) progress.say(`${error.message}; trying again for ${formatSeconds(retrySeconds)} …`);
    }
    await delay(retryMs, undefined, { signal }).catch(() => undefined);
    signal.throwIfAborted();
  }
}

/**
 * Returns the job when it is done, and shows progress meanwhile.
 * @param onView told of every answer.
 * @throws TombolaError (failure) when it ends otherwise, or the coordinator stays away.
 */
export async function followJob(
  client: CoordinatorClient,
  id: string,
  patience: Patience & { readonly onView?: (job: JobView) => void },
): Promise<JobView> {
  const { signal, progress } = patience;
  const idle = new IdleWatch(client, progress);
  for (let waitMs: number = pollMs.first; ; waitMs = Math.min(pollMs.most, 1.2 * waitMs)) {
    const job = await askPatiently(() => client.job(id), patience);
    patience.onView?.(job);
    if (job.state === 'done') {
      progress.clear();
      return job;
    }
    if (job.state !== 'running') throw failure(endOf(job, client.url));
    progress.show(job.progress?.share ?? 0, remarkOf(job));
    await idle.see(job);
    await delay(waitMs, undefined, { signal }).catch(() => undefined);
    signal.throwIfAborted();
  }
}

/** Returns, in a few words, what a running job is doing. */
export function remarkOf({ phase, progress, reason }: JobView): string {
  if (phase === 'stalled') return `stalled: ${reason}`;
  if (phase !== 'solving' || progress === null) return phase ?? '';
  const at = progress.layers.findIndex(({ isDone }) => !isDone);
  const name = progress.layers[at]?.name ?? '';
  const layer = at < 0 ? 'last layer' : `layer ${at + 1}${isTelling(name) ? ` (${name})` : ''}`;
  const left = progress.secondsLeft === null ? '' : `, ${formatSeconds(progress.secondsLeft)} left`;
  return `${layer}, ${formatCount(progress.blocksPerSecond)} blocks/s${left}`;
}

/** Returns why a job is not done. */
export function endOf({ job, state, reason }: JobView, url: string): string {
  const why = reason === '' || reason.toLowerCase() === state ? '' : `: ${reason}`;
  return `Job ${job} is ${state}${why}; submit it again to go on, what was solved is kept at ${url}`;
}

/** Says once when a job makes no progress, perhaps because no worker is there: a gateway knows its own only. */
class IdleWatch {
  private readonly client: CoordinatorClient;
  private readonly progress: Progress;
  private tiles = -1;
  private changedAt = performance.now();
  private isSaid = false;

  constructor(client: CoordinatorClient, progress: Progress) {
    this.client = client;
    this.progress = progress;
  }

  async see(job: JobView): Promise<void> {
    const tiles = job.progress?.layers.reduce((sum, { tilesDone }) => sum + tilesDone, 0) ?? 0;
    if (tiles !== this.tiles || job.phase !== 'solving') {
      this.tiles = tiles;
      this.changedAt = performance.now();
      return;
    }
    if (this.isSaid || performance.now() - this.changedAt < idleMs) return;
    this.isSaid = true;
    const workers = await this.client.workers().catch((error: unknown) => {
      if (error instanceof UnreachableError) return null;
      throw error;
    });
    if (workers?.length === 0)
      this.progress.say(
        `No worker is connected to the gateway that answered, and no tile is done of late. Start workers with: npx tombola worker ${this.client.url}`,
      );
  }
}
