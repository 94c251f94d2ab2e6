/** What the page says, in words. */
import { formatSeconds } from '../../src/core/format-number.ts';
import type { JobView, SearchView } from '../../src/core/protocol/search-view.ts';
import type { PauseReason } from './pause.ts';
import type { Status } from './volunteer.ts';

/** Returns what is going on, in a sentence or two. */
export function statusWords(status: Status): string {
  switch (status.kind) {
    case 'idle':
      return 'Not running. Nothing is computed on this device.';
    case 'starting':
      return 'Getting ready: testing the solver on this device.';
    case 'connecting':
      return 'Connecting to the coordinator.';
    case 'offline':
      return 'Not connected. Trying again; what is solved is kept.';
    case 'waiting':
      return status.results === 0
        ? 'Connected. Waiting for work.'
        : `Connected. Waiting until ${status.results === 1 ? 'a result is' : `${status.results} results are`} checked.`;
    case 'working':
      return `Connected. Working on ${status.tiles === 1 ? 'one tile' : `${status.tiles} tiles`}.`;
    case 'paused':
      return pauseWords[status.reason];
    case 'retrying':
      return `Trying again soon: ${status.reason}.`;
    case 'refused':
      return `Stopped: ${status.reason}.`;
  }
}

const pauseWords: Readonly<Record<PauseReason, string>> = {
  battery: 'Paused while this device runs on its battery.',
  'save-data': 'Paused while this device saves data.',
  hidden: 'Paused: this tab has been in the background for half an hour.',
};

/** Returns the job that this tab works on, or the one that it would. */
export function shownJob(search: SearchView | null | undefined, job: string | null): JobView | undefined {
  return search?.jobs.find((each) => each.job === job) ?? search?.jobs[0];
}

/** Returns a job's name for a heading. */
export function jobName({ name }: JobView): string {
  return name.trim() === '' ? 'A search without a name' : name;
}

/** Returns how far a job is. */
export function progressWords({ layers, share, secondsLeft }: JobView): string {
  if (layers.length === 0) return 'Being planned';
  if (share === 1) return 'All solved, being put together and verified';
  const left = secondsLeft === null ? '' : `, about ${formatSeconds(secondsLeft)} left at this rate`;
  return `${percentWords(share)} solved${left}`;
}

/** Returns a number of two or three figures: 830, 4.1 k, 2.35 M. */
export function shortNumber(value: number): string {
  if (value < 1000) return `${Math.round(value)}`;
  const [unit, size] = value < 1e6 ? ['k', 1e3] : value < 1e9 ? ['M', 1e6] : ['G', 1e9];
  return `${(value / size).toPrecision(3)} ${unit}`;
}

/** Returns a share as percents; what has begun is not 0 %, and what is not done is not 100 %. */
export function percentWords(share: number): string {
  const percent = Math.floor(share * 100);
  if (share > 0 && percent === 0) return 'less than 1 %';
  return `${Math.min(percent, share < 1 ? 99 : 100)} %`;
}
