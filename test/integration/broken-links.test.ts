/** Connections that hang, break at any byte or deliver wrong bits: nobody else notices, and the ticket is the one of one machine. */
import { connect } from 'node:net';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { encodeNetwork } from '../../src/core/format/network-file.ts';
import { pingMs } from '../../src/core/limits.ts';
import type { Network } from '../../src/core/network/network.ts';
import { encodeMessage } from '../../src/core/protocol/codec.ts';
import type { Lease, Spec } from '../../src/core/protocol/messages.ts';
import { runWorker } from '../../worker/node/run-worker.ts';
import { flipped, openChaosProxy } from '../support/chaos-proxy.ts';
import { activationStep, denseLayer } from '../support/evaluation-networks.ts';
import { defaultOptions, kernelSolver, searchInProcess } from '../support/in-process-search.ts';
import { submitJob, ticketOf } from '../support/job-client.ts';
import { joinRaw, type RawWorker, resultFor } from '../support/raw-worker.ts';
import { openTestGateway, type TestGateway } from '../support/test-gateway.ts';

const network: Network = {
  inputShape: [12],
  inputSteps: [],
  layers: [denseLayer(12, 40, [activationStep({ kind: 'relu' })]), denseLayer(40, 3)],
};
const submission = { network: encodeNetwork(network), options: defaultOptions };

let expected: Uint8Array;
beforeAll(async () => {
  expected = (await searchInProcess(network, defaultOptions, await kernelSolver())).bytes;
});
const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  vi.useRealTimers();
  for (const close of closers.splice(0).reverse()) await close();
});

async function openGateway(): Promise<TestGateway> {
  const gateway = await openTestGateway({ tileSize: { kind: 'blocks', blocks: 20 } });
  closers.push(() => gateway.close());
  return gateway;
}

async function openProxy(url: string): ReturnType<typeof openChaosProxy> {
  const proxy = await openChaosProxy(url);
  closers.push(() => proxy.close());
  return proxy;
}

/** Returns a worker with one lease. */
async function leased(
  url: string,
  workerId: string,
): Promise<{ worker: RawWorker; spec: Spec; lease: Lease }> {
  const worker = await joinRaw(url, { workerId });
  worker.send({ kind: 'want', slots: 1 });
  const spec = await worker.next('spec');
  const { leases } = await worker.next('grant');
  return { worker, spec, lease: leases[0] as Lease };
}

async function isServed(worker: RawWorker): Promise<void> {
  worker.send({ kind: 'beat', holding: [], hidden: false });
  await worker.next('beat');
}

/** Lets an honest worker finish the job, and compares. */
async function endsWell(gateway: TestGateway, job: string): Promise<void> {
  const worker = await runWorker({
    urls: [gateway.url],
    threads: 1,
    token: '',
    insecure: false,
    onReport: () => undefined,
  });
  closers.push(() => worker.close());
  expect(Buffer.compare(await ticketOf(gateway.url, job), expected)).toBe(0);
}

/** Sends bytes as they are and ends; resolves with what came back when the gateway has ended the connection too. */
function replay(port: number, bytes: Buffer, ending: 'end' | 'reset'): Promise<Buffer> {
  return new Promise((resolve) => {
    const parts: Buffer[] = [];
    const socket = connect({ port, host: '127.0.0.1' }, () => {
      socket.write(bytes, () => (ending === 'end' ? socket.end() : socket.resetAndDestroy()));
    });
    socket.on('data', (part: Buffer) => parts.push(part));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(Buffer.concat(parts)));
  });
}

/** What a worker of a whole session sent: upgrade, hello, want, result, beat, bye. */
async function recordSession(gateway: TestGateway): Promise<Buffer> {
  const proxy = await openProxy(gateway.url);
  const { worker, spec, lease } = await leased(proxy.url, 'recorded');
  worker.send(resultFor(lease, spec));
  await worker.next('committed');
  await isServed(worker);
  worker.send({ kind: 'bye', reason: 'enough' });
  await worker.closed;
  return proxy.recorded('in');
}

/** Offsets of the WebSocket frames of a recorded session. */
function frameOffsets(session: Buffer): number[] {
  const offsets: number[] = [];
  let at = session.indexOf('\r\n\r\n') + 4;
  while (at < session.length) {
    offsets.push(at);
    const short = (session[at + 1] ?? 0) & 127;
    const [extra, size] = short === 126 ? [2, session.readUInt16BE(at + 2)] : [0, short];
    at += 2 + extra + 4 + size;
  }
  return offsets;
}

/** The code of the close frame that ends what a gateway sent; null where there is none. */
function closeCodeOf(answer: Buffer): number | null {
  let at = answer.indexOf('\r\n\r\n') + 4;
  while (at < answer.length) {
    const short = (answer[at + 1] ?? 0) & 127;
    const extra = short === 126 ? 2 : short === 127 ? 8 : 0;
    const size =
      short === 126 ? answer.readUInt16BE(at + 2) : short === 127 ? answer.readUInt32BE(at + 6) : short;
    if (((answer[at] ?? 0) & 15) === 8 && size >= 2) return answer.readUInt16BE(at + 2 + extra);
    at += 2 + extra + size;
  }
  return null;
}

