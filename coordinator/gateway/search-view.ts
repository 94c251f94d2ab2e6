/** Tells volunteers how far the search is. */
import { viewedJobCountMax } from '../../src/core/limits.ts';
import type { SearchView } from '../../src/core/protocol/search-view.ts';
import type { JobStatus } from '../jobs/job-status.ts';
import type { SessionStatus } from '../ledger/status.ts';

/** Every tab asks every two seconds. */
const viewMs = 1000;

/** Returns how to get the view as JSON: it is made at most once a second, however many ask. */
export function searchViewText(view: () => SearchView, nowMs: () => number): () => string {
  let text = '';
  let madeAtMs = Number.NEGATIVE_INFINITY;
  return () => {
    const now = nowMs();
    if (now - madeAtMs >= viewMs) {
      text = `${JSON.stringify(view())}\n`;
      madeAtMs = now;
    }
    return text;
  };
}

/** Returns what volunteers may see of these jobs and sessions. */
export function searchViewOf(jobs: readonly JobStatus[], sessions: readonly SessionStatus[]): SearchView {
  const running = jobs.filter(({ state }) => state === 'running');
  const volunteerCount = sessions.filter(({ workerKind }) => workerKind === 'volunteer').length;
  return {
    jobs: running.slice(0, viewedJobCountMax).map(({ job, name, progress }) => ({
      job,
      name,
      share: progress?.share ?? 0,
      blocksWanted: progress?.blocksWanted ?? 0,
      blocksPerSecond: progress?.blocksPerSecond ?? 0,
      secondsLeft: progress?.secondsLeft ?? null,
      layers: (progress?.layers ?? []).map(({ name: layer, copies, copiesWanted, isDone }) => ({
        name: layer,
        copies: isDone ? copiesWanted : copies,
        copiesWanted,
      })),
    })),
    runningCount: running.length,
    volunteerCount,
    workerCount: sessions.length - volunteerCount,
  };
}
