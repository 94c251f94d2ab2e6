/** The workers: the fastest, kept up to date by the feed, or all of them, page by page. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { formatCount } from '../../../src/core/format-number.ts';
import type { LiveWorker } from '../../../src/core/live/views.ts';
import { type ListedWorker, listWorkers, Refusal } from '../coordinator-client.ts';
import { overview, token } from '../store.ts';
import { agoText, shortCount, trustOf } from '../view-model.ts';
import { StandingPill } from './standing-pill.tsx';

const pageSize = 50;
const refreshMs = 5000;

interface Row extends Omit<LiveWorker, 'seenAtMs'> {
  readonly session: string;
  readonly silentMs: number;
}

/** The table. */
export function WorkerTable() {
  /** First worker of the page of all workers; null: the fastest are shown. */
  const from = useSignal<number | null>(null);
  const listed = useSignal<readonly ListedWorker[]>([]);
  const problem = useSignal('');
  const isAll = from.value !== null;
  useEffect(() => {
    if (from.value === null) return undefined;
    const first = from.value;
    const read = async (): Promise<void> => {
      try {
        listed.value = (await listWorkers(token.value, { from: first, count: pageSize })).workers;
        problem.value = '';
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        problem.value = error.message;
      }
    };
    read();
    const timer = setInterval(read, refreshMs);
    return () => clearInterval(timer);
  }, [from.value, listed, problem]);
  if (overview.value === null) return null;
  const { workers, atMs } = overview.value;
  const fastest = Object.entries(workers.fastest);
  const rows: readonly Row[] = isAll
    ? listed.value.map((row) => ({ ...row, silentMs: row.silentMs ?? 0 }))
    : fastest
        .map(([session, row]) => ({ ...row, session, silentMs: atMs - row.seenAtMs }))
        .sort((a, b) => b.blocksPerSecond - a.blocksPerSecond || (a.worker < b.worker ? -1 : 1));
  return (
    <section class="card" aria-labelledby="workers-title">
      <div class="heading">
        <h2 id="workers-title">{isAll ? 'All workers' : 'Workers'}</h2>
        {!isAll && workers.count > fastest.length && (
          <span class="note">
            the fastest {formatCount(fastest.length)} of {formatCount(workers.count)}
          </span>
        )}
        {(isAll || workers.count > fastest.length) && (
          <span class="actions">
            <Pages from={from.value} count={workers.count} onGo={(next) => (from.value = next)} />
          </span>
        )}
      </div>
      {problem.value !== '' && (
        <p class="error" role="alert">
          {problem.value}
        </p>
      )}
      {workers.count === 0 ? (
        <p class="empty">
          No workers are connected to this gateway. Start one with{' '}
          <code>npx tombola worker {window.location.origin}</code>
        </p>
      ) : (
        <Table rows={rows} />
      )}
    </section>
  );
}

function Pages({
  from,
  count,
  onGo,
}: {
  readonly from: number | null;
  readonly count: number;
  readonly onGo: (from: number | null) => void;
}) {
  if (from === null)
    return (
      <button type="button" onClick={() => onGo(0)}>
        Show all {formatCount(count)}
      </button>
    );
  return (
    <>
      <button type="button" disabled={from === 0} onClick={() => onGo(Math.max(0, from - pageSize))}>
        Previous
      </button>
      <span class="note">
        {formatCount(from + 1)} to {formatCount(Math.min(count, from + pageSize))} of {formatCount(count)}
      </span>
      <button type="button" disabled={from + pageSize >= count} onClick={() => onGo(from + pageSize)}>
        Next
      </button>
      <button type="button" onClick={() => onGo(null)}>
        Only the fastest
      </button>
    </>
  );
}

function Table({ rows }: { readonly rows: readonly Row[] }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keyboard
    <section class="scroll" tabIndex={0} aria-label="Table of workers">
      <table>
        <thead>
          <tr>
            <th scope="col">Worker</th>
            <th scope="col">Kind</th>
            <th scope="col" class="number">
              Blocks/s
            </th>
            <th scope="col" class="number">
              Threads
            </th>
            <th scope="col" class="number">
              Tiles done
            </th>
            <th scope="col" class="number">
              In hand
            </th>
            <th scope="col">Trust</th>
            <th scope="col">Last seen</th>
            <th scope="col">Address</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.session}>
              <th scope="row" title={row.worker}>
                {row.worker}
              </th>
              <td>{row.runtime === 'browser' ? `${row.kind}, browser` : row.kind}</td>
              <td class="number">{row.blocksPerSecond === 0 ? '–' : shortCount(row.blocksPerSecond)}</td>
              <td class="number">{formatCount(row.threads)}</td>
              <td class="number">{formatCount(row.tilesDone)}</td>
              <td class="number">{formatCount(row.leases)}</td>
              <td>
                <StandingPill {...trustOf(row)} />
              </td>
              <td>{agoText(row.silentMs)}</td>
              <td>{row.address}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
