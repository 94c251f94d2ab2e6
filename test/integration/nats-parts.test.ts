/** The parts that gateways share, over a real NATS server: who drives what, who is up, keys, the queue. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { GatewayList } from '../../coordinator/cluster/gateway-list.ts';
import { JobClaims } from '../../coordinator/cluster/job-claims.ts';
import { LeaseKeys } from '../../coordinator/cluster/lease-keys.ts';
import { Quarantines } from '../../coordinator/cluster/quarantines.ts';
import { type Cells, openCells } from '../../coordinator/engine/nats/cells.ts';
import { type NatsLink, openNatsLink, parseNatsAddress } from '../../coordinator/engine/nats/connection.ts';
import { openNatsEngine } from '../../coordinator/engine/nats/nats-engine.ts';
import { openObjectBlobs } from '../../coordinator/engine/nats/object-blobs.ts';
import { openResultStream } from '../../coordinator/engine/nats/result-stream.ts';
import { openWorkStream, type WorkStream } from '../../coordinator/engine/nats/work-stream.ts';
import { leaseToken } from '../../coordinator/tokens.ts';
import { gatewaySilentMs, natsBlobGraceMs, natsPieceBytes } from '../../src/core/limits.ts';
import { ageNatsBlob } from '../support/nats-place.ts';
import { hasNats, isRecentNats, type NatsServers, startNats } from '../support/nats-servers.ts';
import { until } from '../support/until.ts';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

describe.skipIf(!hasNats)('over a NATS server', () => {
  let nats: NatsServers;
  let link: NatsLink;
  let cells: Cells;
  const closers: (() => unknown)[] = [];
  beforeAll(async () => {
    nats = await startNats(1);
    link = await openNatsLink(parseNatsAddress(nats.url));
    cells = await openCells(link, { bucket: 'parts', replicas: 1 });
  });
  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
  });
  afterAll(async () => {
    await link?.close();
    await nats?.close();
  });

  describe('a cell', () => {
    it('is set by whoever has seen its latest value, and by nobody else', async () => {
      const first = await cells.set('cas', bytesOf('one'), 0);
      expect(await cells.set('cas', bytesOf('two'), 0)).toBeNull();
      const second = await cells.set('cas', bytesOf('two'), first ?? 0);
      expect(await cells.set('cas', bytesOf('three'), first ?? 0)).toBeNull();
      expect(await cells.read('cas')).toMatchObject({ value: bytesOf('two'), revision: second });
      await cells.remove('cas', first ?? 0);
      expect(await cells.read('cas')).toBeDefined();
      await cells.remove('cas', second ?? 0);
      expect(await cells.read('cas')).toBeUndefined();
      expect(await cells.set('cas', bytesOf('anew'), 0)).not.toBeNull();
    });
  });

  describe('an object', () => {
    const bytes = new Uint8Array(3 * natsPieceBytes).map((_, k) => k * k);

    it('is none where its pieces are gone, and is put again', async () => {
      const objects = await openObjectBlobs(link, { replicas: 1, silenceMs: 20 });
      const sha256 = await objects.put(bytes, 60_000);
      await link.manager.streams.purge('OBJ_tombola-blobs', { filter: '$O.tombola-blobs.C.*' });
      expect(await objects.read(sha256)).toBeUndefined();
      await objects.put(bytes, 60_000);
      expect(Buffer.compare((await objects.read(sha256)) ?? bytesOf(''), bytes)).toBe(0);
    });

    it('is not taken for damaged where its pieces only do not come: a result stays', async () => {
      const own = await openNatsLink(parseNatsAddress(nats.url));
      closers.push(() => own.close());
      const objects = await openObjectBlobs(own, { replicas: 1, silenceMs: 20 });
      const results = await openResultStream(own, { replicas: 1, large: objects.large });
      await results.commit('slow', 'tile', bytes);
      const { consumers } = own.client;
      const { getPushConsumer } = consumers;
      consumers.getPushConsumer = (stream) =>
        getPushConsumer.call(consumers, stream, { filter_subjects: '$O.tombola-blobs.C.none' });
      await expect(results.read('slow', 'tile')).rejects.toMatchObject({
        kind: 'failure',
        message: expect.stringMatching(/silent/),
      });
      consumers.getPushConsumer = getPushConsumer;
      expect(Buffer.compare((await results.read('slow', 'tile')) ?? bytesOf(''), bytes)).toBe(0);
    });
  });

  describe('a claim', () => {
    /** Claims with a clock that the test moves. */
    function gateway(name: string): { claims: JobClaims; clock: { nowMs: number } } {
      const clock = { nowMs: 0 };
      const claims = new JobClaims({
        cells,
        gateway: name,
        claimMs: 60_000,
        nowMs: () => clock.nowMs,
        onFree: () => undefined,
        hasOthers: () => true,
      });
      closers.push(() => claims.close());
      return { claims, clock };
    }

    it('is one gateway’s until it is released', async () => {
      const [a, b] = [gateway('a'), gateway('b')];
      const attempts = await Promise.all([a.claims.claim('one'), b.claims.claim('one')]);
      const held = attempts.filter((claim) => claim !== null);
      expect(held).toHaveLength(1);
      expect(await gateway('c').claims.claim('one')).toBeNull();
      await held[0]?.release();
      expect(await gateway('c').claims.claim('one')).not.toBeNull();
    });

    it('is taken from a gateway that does not renew it, by the clock of the one who takes', async () => {
      const [a, b] = [gateway('a'), gateway('b')];
      const claim = await a.claims.claim('two');
      expect(await b.claims.claim('two')).toBeNull();
      b.clock.nowMs = 59_000;
      expect(b.claims.isFree('two')).toBe(false);
      expect(await b.claims.claim('two')).toBeNull();
      b.clock.nowMs = 61_000;
      expect(b.claims.isFree('two')).toBe(true);
      expect(await b.claims.claim('two')).not.toBeNull();
      // What the first one still releases is not the second one's.
      await claim?.release();
      expect(await gateway('c').claims.claim('two')).toBeNull();
    });

    it('is left to gateways that drive less, for a moment', async () => {
      const [busy, idle] = [gateway('busy'), gateway('idle')];
      await busy.claims.claim('first');
      expect([busy.claims.isFree('fourth'), idle.claims.isFree('fourth')]).toEqual([false, true]);
      busy.clock.nowMs = 3000;
      expect(busy.claims.isFree('fourth')).toBe(false);
      busy.clock.nowMs = 4000;
      expect(busy.claims.isFree('fourth')).toBe(true);
    });

    it('is lost to its holder when the gateway ends', async () => {
      const a = gateway('a');
      const claim = await a.claims.claim('three');
      expect(claim?.signal.aborted).toBe(false);
      a.claims.close();
      expect(claim?.signal.aborted).toBe(true);
    });
  });

  describe('the list of gateways', () => {
    it('has those that are up, and forgets who leaves or falls silent', async () => {
      const clock = { nowMs: 0 };
      const lists = ['a', 'b'].map((name) => {
        const list = new GatewayList({ cells, gateway: name, nowMs: () => clock.nowMs });
        closers.push(() => list.close());
        return list;
      });
      const [a, b] = lists as [GatewayList, GatewayList];
      for (const list of lists) await list.open();
      a.announce('ws://a');
      b.announce('ws://b');
      await until(() => a.others().length === 1 && b.others().length === 1);
      expect([a.all(), b.all()]).toEqual([
        ['ws://a', 'ws://b'],
        ['ws://b', 'ws://a'],
      ]);
      clock.nowMs = 1e6;
      expect(a.all()).toEqual(['ws://a']);
      clock.nowMs = 0;
      await b.close();
      await until(() => a.others().length === 0);
    });

    it('is rid of who died without a word, also for who comes later', async () => {
      const clock = { nowMs: 0 };
      const open = async (gateway: string): Promise<GatewayList> => {
        const list = new GatewayList({ cells, gateway, nowMs: () => clock.nowMs });
        closers.push(() => list.close());
        await list.open();
        return list;
      };
      await cells.put('gateway.dead', bytesOf('ws://dead'));
      const first = await open('first');
      await until(() => first.others().length === 1);
      clock.nowMs = 5 * gatewaySilentMs;
      first.announce('ws://first');
      await until(async () => (await cells.read('gateway.dead')) === undefined);
      const second = await open('second');
      await until(() => second.others().length > 0);
      expect(second.others()).toEqual(['ws://first']);
    });
  });

  describe('the keys of leases', () => {
    it('are the same at every gateway: a lease of one proves itself to another', async () => {
      const [one, two] = await Promise.all([LeaseKeys.open(cells), LeaseKeys.open(cells)]);
      closers.push(
        () => one.close(),
        () => two.close(),
      );
      const claim = { job: 'j', tile: 'ab'.repeat(32), worker: 'w' };
      const token = leaseToken(one.current(), { ...claim, attempt: 1, expiryMs: Date.now() + 60_000 });
      expect(two.accepts(token, claim)).toBe(true);
      expect(two.accepts(token, { ...claim, worker: 'v' })).toBe(false);
    });

    it('are made anew when they are old, and the ones before stay good', async () => {
      const before = await LeaseKeys.open(cells);
      const old = before.current();
      const claim = { job: 'j', tile: 'ab'.repeat(32), worker: 'w' };
      const token = leaseToken(old, { ...claim, attempt: 1, expiryMs: Date.now() + 60_000 });
      const cell = await cells.read('keys.lease');
      const stored = JSON.parse(new TextDecoder().decode(cell?.value)) as object;
      await cells.put('keys.lease', bytesOf(JSON.stringify({ ...stored, madeAtMs: 0 })));
      const after = await LeaseKeys.open(cells);
      closers.push(
        () => before.close(),
        () => after.close(),
      );
      expect(Buffer.compare(after.current(), old)).not.toBe(0);
      expect(after.accepts(token, claim)).toBe(true);
      // Who was there before hears of the new one.
      const fresh = leaseToken(after.current(), { ...claim, attempt: 1, expiryMs: Date.now() + 60_000 });
      await until(() => before.accepts(fresh, claim));
    });
  });

  describe('a quarantine', () => {
    it('holds at all gateways until it is over, and is forgotten then', async () => {
      const [here, there] = [new Quarantines(cells), new Quarantines(cells)];
      closers.push(
        () => here.close(),
        () => there.close(),
      );
      await Promise.all([here.open(), there.open()]);
      here.tell('token/worker 1', 600_000);
      here.tell('brief', 1);
      await until(() => there.leftMs('token/worker 1') > 500_000);
      expect(there.leftMs('token/worker 2')).toBe(0);
      await until(() => here.leftMs('brief') === 0);
      await until(async () => (await cells.keys()).includes('quarantine.brief'));
      await there.sweep();
      expect((await cells.keys()).filter((key) => key.startsWith('quarantine.'))).toHaveLength(1);
    });
  });

  describe('the queue', () => {
    async function queue(ackMs = 60_000): Promise<WorkStream> {
      const work = await openWorkStream(link, { replicas: 1, ackMs });
      closers.push(() => work.close('job'));
      await work.open('job');
      return work;
    }

    it('gives every item to one of those who ask, once', async () => {
      const work = await queue();
      const tiles = Array.from({ length: 20 }, (_, k) => `t${k}`);
      for (const tile of [...tiles, ...tiles]) await work.put('job', tile, bytesOf(tile));
      const pulled = (await Promise.all([work.pull('job', 15), work.pull('job', 15)])).flatMap(
        (some) => some ?? [],
      );
      expect(pulled.map(({ tile }) => tile).sort()).toEqual([...tiles].sort());
      expect(pulled.map(({ item }) => new TextDecoder().decode(item))).toEqual(
        pulled.map(({ tile }) => tile),
      );
      expect(await work.pull('job', 1)).toEqual([]);
      for (const { done } of pulled) done();
      await until(async () => (await work.waiting('job')).size === 0);
    });

    it('gives an item to somebody else when it is given back, or nobody says anything about it', async () => {
      const work = await queue(500);
      await work.put('job', 'back', bytesOf('x'));
      const [first] = (await work.pull('job', 1)) ?? [];
      expect(first).toMatchObject({ tile: 'back', isRepeated: false });
      first?.giveBack();
      const again = await whenPulled(work);
      expect(again).toMatchObject({ tile: 'back', isRepeated: true });
      const third = await whenPulled(work);
      expect(third).toMatchObject({ tile: 'back', isRepeated: true });
      third.done();
      await until(async () => (await work.waiting('job')).size === 0);
    });

    it('finds an item that somebody holds, and lets it be done with', async () => {
      const work = await queue();
      await work.put('job', 'held', bytesOf('x'));
      await work.pull('job', 1);
      const found = await work.find('job', 'held');
      expect(found).toMatchObject({ tile: 'held', item: bytesOf('x') });
      found?.done();
      await until(async () => (await work.waiting('job')).size === 0);
      expect(await work.find('job', 'held')).toBeUndefined();
    });

    it.skipIf(!isRecentNats)(
      'is not there for a job that is not open, and forgets one that is closed',
      async () => {
        const work = await queue();
        expect(await work.pull('other', 1)).toBeNull();
        await work.put('job', 'left', bytesOf('x'));
        expect(await work.jobs()).toEqual(['job']);
        await work.close('job');
        expect([await work.pull('job', 1), await work.jobs(), (await work.waiting('job')).size]).toEqual([
          null,
          [],
          0,
        ]);
      },
    );

    async function whenPulled(
      work: WorkStream,
    ): Promise<NonNullable<Awaited<ReturnType<WorkStream['pull']>>>[0]> {
      for (;;) {
        const [delivery] = (await work.pull('job', 1)) ?? [];
        if (delivery !== undefined) return delivery;
      }
    }
  });

  describe('a blob that waits for its job', () => {
    it('is left alone after it was put, also when it was there for long', async () => {
      const [here, there] = [
        await openNatsEngine(link, { replicas: 1 }),
        await openNatsEngine(link, { replicas: 1 }),
      ];
      const sha256 = await here.putBlob(bytesOf('a network'));
      expect(await there.blobs()).toEqual([]);
      await ageNatsBlob(nats.url, sha256, 2 * natsBlobGraceMs);
      expect(await there.blobs()).toEqual([sha256]);
      await here.putBlob(bytesOf('a network'));
      expect(await there.blobs()).toEqual([]);
      // It may have been listed before it was put again.
      await there.removeBlob(sha256);
      expect(await there.readBlob(sha256)).toEqual(bytesOf('a network'));
      await ageNatsBlob(nats.url, sha256, 2 * natsBlobGraceMs);
      await there.removeBlob(sha256);
      expect(await here.readBlob(sha256)).toBeUndefined();
    });
  });

  it('refuses streams with fewer replicas than wanted', async () => {
    await openNatsEngine(link, { replicas: 1 });
    await expect(openNatsEngine(link, { replicas: 3 })).rejects.toThrow(
      /^Cannot use the stream .* keeps 1 replicas, expected 3/,
    );
  });
});
