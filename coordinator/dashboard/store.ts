/** The page's state: what the feed told last, which job is shown, and the token. */
import { batch, computed, effect, signal } from '@preact/signals';
import type { LiveJob, LiveOverview, LiveSession } from '../../src/core/live/views.ts';
import { type FeedState, followFeed } from './feed.ts';
import { keepToken, keptToken } from './kept-token.ts';
import { jobTitle, orderedJobs, shareText } from './view-model.ts';

/** How the feed is. */
export const feedState = signal<FeedState>({ kind: 'connecting' });
/** Who is looking; null until the coordinator has said. */
export const session = signal<LiveSession | null>(null);
/** All jobs and workers; null until the first state. */
export const overview = signal<LiveOverview | null>(null);
/** Whether there is anything to show. */
export const hasOverview = computed(() => overview.value !== null);
/** The job that is shown; undefined until its first state, null where there is none of that id. */
export const shownJob = signal<LiveJob | null | undefined>(undefined);
/** Its id; null while there is no job at all. */
export const shownId = signal<string | null>(idOfAddress());
/** The access token; '' where none is needed or known. */
export const token = signal(keptToken());

/** Somebody chose the job that is shown; otherwise the page follows what runs. */
let isChosen = shownId.value !== null;

/** Begins to follow the coordinator; once. */
export function startFollowing(): void {
  window.addEventListener('hashchange', () => {
    const id = idOfAddress();
    isChosen = id !== null;
    if (id !== null) shownId.value = id;
  });
  effect(() =>
    followFeed({
      token: token.value,
      job: shownId.value,
      onState: (state) => {
        if (state.kind !== 'live' || feedState.peek().kind !== 'live') feedState.value = state;
      },
      onTopic: (topic, state) => {
        if (topic === 'session') session.value = state as LiveSession;
        if (topic === 'overview') takeOverview(state as LiveOverview);
        if (topic === 'job') shownJob.value = state as LiveJob | null;
      },
    }),
  );
  effect(() => {
    const job = shownJob.value;
    const title = job ? `${shareText(job.share)} ${jobTitle(job.job, job)} · Tombola` : 'Tombola: dashboard';
    if (document.title !== title) document.title = title;
  });
  effect(() => {
    if (shownId.value !== shownJob.peek()?.job) shownJob.value = undefined;
  });
}

/** Logs in with another token. */
export function useToken(text: string): void {
  keepToken(text);
  batch(() => {
    token.value = text;
    feedState.value = { kind: 'connecting' };
    session.value = null;
    if (text !== '') return;
    overview.value = null;
    shownJob.value = undefined;
  });
}

function takeOverview(next: LiveOverview): void {
  overview.value = next;
  const shown = shownId.peek();
  if (isChosen || (shown !== null && next.jobs[shown]?.state === 'running')) return;
  const [first] = orderedJobs(next.jobs);
  if (first !== undefined && (shown === null || first[1].state === 'running')) shownId.value = first[0];
}

/** The job that the page's address names: #job=ID. */
function idOfAddress(): string | null {
  return /^#job=([\w-]{1,64})$/.exec(window.location.hash)?.[1] ?? null;
}
