/** Gateways that share an engine over real NATS servers: whatever dies, the ticket has the same bytes as on one machine. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { stateBucket } from '../../coordinator/cluster/cluster.ts';
import { openCells } from '../../coordinator/engine/nats/cells.ts';
import { openNatsLink, parseNatsAddress } from '../../coordinator/engine/nats/connection.ts';
import { encodeNetwork } from '../../src/core/format/network-file.ts';
import type { Network } from '../../src/core/network/network.ts';
import type { PlanOptions } from '../../src/core/plan/make-plan.ts';
import { type ChaosProxy, openChaosProxy } from '../support/chaos-proxy.ts';
import { activationStep, denseLayer } from '../support/evaluation-networks.ts';
import { defaultOptions, kernelSolver, searchInProcess } from '../support/in-process-search.ts';
import {
  cancelJob,
  jobStatus,
  removeJob,
  submitJob,
  ticketOf,
  tilesDone,
  whenJob,
} from '../support/job-client.ts';
import { readLive } from '../support/live-reader.ts';
import { clearNats } from '../support/nats-place.ts';
import { hasNats, type NatsServers, startNats } from '../support/nats-servers.ts';
import { endAllProcesses, type NodeProcess, startNode } from '../support/node-process.ts';
import { connectRaw, helloOf } from '../support/raw-worker.ts';
import { openTestGateway } from '../support/test-gateway.ts';
import { until } from '../support/until.ts';

const relu = activationStep({ kind: 'relu' });
const network: Network = {
  inputShape: [24],
  inputSteps: [],
  layers: [denseLayer(24, 200, [relu]), denseLayer(200, 4)],
};
/** Two hundred tiles, some seconds of work for one worker: what is to happen in the middle of it has time to. */
const options: PlanOptions = { ...defaultOptions, epsilon: 1e-3, rule: 'closest' };
const tileSize = { kind: 'blocks', blocks: 25 } as const;
const submission = { network: encodeNetwork(network), options };
/** Short, so that a test does not wait for what a dead gateway held. */
const timing = { ackMs: 3000, claimMs: 1500, auditMs: 1000 };

