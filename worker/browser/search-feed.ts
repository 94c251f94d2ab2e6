/** Asks the coordinator every few seconds how far the search is. */
import { isSearchView, type SearchView } from '../../src/core/protocol/search-view.ts';
import { forgetToken, JoinRefusal, volunteerToken } from './membership.ts';

const visibleMs = 2_000;
const hiddenMs = 30_000;
const answerMsMax = 10_000;

/** Tells what the search looks like, again and again; null while the coordinator does not say. */
export function followSearch(onView: (view: SearchView | null) => void): void {
  const ask = (): void => {
    searchView().then(
      (view) => {
        onView(view);
        setTimeout(ask, document.hidden ? hiddenMs : visibleMs);
      },
      (error: unknown) => {
        onView(null);
        const refusedMs = error instanceof JoinRefusal ? (error.retryMs ?? hiddenMs) : 0;
        setTimeout(ask, Math.max(document.hidden ? hiddenMs : 2 * visibleMs, refusedMs));
      },
    );
  };
  ask();
}

async function searchView(): Promise<SearchView> {
  const response = await fetch('/api/volunteer', {
    headers: { authorization: `Bearer ${await volunteerToken()}` },
    signal: AbortSignal.timeout(answerMsMax),
  });
  if (response.status === 401) forgetToken();
  const view: unknown = await response.json();
  if (!isSearchView(view)) throw new Error(`the coordinator answers ${response.status}`);
  return view;
}
