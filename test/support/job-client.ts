/** Submits jobs to a coordinator over HTTP and waits for them. */
import { type PlanOptionsJson, planOptionsToJson } from '../../coordinator/jobs/job-request.ts';
import type { JobStatus } from '../../coordinator/jobs/job-status.ts';
import type { PlanOptions } from '../../src/core/plan/make-plan.ts';

/** Submits a network; returns the job's id. */
export async function submitJob(
  url: string,
  { network, options, token = '' }: { network: Uint8Array; options: PlanOptions; token?: string },
): Promise<string> {
  const json: PlanOptionsJson = planOptionsToJson(options);
  const query = new URLSearchParams({ name: 'test', options: JSON.stringify(json) });
  const headers = token === '' ? {} : { authorization: `Bearer ${token}` };
  const response = await fetch(`${url}/api/jobs?${query}`, {
    method: 'POST',
    headers,
    body: new Uint8Array(network),
  });
  const body = await response.text();
  if (response.status !== 201) throw new Error(`submitting fails with ${response.status}: ${body}`);
  return (JSON.parse(body) as JobStatus).job;
}

/** Returns the job as it is now. */
export async function jobStatus(url: string, job: string): Promise<JobStatus> {
  const response = await fetch(`${url}/api/jobs/${job}`);
  return (await response.json()) as JobStatus;
}

/** Resolves when the job's status is as asked for; asks again as soon as it has an answer. */
export async function whenJob(
  url: string,
  job: string,
  isSo: (status: JobStatus) => boolean,
): Promise<JobStatus> {
  for (;;) {
    const status = await jobStatus(url, job);
    if (isSo(status)) return status;
    if (status.state !== 'running') throw new Error(`the job is ${status.state}: ${status.reason}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Resolves with the ticket's bytes when the job is done. */
export async function ticketOf(url: string, job: string): Promise<Uint8Array> {
  await whenJob(url, job, ({ state }) => state === 'done');
  const response = await fetch(`${url}/api/jobs/${job}/ticket`);
  return new Uint8Array(await response.arrayBuffer());
}

/** Ends the job; what it has solved is kept. */
export function cancelJob(url: string, job: string): Promise<void> {
  return endJob(`${url}/api/jobs/${job}`);
}

/** Removes the job and everything of it. */
export function removeJob(url: string, job: string): Promise<void> {
  return endJob(`${url}/api/jobs/${job}?remove=true`);
}

async function endJob(url: string): Promise<void> {
  const response = await fetch(url, { method: 'DELETE' });
  if (response.status !== 200)
    throw new Error(`ending a job fails with ${response.status}: ${await response.text()}`);
}

/** Tiles that are done, over all layers. */
export function tilesDone({ progress }: JobStatus): number {
  return (progress?.layers ?? []).reduce((sum, layer) => sum + layer.tilesDone, 0);
}