describe.skipIf(!hasNats)('gateways over NATS', () => {
  let nats: NatsServers;
  let expected: Uint8Array;
  beforeAll(async () => {
    nats = await startNats(1);
    expected = (await searchInProcess(network, options, await kernelSolver())).bytes;
  });
  const proxies: ChaosProxy[] = [];
  afterEach(async () => {
    await endAllProcesses();
    for (const proxy of proxies.splice(0)) await proxy.close();
    await clearNats(nats.url);
  });
  afterAll(() => nats?.close());

  async function startGateway(address = nats.url): Promise<{ process: NodeProcess; url: string }> {
    const cluster = { address, replicas: 1, monitors: nats.monitors, ...timing };
    const process = startNode('coordinator-entry.mjs', { directory: '', tileSize, cluster });
    const [url] = await process.said(/http:\/\/127\.0\.0\.1:\d+(?=\n)/);
    return { process, url };
  }

  function startWorker(...urls: string[]): NodeProcess {
    return startNode('worker-entry.mjs', { urls });
  }

  it('give the bytes of one machine, whoever has the workers, and all tell how far the job is', async () => {
    const [first, second, third] = await Promise.all([startGateway(), startGateway(), startGateway()]);
    const id = await submitJob(first.url, submission);
    startWorker(second.url);
    startWorker(third.url);
    await whenJob(third.url, id, (status) => tilesDone(status) >= 1 || status.state === 'done');
    for (const { url } of [second, third, first])
      expect(Buffer.compare(await ticketOf(url, id), expected)).toBe(0);
  });

  it('know what was done with a job at another one a moment ago', async () => {
    const [first, second] = await Promise.all([startGateway(), startGateway()]);
    const id = await submitJob(first.url, submission);
    expect((await jobStatus(second.url, id)).state).toBe('running');
    await cancelJob(second.url, id);
    expect((await jobStatus(first.url, id)).state).toBe('cancelled');
    await submitJob(second.url, submission);
    expect((await jobStatus(first.url, id)).state).toBe('running');
    await removeJob(first.url, id);
    expect((await fetch(`${second.url}/api/jobs/${id}`)).status).toBe(404);
  });

  it('are told of to workers, and to a page only as far as it may reach them', async () => {
    const gateway = await openTestGateway({
      cluster: { address: nats.url, replicas: 1, monitors: nats.monitors, ...timing },
      volunteers: true,
      gateways: ['wss://other.example/ws'],
      advertise: 'ws://127.0.0.2:1/ws',
    });
    const worker = await connectRaw(gateway.url);
    worker.send(helloOf());
    const named = (await worker.next('welcome')).gateways;
    expect(named).toEqual(['wss://other.example/ws', 'ws://127.0.0.2:1/ws']);
    const joined = await fetch(`${gateway.url}/join`, { method: 'POST' });
    const { token } = (await joined.json()) as { token: string };
    const page = await connectRaw(gateway.url, { origin: gateway.url });
    page.send(helloOf({ token }));
    expect((await page.next('welcome')).gateways).toEqual(['wss://other.example/ws']);
    worker.close();
    page.close();
    await gateway.close();
  });

  it('show a job’s tiles on their dashboards while they drive it, and not when another one does', async () => {
    const link = await openNatsLink(parseNatsAddress(nats.url));
    const cells = await openCells(link, { bucket: stateBucket, replicas: 1 });
    const gateway = await openTestGateway({
      cluster: { address: nats.url, replicas: 1, monitors: nats.monitors, ...timing, claimMs: 6000 },
      tileSize,
    });
    const id = await submitJob(gateway.url, submission);
    const reader = await readLive(gateway.url, { job: id });
    await reader.until(({ job }) => job?.layers[0]?.cells !== undefined && job.layers[0].cells !== '');
    await cells.put(`claim.${id}`, new TextEncoder().encode('another gateway'));
    await reader.until(({ job }) => job?.phase === 'waiting');
    expect(reader.job?.layers.map((layer) => layer.cells)).toEqual(['', '']);
    reader.close();
    await gateway.close();
    await link.close();
  });

  it('go on when the one that drives the job is killed, with its workers', async () => {
    const [first, second] = [await startGateway(), await startGateway()];
    const id = await submitJob(first.url, submission);
    const worker = startWorker(first.url);
    await whenJob(first.url, id, (status) => tilesDone(status) >= 4);
    await first.process.end('SIGKILL');
    await worker.said(connectedTo(second.url));
    expect(Buffer.compare(await ticketOf(second.url, id), expected)).toBe(0);
  });

  it('go on without one that is cut off from the engine, which finds out when it is back', async () => {
    const proxy = await openChaosProxy(nats.url.replace('nats', 'http'));
    proxies.push(proxy);
    const cutOff = await startGateway(proxy.url.replace('http', 'nats'));
    const other = await startGateway();
    const id = await submitJob(cutOff.url, submission);
    startWorker(cutOff.url);
    await whenJob(cutOff.url, id, (status) => tilesDone(status) >= 4);
    proxy.hold();
    startWorker(other.url);
    expect(Buffer.compare(await ticketOf(other.url, id), expected)).toBe(0);
    proxy.release();
    expect(Buffer.compare(await ticketOf(cutOff.url, id), expected)).toBe(0);
  });

  it('have the workers of one that is cut off from the engine, until it is back', async () => {
    const proxy = await openChaosProxy(nats.url.replace('nats', 'http'));
    proxies.push(proxy);
    const cutOff = await startGateway(proxy.url.replace('http', 'nats'));
    const other = await startGateway();
    const isReady = async (): Promise<boolean> => (await fetch(`${cutOff.url}/readyz`)).ok;
    const worker = startWorker(cutOff.url);
    await worker.said(connectedTo(cutOff.url));
    expect(await isReady()).toBe(true);
    proxy.setFault(() => ({ kind: 'cut', direction: 'in', atByte: 1 }));
    proxy.cut();
    await worker.said(connectedTo(other.url));
    expect(await isReady()).toBe(false);
    const id = await submitJob(other.url, submission);
    const unknown = await fetch(`${cutOff.url}/api/jobs/${id}`);
    expect([unknown.status, await unknown.text()]).toEqual([
      503,
      expect.stringMatching(/Cannot read the engine/),
    ]);
    await expect(submitJob(cutOff.url, submission)).rejects.toThrow(
      /fails with 503: .*Cannot \w+ the engine/,
    );
    expect(Buffer.compare(await ticketOf(other.url, id), expected)).toBe(0);
    proxy.setFault(() => ({ kind: 'none' }));
    await until(isReady);
    expect(Buffer.compare(await ticketOf(cutOff.url, id), expected)).toBe(0);
  });

  it('let one go in good order: its workers are with another at once, and bring what they have', async () => {
    const [first, second] = [await startGateway(), await startGateway()];
    const id = await submitJob(first.url, submission);
    const worker = startWorker(first.url);
    await whenJob(first.url, id, (status) => tilesDone(status) >= 4);
    expect(await first.process.end('SIGTERM')).toBe(0);
    await worker.said(connectedTo(second.url));
    expect(worker.text()).toMatch(/the gateway is draining/);
    expect(Buffer.compare(await ticketOf(second.url, id), expected)).toBe(0);
  });
});

function connectedTo(url: string): RegExp {
  return new RegExp(`connected to ${url.replace('http', 'ws')}`);
}
