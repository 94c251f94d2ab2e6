/** Tells volunteers how far the search is. */
import { viewedJobCountMax } from '../../src/core/limits.ts';
import type { SearchView } from '../../src/core/protocol/search-view.ts';
import type { JobStatus } from '../jobs/job-status.ts';
import type { SessionStatus } from '../ledger/status.ts';

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
