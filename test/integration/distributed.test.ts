/** Coordinator and workers as real processes on loopback: whatever dies, the ticket has the same bytes as on one machine. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { encodeNetwork } from '../../src/core/format/network-file.ts';
import type { Network } from '../../src/core/network/network.ts';
import type { PlanOptions } from '../../src/core/plan/make-plan.ts';
import { activationStep, denseLayer } from '../support/evaluation-networks.ts';
import { defaultOptions, kernelSolver, searchInProcess } from '../support/in-process-search.ts';
import { submitJob, ticketOf, tilesDone, whenJob } from '../support/job-client.ts';
import { endAllProcesses, type NodeProcess, startNode } from '../support/node-process.ts';

const relu = activationStep({ kind: 'relu' });
const network: Network = {
  inputShape: [24],
  inputSteps: [],
  layers: [denseLayer(24, 30, [relu]), denseLayer(30, 4)],
};
/** About thirty tiles. */
const options: PlanOptions = { ...defaultOptions, epsilon: 1e-3, rule: 'closest' };
const tileSize = { kind: 'blocks', blocks: 100 } as const;
const submission = { network: encodeNetwork(network), options };

const folders: string[] = [];
let expected: Uint8Array;
beforeAll(async () => {
  expected = (await searchInProcess(network, options, await kernelSolver())).bytes;
});
afterEach(async () => {
  await endAllProcesses();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tombola-test-'));
  folders.push(folder);
  return folder;
}

async function startCoordinator(rest: object = {}): Promise<{ process: NodeProcess; url: string }> {
  const process = startNode('coordinator-entry.mjs', { directory: newFolder(), tileSize, ...rest });
  const [url] = await process.said(/http:\/\/127\.0\.0\.1:\d+(?=\n)/);
  return { process, url };
}

function startWorker(url: string): NodeProcess {
  return startNode('worker-entry.mjs', { urls: [url] });
}

describe('a job over real processes', () => {
  it.each([1, 3])('gives the bytes of one machine with %d workers', async (count) => {
    const { url } = await startCoordinator();
    for (let k = 0; k < count; k++) startWorker(url);
    const job = await submitJob(url, submission);
    expect(Buffer.compare(await ticketOf(url, job), expected)).toBe(0);
  });

  it('gives them though workers are killed in the middle of their tiles', async () => {
    const { url } = await startCoordinator();
    const job = await submitJob(url, submission);
    for (const done of [1, 8, 16]) {
      const worker = startWorker(url);
      await whenJob(url, job, (status) => tilesDone(status) >= done || status.state === 'done');
      await worker.end('SIGKILL');
    }
    startWorker(url);
    expect(Buffer.compare(await ticketOf(url, job), expected)).toBe(0);
  });

  it('gives them though the coordinator is killed, and does not begin anew', async () => {
    const directory = newFolder();
    const first = await startCoordinator({ directory });
    const port = Number(new URL(first.url).port);
    startWorker(first.url);
    const job = await submitJob(first.url, submission);
    await whenJob(first.url, job, (status) => tilesDone(status) >= 8);
    await first.process.end('SIGKILL');
    const second = await startCoordinator({ directory, port });
    await whenJob(second.url, job, (status) => tilesDone(status) >= 8);
    expect(Buffer.compare(await ticketOf(second.url, job), expected)).toBe(0);
    const metrics = await (await fetch(`${second.url}/metrics`)).text();
    const solved = Number(/tombola_results_total\{outcome="new"\} (\d+)/.exec(metrics)?.[1]);
    const total = tilesDone(await whenJob(second.url, job, () => true));
    expect(solved).toBeLessThanOrEqual(total - 8);
  });

  it('stops in good order on SIGTERM, and goes on where it was', async () => {
    const directory = newFolder();
    const first = await startCoordinator({ directory });
    const port = Number(new URL(first.url).port);
    const worker = startWorker(first.url);
    const job = await submitJob(first.url, submission);
    await whenJob(first.url, job, (status) => tilesDone(status) >= 4);
    expect(await first.process.end('SIGTERM')).toBe(0);
    await worker.said(/disconnected/);
    const second = await startCoordinator({ directory, port });
    expect(Buffer.compare(await ticketOf(second.url, job), expected)).toBe(0);
    expect(await worker.end('SIGTERM')).toBe(0);
    expect(worker.text()).toMatch(/ended: drained/);
  });

  it('refuses a second coordinator in the same folder', async () => {
    const directory = newFolder();
    await startCoordinator({ directory });
    await expect(startCoordinator({ directory })).rejects.toThrow(/in use by another process/);
  });
});
