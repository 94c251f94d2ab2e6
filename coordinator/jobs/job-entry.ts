/** A job as its coordinator holds it, and what is shown of it. */
import { TombolaError } from '../../src/core/errors.ts';
import type { StoredJob } from '../engine/engine.ts';
import type { JobProgress } from './job-progress.ts';
import { decodeJobRequest, type JobRequest, planOptionsToJson } from './job-request.ts';
import { decodeJobResult } from './job-result.ts';
import type { JobStatus } from './job-status.ts';

/** A job in memory. */
export interface JobEntry {
  stored: StoredJob;
  /** Null where the stored one cannot be read. */
  readonly request: JobRequest | null;
  phase: JobStatus['phase'];
  progress: () => JobProgress | null;
  work: { readonly ending: AbortController; readonly ended: Promise<void> } | null;
  /** Called when the job is not running any more. */
  readonly waiters: (() => void)[];
}

/** Returns a job that nobody works on yet. */
export function entryOf(stored: StoredJob): JobEntry {
  return {
    stored,
    request: requestOf(stored),
    phase: null,
    progress: () => null,
    work: null,
    waiters: [],
  };
}

/** Returns the job as seen from outside. */
export function statusOf({ stored, request, phase, progress }: JobEntry): JobStatus {
  const { job, state, reason, priority, sequence, result } = stored;
  return {
    job,
    name: request?.name ?? '',
    state,
    phase: state === 'running' ? (phase ?? 'waiting') : null,
    reason,
    priority,
    sequence,
    progress: progress(),
    result: decodeJobResult(result),
    request: request === null ? null : describedRequest(request),
  };
}

function requestOf({ request }: StoredJob): JobRequest | null {
  try {
    return decodeJobRequest(request);
  } catch (error) {
    if (error instanceof TombolaError) return null;
    throw error;
  }
}

function describedRequest({ networkBlob, targetSha256, options }: JobRequest): JobStatus['request'] {
  return { networkBlob, targetSha256, options: planOptionsToJson(options) };
}
