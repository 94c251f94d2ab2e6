/** One job in full. */
import { useSignal } from '@preact/signals';
import { cancelJob, Refusal } from '../coordinator-client.ts';
import { session, shownId, shownJob, token } from '../store.ts';
import { jobStanding, jobTitle, optionsText, paceText, shareText } from '../view-model.ts';
import { JobReport } from './job-report.tsx';
import { LayerDetail } from './layer-detail.tsx';
import { RatePlot } from './rate-plot.tsx';
import { ShareBar } from './share-bar.tsx';
import { StandingPill } from './standing-pill.tsx';

/** Layers that are all shown open; of more, those at work are. */
const openLayersMax = 4;

/** The job, or a word on why there is none. */
export function JobDetail() {
  const job = shownJob.value;
  if (!job)
    return (
      <section class="card detail">
        <p class="empty">{nothingText(job === null)}</p>
      </section>
    );
  const title = jobTitle(job.job, job);
  const next = job.layers.findIndex(({ isDone }) => !isDone);
  return (
    <section class="card detail" aria-labelledby="job-title">
      <div class="heading">
        <h2 id="job-title">{title}</h2>
        <StandingPill {...jobStanding(job)} />
        {job.state === 'running' && session.value?.maySubmit === true && (
          <CancelButton job={job.job} key={job.job} />
        )}
      </div>
      <p class="note">
        {job.options !== null && optionsText(job.options)} · priority {job.priority} · job{' '}
        <code>{job.job.slice(0, 12)}</code>
      </p>
      {job.reason !== '' && <p class={job.state === 'cancelled' ? 'note' : 'error'}>{job.reason}</p>}
      <div class="progress">
        <span class="big">{shareText(job.share)}</span>
        <ShareBar share={job.share} label="Progress of this job" />
        <span class="note">{paceText(job)}</span>
      </div>
      {job.report !== null && <JobReport job={job} />}
      {job.rates.length > 1 && <RatePlot rates={job.rates} everyMs={job.rateEveryMs} />}
      {job.layers.map((layer, index) => (
        <LayerDetail
          key={`${job.job} ${index}`}
          layer={layer}
          index={index}
          isNext={index === next}
          isOpen={job.layers.length <= openLayersMax || index === next}
          report={job.report?.verdict.layers[index] ?? null}
          isExact={job.options?.mode === 'exact'}
        />
      ))}
      {job.layers.length === 0 && job.state === 'running' && (
        <p class="empty">Its layers are shown as soon as it is planned.</p>
      )}
    </section>
  );
}

function nothingText(isMissing: boolean): string {
  if (isMissing) return 'There is no such job, or not any more.';
  if (shownId.value !== null) return 'Asking for the job …';
  return 'Nothing has been submitted yet.';
}

/** Asks once more before it cancels. */
function CancelButton({ job }: { readonly job: string }) {
  const isAsking = useSignal(false);
  const problem = useSignal('');
  const cancel = async (): Promise<void> => {
    try {
      await cancelJob(token.value, job);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      problem.value = error.message;
    }
    isAsking.value = false;
  };
  const isAsked = isAsking.value;
  return (
    <span class="actions">
      <span class="note" role="status">
        {isAsked && 'What it has solved is kept.'}
      </span>
      {/* One element under two names, so that the keyboard's focus stays. */}
      <button type="button" onClick={() => (isAsking.value = !isAsked)}>
        {isAsked ? 'Let it run' : 'Cancel job'}
      </button>
      {isAsked && (
        <button type="button" class="danger" onClick={cancel}>
          Yes, cancel it
        </button>
      )}
      {problem.value !== '' && (
        <span class="error" role="alert">
          {problem.value}
        </span>
      )}
    </span>
  );
}
