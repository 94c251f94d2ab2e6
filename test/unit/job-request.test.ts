import { describe, expect, it } from 'vitest';
import {
  decodeJobRequest,
  encodeJobRequest,
  type JobRequest,
  jobIdOf,
  planOptionsOfJson,
  planOptionsToJson,
} from '../../coordinator/jobs/job-request.ts';
import type { PlanOptions } from '../../src/core/plan/make-plan.ts';
import { defaultOptions } from '../support/in-process-search.ts';

function requestOf(options: PlanOptions): JobRequest {
  return { name: 'a job', networkBlob: 'a'.repeat(64), targetSha256: 'b'.repeat(64), options };
}

describe('the request of a job', () => {
  it('for the 2L construction reads back as it was, and is another job', () => {
    const baseline = requestOf({ ...defaultOptions, construction: '2L' });
    expect(decodeJobRequest(encodeJobRequest(baseline))).toEqual(baseline);
    expect(jobIdOf(baseline)).not.toBe(jobIdOf(requestOf(defaultOptions)));
  });

  it('for the usual construction is the same job whether that is said or not', () => {
    const said = requestOf({ ...defaultOptions, construction: 'L+1' });
    expect(jobIdOf(said)).toBe(jobIdOf(requestOf(defaultOptions)));
  });

  it('for a construction that there is not is refused', () => {
    const options = { ...planOptionsToJson(defaultOptions), construction: '3L' };
    expect(() => planOptionsOfJson(options)).toThrow(/^Cannot accept the job's options: construction/);
  });
});
