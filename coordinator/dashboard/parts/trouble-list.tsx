/** What went wrong of late. */
import { overview } from '../store.ts';
import { agoText } from '../view-model.ts';

const titles: Readonly<Record<string, string>> = {
  'result-refused': 'Result refused',
  'session-ended': 'Connection ended',
  'tile-dead': 'Tile given up',
  'check-failed': 'Check failed',
  'store-failed': 'Store failed',
  'handshake-failed': 'Connection refused',
  'request-failed': 'Request failed',
};

/** The latest first. */
export function TroubleList() {
  if (overview.value === null) return null;
  const { troubles, atMs } = overview.value;
  const rows = Object.entries(troubles).sort(([a], [b]) => Number(b) - Number(a));
  return (
    <section class="card" aria-labelledby="troubles-title">
      <h2 id="troubles-title">Recent refusals and troubles</h2>
      {rows.length === 0 && <p class="empty">None since the coordinator was started.</p>}
      <ol class="troubles">
        {rows.map(([number, { event, text, atMs: at }]) => (
          <li key={number}>
            <span class="note">{agoText(atMs - at)}</span> <strong>{titles[event] ?? event}</strong> {text}
          </li>
        ))}
      </ol>
    </section>
  );
}
