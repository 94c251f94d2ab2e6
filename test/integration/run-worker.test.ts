/** The worker of this machine against a real gateway: volunteers, tokens, failover, draining. */

import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { issueToken, newTokenKey, type TokenScope } from '../../coordinator/tokens.ts';
import { encodeNetwork } from '../../src/core/format/network-file.ts';
import type { Network } from '../../src/core/network/network.ts';
import { type RunningWorker, runWorker, type WorkerOptions } from '../../worker/node/run-worker.ts';
import { activationStep, denseLayer } from '../support/evaluation-networks.ts';
import { defaultOptions, kernelSolver, searchInProcess } from '../support/in-process-search.ts';
import { submitJob } from '../support/job-client.ts';
import { openTestGateway, type TestGateway } from '../support/test-gateway.ts';

const network: Network = {
  inputShape: [20],
  inputSteps: [],
  layers: [denseLayer(20, 24, [activationStep({ kind: 'relu' })]), denseLayer(24, 4)],
};
const keys = { current: newTokenKey(), previous: null };
const closers: (() => Promise<unknown>)[] = [];
let expected: Uint8Array;
beforeAll(async () => {
  expected = (await searchInProcess(network, defaultOptions, await kernelSolver())).bytes;
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

function tokenFor(scope: TokenScope): string {
  return issueToken(keys, { scope, ttlMs: 60_000 }, Date.now());
}

async function gatewayWithKeys(): Promise<TestGateway> {
  const gateway = await openTestGateway({ keys, tileSize: { kind: 'blocks', blocks: 200 } });
  closers.push(gateway.close);
  return gateway;
}

async function startWorker(
  options: Partial<WorkerOptions>,
): Promise<{ worker: RunningWorker; reports: string[] }> {
  const reports: string[] = [];
  const worker = await runWorker({
    urls: [],
    threads: 1,
    token: '',
    insecure: false,
    onReport: (text) => reports.push(text),
    ...options,
  });
  closers.push(() => worker.close());
  return { worker, reports };
}

describe('a job that nobody but volunteers works on', () => {
  it('gives the same bytes: misses of strangers are found twice or by the coordinator', async () => {
    const gateway = await gatewayWithKeys();
    for (let k = 0; k < 2; k++) await startWorker({ urls: [gateway.url], token: tokenFor('volunteer') });
    const submission = {
      network: encodeNetwork(network),
      options: defaultOptions,
      token: tokenFor('submit'),
    };
    const job = await submitJob(gateway.url, submission);
    const status = await gateway.jobs.whenOver(job);
    expect(status).toMatchObject({ state: 'done', reason: '' });
    const headers = { authorization: `Bearer ${tokenFor('submit')}` };
    const response = await fetch(`${gateway.url}/api/jobs/${job}/ticket`, { headers });
    expect(Buffer.compare(new Uint8Array(await response.arrayBuffer()), expected)).toBe(0);
  });
});

describe('a worker', () => {
  it.each(['submit', 'read'] as const)('with a token for %s ends and says why', async (scope) => {
    const gateway = await gatewayWithKeys();
    const { worker } = await startWorker({ urls: [gateway.url], token: tokenFor(scope) });
    expect(await worker.ended).toMatch(/no gateway lets this worker in: .*403/);
  });

  it('without a token, where one is needed, ends and says where to get one', async () => {
    const gateway = await gatewayWithKeys();
    const { worker } = await startWorker({ urls: [gateway.url] });
    expect(await worker.ended).toMatch(/no gateway lets this worker in: .*ask the operator/);
  });

  it('goes on to the next gateway when the first is not there', async () => {
    const placeholder = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => placeholder.once('listening', resolve));
    const { port } = placeholder.address() as AddressInfo;
    await new Promise((resolve) => placeholder.close(resolve));
    const gateway = await gatewayWithKeys();
    const urls = [`http://127.0.0.1:${port}`, gateway.url];
    let tell: (text: string) => void = () => undefined;
    const connected = new Promise<string>((resolve) => {
      tell = resolve;
    });
    await startWorker({
      urls,
      token: tokenFor('worker'),
      onReport: (text) => {
        if (text.startsWith('connected')) tell(text);
      },
    });
    expect(await connected).toContain(new URL(gateway.url).host);
  });

  it('that has nothing in hand drains at once', async () => {
    const gateway = await gatewayWithKeys();
    const { worker } = await startWorker({ urls: [gateway.url], token: tokenFor('worker') });
    await worker.drain(60_000);
    expect(await worker.ended).toBe('drained');
  });

  it.each<[Partial<WorkerOptions>, RegExp]>([
    [{ urls: [] }, /without a gateway/],
    [{ urls: ['ws://10.0.0.1'] }, /--insecure/],
    [{ urls: ['ws://localhost'], threads: 0 }, /0 threads/],
  ])('with %j does not start', async (options, message) => {
    await expect(startWorker(options)).rejects.toThrow(message);
  });
});
