/** What people are told when a coordinator has not what they ask for. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseConnection } from '../../src/cli/remote/connection-options.ts';
import { CoordinatorClient } from '../../src/cli/remote/coordinator-client.ts';
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

test('a job that is not there is told as such', async () => {
  await expect(client.job('f'.repeat(32))).rejects.toThrow(/^Cannot read job f+ at .*: there is no such job/);
  await expect(client.cancel('f'.repeat(32))).rejects.toThrow(/there is no such job/);
});

test('a file that the coordinator has lost is not taken for a job', async () => {
  await expect(client.figures('0'.repeat(64))).rejects.toThrow(
    /^Cannot fetch the job's summary from .*: it has lost it; submit the search again/,
  );
});
