/** What the page asks of the coordinator besides the feed. Every answer that is no success is thrown as a {@link Refusal}. */
import type { LiveWorker } from '../../src/core/live/views.ts';

/** The coordinator's own words on why not. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
}

/** A search to submit: the body is a network file. */
export interface NewSearch {
  readonly network: Blob;
  readonly name: string;
  readonly priority: number;
  /** PlanOptionsJson of coordinator/jobs/job-request.ts. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** A worker as the list of all of them has it. */
export type ListedWorker = Omit<LiveWorker, 'seenAtMs'> & {
  readonly session: string;
  readonly silentMs?: number;
};

/** Submits a search and returns its job's id. */
export async function submitSearch(token: string, search: NewSearch): Promise<string> {
  const query = new URLSearchParams({
    name: search.name,
    priority: String(search.priority),
    options: JSON.stringify(search.options),
  });
  const response = await ask(token, `/api/jobs?${query}`, { method: 'POST', body: search.network });
  return ((await response.json()) as { readonly job: string }).job;
}

/** Cancels a job. */
export async function cancelJob(token: string, job: string): Promise<void> {
  await ask(token, `/api/jobs/${job}`, { method: 'DELETE' });
}

/** Returns the ticket's file. */
export async function fetchTicket(token: string, job: string): Promise<Blob> {
  return (await ask(token, `/api/jobs/${job}/ticket`)).blob();
}

/** Returns `count` of the workers from `from` on, and how many there are. */
export async function listWorkers(
  token: string,
  { from, count }: { readonly from: number; readonly count: number },
): Promise<{ readonly count: number; readonly workers: readonly ListedWorker[] }> {
  return (await ask(token, `/api/workers?from=${from}&count=${count}`)).json();
}

async function ask(token: string, path: string, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, {
      ...init,
      headers: token === '' ? {} : { authorization: `Bearer ${token}` },
      cache: 'no-store',
      credentials: 'omit',
    });
  } catch {
    throw new Refusal('Cannot reach the coordinator: check that it runs, then try again');
  }
  if (response.ok) return response;
  const body = (await response.json().catch(() => ({}))) as { readonly error?: string };
  throw new Refusal(
    body.error ?? `Cannot ${init.method ?? 'GET'} ${path}: the coordinator answers ${response.status}`,
  );
}
