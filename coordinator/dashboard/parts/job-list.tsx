/** All jobs. */
import { formatCount } from '../../../src/core/format-number.ts';
import { overview, shownId } from '../store.ts';
import { jobStanding, jobTitle, orderedJobs, paceText, shareText } from '../view-model.ts';
import { ShareBar } from './share-bar.tsx';
import { StandingPill } from './standing-pill.tsx';

/** A list of links, one a job. */
export function JobList() {
  if (overview.value === null) return null;
  const { jobs, jobCounts: counts } = overview.value;
  const shown = shownId.value;
  const rows = orderedJobs(jobs);
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  return (
    <nav class="card jobs" aria-labelledby="jobs-title">
      <h2 id="jobs-title">Jobs</h2>
      {rows.length === 0 && <p class="empty">No jobs yet.</p>}
      <ul>
        {rows.map(([id, row]) => (
          <li key={id}>
            <a href={`#job=${id}`} {...(id === shown ? { 'aria-current': 'true' as const } : {})}>
              <span class="title">{jobTitle(id, row)}</span>
              <StandingPill {...jobStanding(row)} />
              {row.state === 'running' && (
                <>
                  <ShareBar share={row.share} label={`Progress of ${jobTitle(id, row)}`} />
                  <span class="note">
                    {shareText(row.share)} {paceText(row)}
                  </span>
                </>
              )}
            </a>
          </li>
        ))}
      </ul>
      {total > rows.length && (
        <p class="note">
          The latest {formatCount(rows.length)} of {formatCount(total)}.
        </p>
      )}
    </nav>
  );
}