describe('a half-open connection', () => {
  it('is ended at the second ping that stays unanswered, and its tile goes to somebody else', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const gateway = await openGateway();
    const proxy = await openProxy(gateway.url);
    await submitJob(gateway.url, submission);
    const { lease } = await leased(proxy.url, 'hanging');
    const other = await joinRaw(gateway.url, { workerId: 'other' });
    proxy.hold();
    vi.advanceTimersByTime(pingMs);
    // The pong goes out before the first answer comes in, and has arrived before the second.
    await isServed(other);
    await isServed(other);
    expect(await workerCount(gateway.url)).toBe(2);
    vi.advanceTimersByTime(pingMs);
    while ((await workerCount(gateway.url)) > 1) await isServed(other);
    await isServed(other);
    const spec = await solveUntil(other, lease.tile);
    expect(spec).toBe(lease.spec);
    other.close();
  });

  it('that comes to life again delivers its result', async () => {
    const gateway = await openGateway();
    const proxy = await openProxy(gateway.url);
    const job = await submitJob(gateway.url, submission);
    const { worker, spec, lease } = await leased(proxy.url, 'hanging');
    proxy.hold();
    worker.send(resultFor(lease, spec));
    proxy.release();
    expect(await worker.next('committed')).toMatchObject({ tile: lease.tile });
    worker.close();
    await endsWell(gateway, job);
  });
});

/** Solves what the worker is granted until that is the tile; returns its spec. */
async function solveUntil(worker: RawWorker, tile: string): Promise<string> {
  worker.send({ kind: 'want', slots: 64 });
  const spec = await worker.next('spec');
  for (;;) {
    const { leases } = await worker.next('grant');
    if (leases.some((lease) => lease.tile === tile)) return spec.digest;
    for (const lease of leases) worker.send(resultFor(lease, spec));
  }
}

async function workerCount(url: string): Promise<number> {
  const { workers } = (await (await fetch(`${url}/api/workers`)).json()) as { workers: unknown[] };
  return workers.length;
}

describe('a session', () => {
  it('cut at any byte does no harm', async () => {
    const gateway = await openGateway();
    const job = await submitJob(gateway.url, submission);
    const bystander = await joinRaw(gateway.url, { workerId: 'bystander' });
    const session = await recordSession(gateway);
    for (let length = 0; length < session.length; length += 5) {
      await replay(gateway.port, session.subarray(0, length), length % 2 === 0 ? 'end' : 'reset');
      if (length % 100 === 0) await isServed(bystander);
    }
    await isServed(bystander);
    bystander.close();
    await endsWell(gateway, job);
  });

  it('with any bit flipped is refused or harmless, and others go on', async () => {
    const gateway = await openGateway();
    const job = await submitJob(gateway.url, submission);
    const bystander = await joinRaw(gateway.url, { workerId: 'bystander' });
    const session = await recordSession(gateway);
    const firstFrame = frameOffsets(session)[0] ?? 0;
    const codes = new Map<number | null, number>();
    for (let at = firstFrame; at < session.length; at += 2) {
      const code = closeCodeOf(await replay(gateway.port, flipped(session, at, (at * 5) % 8), 'end'));
      codes.set(code, (codes.get(code) ?? 0) + 1);
      if (at % 100 === 0) await isServed(bystander);
    }
    const known = [null, 1000, 1002, 1003, 1007, 1008, 1009, 4001, 4002];
    expect([...codes.keys()].filter((code) => !known.includes(code))).toEqual([]);
    for (const code of [1002, 1007]) expect(codes.get(code)).toBeGreaterThan(0);
    bystander.close();
    await endsWell(gateway, job);
  });

  it.each<[string, { frame: number; byte: number; bit: number; code: number }]>([
    ['a reserved bit', { frame: 1, byte: 0, bit: 6, code: 1002 }],
    ['a reserved kind of frame', { frame: 1, byte: 0, bit: 0, code: 1002 }],
    ['a frame without a mask', { frame: 1, byte: 1, bit: 7, code: 1002 }],
    ['a type that MessagePack has not', { frame: 1, byte: 6, bit: 6, code: 1007 }],
  ])('with %s is closed with the code for it', async (_name, { frame, byte, bit, code }) => {
    const gateway = await openGateway();
    await submitJob(gateway.url, submission);
    const session = await recordSession(gateway);
    const at = (frameOffsets(session)[frame] ?? 0) + byte;
    expect(closeCodeOf(await replay(gateway.port, flipped(session, at, bit), 'end'))).toBe(code);
  });

  it('that is slow is as good as any', async () => {
    const gateway = await openGateway();
    const proxy = await openProxy(gateway.url);
    proxy.setFault(() => ({ kind: 'delay', delayMs: 5 }));
    const job = await submitJob(gateway.url, submission);
    const { worker, spec, lease } = await leased(proxy.url, 'far-away');
    worker.send(resultFor(lease, spec));
    expect(await worker.next('committed')).toMatchObject({ tile: lease.tile, outcome: 'new' });
    worker.close();
    await endsWell(gateway, job);
  });
});

describe('a result of a trusted worker with a bit of its body flipped on the way', () => {
  it('ends the connection, whichever bit it is, and the tile goes to somebody else', async () => {
    const gateway = await openGateway();
    const job = await submitJob(gateway.url, submission);
    for (let bit = 0; bit < 24; bit++) {
      const { worker, spec, lease } = await leased(gateway.url, `worker-${bit}`);
      const result = resultFor(lease, spec);
      const frame = Buffer.from(encodeMessage(result));
      const at = frame.indexOf(result.body) + Math.floor((bit * result.body.length) / 24);
      worker.sendRaw(flipped(frame, at, bit % 8));
      expect((await worker.closed).code).toBe(1008);
    }
    await endsWell(gateway, job);
  });
});
