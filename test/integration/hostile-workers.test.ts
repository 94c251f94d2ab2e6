/** Peers that lie, flood or speak nonsense: none corrupts a result, none disturbs the others. */
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { encodeNetwork } from '../../src/core/format/network-file.ts';
import { helloFrameBytesMax } from '../../src/core/limits.ts';
import { encodeMessage } from '../../src/core/protocol/codec.ts';
import type { Lease, Result, Spec } from '../../src/core/protocol/messages.ts';
import { activationStep, denseLayer } from '../support/evaluation-networks.ts';
import { defaultOptions } from '../support/in-process-search.ts';
import { submitJob } from '../support/job-client.ts';
import { connectRaw, helloOf, joinRaw, type RawWorker, resultFor } from '../support/raw-worker.ts';
import { openTestGateway, type TestGateway } from '../support/test-gateway.ts';

const relu = activationStep({ kind: 'relu' });
const network = encodeNetwork({
  inputShape: [12],
  inputSteps: [],
  layers: [denseLayer(12, 60, [relu]), denseLayer(60, 3)],
});

let gateway: TestGateway;
/** Stays connected through everything. */
let bystander: RawWorker;
let spec: Spec;
beforeAll(async () => {
  gateway = await openTestGateway({ tileSize: { kind: 'blocks', blocks: 20 } });
  bystander = await joinRaw(gateway.url, { workerId: 'bystander' });
  await submitJob(gateway.url, { network, options: defaultOptions });
  spec = (await lease('first')).spec;
});
afterAll(async () => {
  await gateway.close();
});

/** Returns a fresh worker that has been leased a tile. */
async function lease(workerId: string): Promise<{ worker: RawWorker; spec: Spec; lease: Lease }> {
  const worker = await joinRaw(gateway.url, { workerId });
  worker.send({ kind: 'want', slots: 1 });
  const layer = await worker.next('spec');
  const { leases } = await worker.next('grant');
  return { worker, spec: layer, lease: leases[0] as Lease };
}

async function bystanderIsServed(): Promise<void> {
  bystander.send({ kind: 'beat', holding: [], hidden: false });
  await bystander.next('beat');
}

describe('results', () => {
  it('are acknowledged as new once and as duplicates after that', async () => {
    const { worker, lease: own } = await lease('honest');
    worker.send(resultFor(own, spec));
    expect(await worker.next('committed')).toMatchObject({ tile: own.tile, outcome: 'new' });
    worker.send(resultFor(own, spec));
    expect(await worker.next('committed')).toMatchObject({ tile: own.tile, outcome: 'duplicate' });
    worker.close();
  });

  it('are taken from whoever has them, and then from the one who had the lease as duplicates', async () => {
    const { worker, lease: own } = await lease('slow');
    const other = await joinRaw(gateway.url, { workerId: 'foreign' });
    other.send(resultFor(own, spec));
    expect(await other.next('committed')).toMatchObject({ tile: own.tile, outcome: 'new' });
    worker.send(resultFor(own, spec));
    expect(await worker.next('committed')).toMatchObject({ tile: own.tile, outcome: 'duplicate' });
    worker.close();
    other.close();
  });

  it.each<[string, (result: Result) => Result]>([
    [
      'with random bytes',
      (result) => ({ ...result, body: result.body.map((byte, k) => byte ^ (k * 41 + 7)) }),
    ],
    ['cut short', (result) => ({ ...result, body: result.body.slice(0, -1) })],
    ['with a byte too much', (result) => ({ ...result, body: Uint8Array.of(...result.body, 0) })],
    ['that are empty', (result) => ({ ...result, body: new Uint8Array(0) })],
    ['for which the bits were turned round', (result) => ({ ...result, body: result.body.toReversed() })],
  ])('%s are refused, and the tile goes to somebody else', async (name, forge) => {
    const { worker, lease: own } = await lease(`forger-${name.replace(/\W/g, '')}`);
    worker.send(forge(resultFor(own, spec)));
    expect(await worker.next('refused')).toMatchObject({ tile: own.tile, code: 'residual', retryMs: 0 });
    const other = await joinRaw(gateway.url, { workerId: 'heir' });
    other.send(resultFor(own, spec));
    expect(await other.next('committed')).toMatchObject({ tile: own.tile, outcome: 'new' });
    worker.close();
    other.close();
  });

  it('of another layer, tile or job are refused, each with its code', async () => {
    const { worker, lease: own } = await lease('confused');
    const good = resultFor(own, spec);
    worker.send({ ...good, spec: '0'.repeat(64) });
    expect(await worker.next('refused')).toMatchObject({ code: 'spec', retryMs: 0 });
    worker.send({ ...good, job: 'nobody' });
    expect(await worker.next('refused')).toMatchObject({ job: 'nobody', code: 'unknown-tile', retryMs: 0 });
    worker.send({ ...good, tile: 'f'.repeat(64) });
    const unknown = await worker.next('refused');
    expect(unknown).toMatchObject({ tile: 'f'.repeat(64), code: 'unknown-tile' });
    // The job runs, and might ask for it yet.
    expect(unknown.retryMs).toBeGreaterThan(0);
    worker.close();
  });

  it('of a worker that was caught thrice are not looked at any more', async () => {
    const worker = await joinRaw(gateway.url, { workerId: 'liar' });
    const codes: string[] = [];
    for (let k = 0; k < 4; k++) {
      const { worker: other, lease: own } = await lease(`victim-${k}`);
      worker.send({ ...resultFor(own, spec), body: Uint8Array.of(1, 2, 3) });
      codes.push((await worker.next('refused')).code);
      other.close();
    }
    expect(codes).toEqual(['residual', 'residual', 'residual', 'quarantine']);
    worker.close();
    await bystanderIsServed();
  });
});

