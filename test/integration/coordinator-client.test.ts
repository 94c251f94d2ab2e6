/** What people are told when a coordinator has not what they ask for. */
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { parseConnection } from '../../src/cli/remote/connection-options.ts';
import { CoordinatorClient } from '../../src/cli/remote/coordinator-client.ts';
import { followJob } from '../../src/cli/remote/follow-job.ts';
import { defaultOptions } from '../support/in-process-search.ts';
import { submitJob } from '../support/job-client.ts';
import { networkBytes } from '../support/job-life.ts';
import { openTestGateway, type TestGateway } from '../support/test-gateway.ts';

let gateway: TestGateway;
let client: CoordinatorClient;
beforeAll(async () => {
  gateway = await openTestGateway();
  client = new CoordinatorClient(
    parseConnection(new Map([['coordinator', gateway.url]])),
    new AbortController().signal,
  );
});
afterAll(() => gateway.close());
afterEach(() => {
  vi.useRealTimers();
});

test('a job that is not there is told as such', async () => {
  await expect(client.job('f'.repeat(32))).rejects.toThrow(/^Cannot read job f+ at .*: there is no such job/);
  await expect(client.cancel('f'.repeat(32))).rejects.toThrow(/there is no such job/);
});

test('a file that the coordinator has lost is not taken for a job', async () => {
  await expect(client.figures('0'.repeat(64))).rejects.toThrow(
    /^Cannot fetch the job's summary from .*: it has lost it; submit the search again/,
  );
});

test('a job that nobody works on is told with what is known: whoever answers has no worker, others may', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const id = await submitJob(gateway.url, { network: networkBytes, options: defaultOptions });
  const ending = new AbortController();
  const said = await new Promise<string>((resolve) => {
    const progress = { say: resolve, show: () => undefined, clear: () => undefined };
    const onView = () => vi.advanceTimersByTime(1000);
    followJob(client, id, { signal: ending.signal, progress, retrySeconds: 0, onView }).catch(
      () => undefined,
    );
  });
  ending.abort();
  expect(said).toMatch(/^No worker is connected to the gateway that answered.*: npx tombola worker http/);
  expect(said).not.toMatch(/so the job waits/);
});
