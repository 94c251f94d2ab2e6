/** What came of a job: its figures, its files, and how to go on. */
import { useSignal } from '@preact/signals';
import type { LiveJob } from '../../../src/core/live/views.ts';
import { fetchTicket, Refusal } from '../coordinator-client.ts';
import { jobCard } from '../job-card.ts';
import { session, token } from '../store.ts';
import { reportFigures } from '../view-model.ts';
import { FigureList } from './figure-list.tsx';

/** The report of a job that is done. */
export function JobReport({ job }: { readonly job: LiveJob }) {
  const problem = useSignal('');
  const isBusy = useSignal(false);
  const stem = job.name.replace(/[^\p{L}\p{N}._-]+/gu, '-') || job.job.slice(0, 8);
  const download = async (): Promise<void> => {
    isBusy.value = true;
    problem.value = '';
    try {
      save(await fetchTicket(token.value, job.job), `${stem}.ticket.safetensors`);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      problem.value = error.message;
    }
    isBusy.value = false;
  };
  const saveCard = (): void => save(new Blob([jobCard(job)], { type: 'text/markdown' }), `${stem}.README.md`);
  return (
    <section class="report" aria-label="Report">
      <h3>The ticket</h3>
      <FigureList figures={reportFigures(job)} />
      <p class="actions">
        {session.value?.mayFetch === true && (
          <button type="button" onClick={download} disabled={isBusy.value}>
            {isBusy.value ? 'Fetching …' : 'Download ticket'}
          </button>
        )}
        <button type="button" onClick={saveCard}>
          Download card
        </button>
        {session.value?.mayFetch === false && (
          <span class="note">A token for submit or admin may download the ticket.</span>
        )}
      </p>
      {problem.value !== '' && (
        <p class="error" role="alert">
          {problem.value}
        </p>
      )}
      <p class="note">
        Accuracy of target and ticket is measured where the images are:{' '}
        <code>npx tombola verify {stem}.ticket.safetensors --target MODEL --images FILE --labels FILE</code>
      </p>
      <p class="note">
        SHA-256 <code class="digest">{job.report?.ticketSha256}</code>
      </p>
    </section>
  );
}

function save(file: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  // The browser has taken hold of it by the next turn of the loop.
  setTimeout(() => URL.revokeObjectURL(link.href), 0);
}