describe('frames that no worker sends', () => {
  const deep = Uint8Array.from({ length: 200 }, () => 0x91);
  it.each<[string, Uint8Array | string, number]>([
    ['text', 'hello', 1003],
    ['nothing', new Uint8Array(0), 1007],
    ['no MessagePack', Uint8Array.of(0xc1), 1007],
    ['an extension', Uint8Array.of(0xd4, 0x78, 0), 1007],
    ['deep nesting', deep, 1007],
    ['bytes after the message', Uint8Array.of(...encodeMessage({ kind: 'want', slots: 1 }), 0), 1007],
    ['no message', Uint8Array.of(0x80), 1002],
    ['a gateway’s message', encodeMessage({ kind: 'slow', retryMs: 1 }), 1002],
    ['a hello again', encodeMessage(helloOf()), 1008],
  ])('%s end the connection, and nobody else’s', async (_, data, code) => {
    const worker = await joinRaw(gateway.url);
    worker.sendRaw(data);
    expect((await worker.closed).code).toBe(code);
    await bystanderIsServed();
  });

  it('that are too large for a hello, or for anything, end the connection', async () => {
    const stranger = await connectRaw(gateway.url);
    stranger.sendRaw(new Uint8Array(helloFrameBytesMax + 1));
    expect((await stranger.closed).code).toBe(1009);
    const worker = await joinRaw(gateway.url);
    worker.sendRaw(new Uint8Array(17 << 20));
    expect((await worker.closed).code).toBe(1009);
    await bystanderIsServed();
  });

  it('in a flood end the connection', async () => {
    const worker = await joinRaw(gateway.url);
    for (let k = 0; k < 10_000; k++) worker.send({ kind: 'want', slots: 0 });
    expect(await worker.closed).toMatchObject({ code: 1008, reason: expect.stringMatching(/slow down/) });
    await bystanderIsServed();
  });

  it('count as messages where they are pings', async () => {
    const socket = new WebSocket(`${gateway.url.replace(/^http/, 'ws')}/ws`);
    const closed = once(socket, 'close');
    await once(socket, 'open');
    // One after another: many at once ws ends by itself.
    socket.on('pong', () => socket.ping());
    socket.ping();
    expect((await closed)[0]).toBe(1008);
    await bystanderIsServed();
  });
});

describe('before hello', () => {
  it.each([
    ['another protocol', { protocolMin: 2, protocolMax: 3 }, 'version', 4001],
    ['another kernel', { build: 'a'.repeat(64) }, 'build', 4002],
  ] as const)('%s is refused with advice', async (_, changed, code, closeCode) => {
    const worker = await connectRaw(gateway.url);
    worker.send(helloOf(changed));
    const rejected = await worker.next('reject');
    expect(rejected).toMatchObject({ code, retryMs: 0 });
    expect(rejected.reason).toMatch(/expected .*install the version/);
    expect((await worker.closed).code).toBe(closeCode);
  });

  it('a newer worker that still speaks ours is let in', async () => {
    const worker = await connectRaw(gateway.url);
    worker.send(helloOf({ protocolMin: 1, protocolMax: 9 }));
    expect(await worker.next('welcome')).toMatchObject({ protocol: 1 });
    worker.close();
  });

  it('nothing else may be said', async () => {
    const worker = await connectRaw(gateway.url);
    worker.send({ kind: 'want', slots: 1 });
    expect((await worker.closed).code).toBe(1008);
  });

  it('a connection gets five seconds', async () => {
    const silent = await connectRaw(gateway.url);
    expect(await silent.closed).toEqual({ code: 1008, reason: 'no hello in time' });
    await bystanderIsServed();
  });
});
