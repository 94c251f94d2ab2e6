/** A job as its coordinator holds it, and what is shown of it. */
import type { StoredJob } from '../engine/engine.ts';
import { agedProgress, type JobProgress } from './job-progress.ts';
import { type JobRequest, planOptionsToJson, readJobRequest } from './job-request.ts';
import { decodeJobResult, type JobResult } from './job-result.ts';
import type { JobStatus } from './job-status.ts';

/** A job's record with its texts decoded: lists are asked for often, and decoding takes longer than all else. */
interface Decoded {
  readonly stored: StoredJob;
  /** Null where the stored one cannot be read. */
  readonly request: JobRequest | null;
  /** Null where there is none. */
  readonly result: JobResult | null;
  readonly described: JobStatus['request'];
}

/** A job in memory; its record is replaced by {@link replaceStored}. */
export interface JobEntry extends Decoded {
  phase: JobStatus['phase'];
  progress: () => JobProgress | null;
  /** Why its run cannot go on at the moment; '' while it can. */
  trouble: string;
  work: { readonly ending: AbortController; readonly ended: Promise<void> } | null;
  /** Called when the job is not running any more. */
  readonly waiters: (() => void)[];
}

/** Returns a job that nobody works on yet. */
export function entryOf(stored: StoredJob): JobEntry {
  return {
    ...decoded(stored),
    phase: null,
    progress: () => null,
    trouble: '',
    work: null,
    waiters: [],
  };
}

/** Gives the job another record. */
export function replaceStored(entry: JobEntry, stored: StoredJob): void {
  const { request, result } = entry.stored;
  if (stored.request === request && stored.result === result) Object.assign(entry, { stored });
  else Object.assign(entry, decoded(stored));
}

/** Returns the job as seen from outside. */
export function statusOf(entry: JobEntry): JobStatus {
  const { stored, request, result, described, phase, progress, trouble } = entry;
  const { job, state, reason, priority, sequence, submitter = null } = stored;
  return {
    job,
    name: request?.name ?? '',
    state,
    phase: state === 'running' ? (phase ?? 'waiting') : null,
    reason: trouble === '' ? reason : trouble,
    priority,
    sequence,
    submitter,
    progress: progress(),
    result,
    request: described,
  };
}

/** Returns how to read a progress that was told now. */
export function aging(progress: JobProgress | null): () => JobProgress | null {
  const sinceMs = performance.now();
  return () => progress && agedProgress(progress, performance.now() - sinceMs);
}

function decoded(stored: StoredJob): Decoded {
  const request = readJobRequest(stored.request);
  const described = request === null ? null : describedRequest(request);
  return { stored, request, result: decodeJobResult(stored.result), described };
}

function describedRequest({ networkBlob, targetSha256, options }: JobRequest): JobStatus['request'] {
  return { networkBlob, targetSha256, options: planOptionsToJson(options) };
}
