/** What is left behind in NATS servers and in gateways: that it goes, and that nothing else does. */
import { Objm } from '@nats-io/obj';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { openCluster } from '../../coordinator/cluster/cluster.ts';
import { JobClaims } from '../../coordinator/cluster/job-claims.ts';
import { progressTeller } from '../../coordinator/cluster/jobs-follower.ts';
import { startSweep } from '../../coordinator/cluster/start-sweep.ts';
import type { StoredJob } from '../../coordinator/engine/engine.ts';
import { openCells } from '../../coordinator/engine/nats/cells.ts';
import { type NatsLink, openNatsLink, parseNatsAddress } from '../../coordinator/engine/nats/connection.ts';
import { openNatsEngine } from '../../coordinator/engine/nats/nats-engine.ts';
import { openObjectBlobs } from '../../coordinator/engine/nats/object-blobs.ts';
import { resultFilter, resultStreamName } from '../../coordinator/engine/nats/result-stream.ts';
import { signalsOf } from '../../coordinator/engine/nats/signals.ts';
import { natsPieceBytes, natsRemovalKnownMs } from '../../src/core/limits.ts';
import { hasNats, type NatsServers, startNats } from '../support/nats-servers.ts';
import { until } from '../support/until.ts';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const bucket = 'tombola-blobs';
const stream = `OBJ_${bucket}`;

describe.skipIf(!hasNats)('over a NATS server', () => {
  let nats: NatsServers;
  let link: NatsLink;
  const closers: (() => unknown)[] = [];
  beforeAll(async () => {
    nats = await startNats(1);
    link = await openNatsLink(parseNatsAddress(nats.url));
  });
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });
  afterAll(async () => {
    await link?.close();
    await nats?.close();
  });

  async function ownLink(): Promise<NatsLink> {
    const own = await openNatsLink(parseNatsAddress(nats.url));
    closers.push(() => own.close());
    return own;
  }

  function stored(job: string): StoredJob {
    return { job, request: '{}', state: 'running', reason: '', result: '', priority: 0, sequence: 0 };
  }

  /** Messages by subject. */
  async function messages(name: string, filter: string): Promise<Record<string, number>> {
    const { state } = await link.manager.streams.info(name, { subjects_filter: filter });
    return state.subjects ?? {};
  }

  const piecesNow = (): Promise<Record<string, number>> => messages(stream, `$O.${bucket}.C.*`);
  const infosNow = (): Promise<Record<string, number>> => messages(stream, `$O.${bucket}.M.*`);

  /** Makes the process believe that it is so much later than it is for the servers. */
  function later(ms: number): void {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + ms });
    closers.push(() => vi.useRealTimers());
  }

  describe('objects', () => {
    const { signal } = new AbortController();
    const isGone = async (): Promise<boolean> => false;
    const now = { olderThanMs: 0, isGone, signal };
    let count = 0;

    function newBytes(): Uint8Array {
      count++;
      return new Uint8Array(3 * natsPieceBytes).map((_, k) => k * k + count);
    }

    beforeAll(async () => {
      await openObjectBlobs(link, { replicas: 1 });
    });
    afterEach(async () => {
      await link.manager.streams.purge(stream);
    });

    it('that two gateways put at once have one set of pieces', async () => {
      const [here, there] = [
        await openObjectBlobs(await ownLink(), { replicas: 1 }),
        await openObjectBlobs(await ownLink(), { replicas: 1 }),
      ];
      const bytes = newBytes();
      const [sha256] = await Promise.all([here.put(bytes, 60_000), there.put(bytes, 60_000)]);
      expect(Object.values(await piecesNow())).toEqual([3]);
      expect(Buffer.compare((await there.read(sha256)) ?? bytesOf(''), bytes)).toBe(0);
    });

    it('leave no trace when they are removed', async () => {
      const objects = await openObjectBlobs(link, { replicas: 1 });
      const sha256 = await objects.put(newBytes(), 60_000);
      await objects.putSpec('job', 'digest', bytesOf('layer'));
      await objects.remove(sha256, 0);
      await objects.removeSpecs('job');
      expect([await infosNow(), await piecesNow()]).toEqual([{}, {}]);
      await objects.remove(sha256, 0);
      expect(await objects.put(newBytes(), 60_000)).not.toBe(sha256);
    });

    it('stay where somebody else puts them while they are removed', async () => {
      const own = await ownLink();
      const [here, there] = [
        await openObjectBlobs(own, { replicas: 1 }),
        await openObjectBlobs(link, { replicas: 1 }),
      ];
      const bytes = newBytes();
      const sha256 = await here.put(bytes, 60_000);
      const { streams } = own.manager;
      const { deleteMessage } = streams;
      let puts = 0;
      streams.deleteMessage = async (...asked) => {
        await there.put(bytes, 0);
        puts++;
        return deleteMessage.apply(streams, asked);
      };
      await here.remove(sha256, 0);
      expect(puts).toBe(1);
      expect(Buffer.compare((await here.read(sha256)) ?? bytesOf(''), bytes)).toBe(0);
    });

    it('lose no piece to a sweep, but pieces that belong to none do once they are old', async () => {
      const objects = await openObjectBlobs(link, { replicas: 1 });
      const bytes = newBytes();
      const sha256 = await objects.put(bytes, 60_000);
      const empty = await objects.put(new Uint8Array(0), 60_000);
      for (let piece = 0; piece < 2; piece++)
        await link.client.publish(`$O.${bucket}.C.dead`, bytesOf('piece'));
      await objects.sweep({ ...now, olderThanMs: 60_000 });
      expect((await piecesNow())[`$O.${bucket}.C.dead`]).toBe(2);
      await objects.sweep(now);
      expect(Object.values(await piecesNow())).toEqual([3]);
      expect(Buffer.compare((await objects.read(sha256)) ?? bytesOf(''), bytes)).toBe(0);
      expect(await objects.read(empty)).toEqual(new Uint8Array(0));
    });

    it('lose no piece either where a replica that lags behind does not list them', async () => {
      const own = await ownLink();
      const objects = await openObjectBlobs(own, { replicas: 1 });
      const bytes = newBytes();
      const sha256 = await objects.put(bytes, 60_000);
      const { consumers } = own.manager;
      const { add } = consumers;
      consumers.add = (name, options) =>
        add.call(consumers, name, { ...options, filter_subject: `$O.${bucket}.M.none` });
      expect(await objects.list(0)).toEqual([sha256]);
      await objects.sweep(now);
      expect(Buffer.compare((await objects.read(sha256)) ?? bytesOf(''), bytes)).toBe(0);
    });

    it('that come to be during a sweep are whole after it', async () => {
      const [own, theirs] = [await ownLink(), await ownLink()];
      const [here, there] = [
        await openObjectBlobs(own, { replicas: 1 }),
        await openObjectBlobs(theirs, { replicas: 1 }),
      ];
      const bytes = newBytes();
      const { publish } = theirs.client;
      let release = (): void => undefined;
      const released = new Promise<void>((resolve) => {
        release = resolve;
      });
      theirs.client.publish = async (...message) => {
        if (message[0].startsWith(`$O.${bucket}.M.`)) await released;
        return publish.apply(theirs.client, message);
      };
      const putting = there.put(bytes, 60_000);
      await until(async () => Object.values(await piecesNow())[0] === 3);
      const { streams } = own.manager;
      const { info } = streams;
      streams.info = async (...asked) => {
        const answer = await info.apply(streams, asked);
        release();
        await putting;
        return answer;
      };
      await here.sweep(now);
      expect(Buffer.compare((await here.read(await putting)) ?? bytesOf(''), bytes)).toBe(0);
    });

    it('that an earlier version removed do not leave their markers', async () => {
      const objects = await openObjectBlobs(link, { replicas: 1 });
      const [kept, gone] = [await objects.put(newBytes(), 60_000), await objects.put(newBytes(), 60_000)];
      await (await new Objm(link.client).open(bucket)).delete(`blob.${gone}`);
      expect(Object.keys(await infosNow())).toHaveLength(2);
      await objects.sweep(now);
      expect(Object.keys(await infosNow())).toHaveLength(1);
      expect(await objects.list(0)).toEqual([kept]);
    });

    it('of jobs that are gone go, those of others stay', async () => {
      const objects = await openObjectBlobs(link, { replicas: 1 });
      const blob = await objects.put(bytesOf('network'), 60_000);
      for (const job of ['here', 'gone', 'go.n']) await objects.putSpec(job, 'digest', bytesOf(job));
      const large = await objects.large.put('gone', bytesOf('result'));
      await objects.sweep({ ...now, isGone: async (job) => job !== 'here' });
      expect(await objects.readSpec('here', 'digest')).toEqual(bytesOf('here'));
      expect(await objects.readSpec('gone', 'digest')).toBeUndefined();
      expect(await objects.readSpec('go.n', 'digest')).toBeUndefined();
      expect(await objects.large.read('gone', large)).toBeUndefined();
      expect(await objects.read(blob)).toEqual(bytesOf('network'));
    });
  });

  describe('results of a removed job', () => {
    const { signal } = new AbortController();

    it('go though they were committed after it was removed; those of other jobs stay', async () => {
      const engine = await openNatsEngine(link, { replicas: 1 });
      for (const job of ['kept', 'removed', 'again']) await engine.putJob(stored(job));
      for (const job of ['removed', 'again']) await engine.removeJob(job);
      await engine.putJob(stored('again'));
      for (const job of ['kept', 'removed', 'again']) await engine.commitResult(job, 'tile', bytesOf(job));
      await engine.sweep(signal);
      for (const job of ['kept', 'again']) expect(await engine.readResult(job, 'tile')).toEqual(bytesOf(job));
      expect(await messages(resultStreamName, resultFilter('removed'))).toEqual({});
    });

    it('stay, old ones too, where it is submitted again before its turn: who drives it may count on them', async () => {
      const own = await ownLink();
      const [here, there] = [
        await openNatsEngine(own, { replicas: 1 }),
        await openNatsEngine(link, { replicas: 1 }),
      ];
      for (const job of ['first', 'second']) {
        await there.putJob(stored(job));
        await there.removeJob(job);
        await there.commitResult(job, 'old', bytesOf('old'));
      }
      const { streams } = own.manager;
      const { purge } = streams;
      streams.purge = async (name, what) => {
        if (what !== undefined && 'filter' in what && what.filter === resultFilter('first'))
          await there.putJob(stored('second'));
        return purge.call(streams, name, what);
      };
      await here.sweep(signal);
      expect(await there.committedTiles('first')).toEqual(new Set());
      expect(await there.committedTiles('second')).toEqual(new Set(['old']));
    });

    it('stay where it is submitted again at that moment', async () => {
      const own = await ownLink();
      const [here, there] = [
        await openNatsEngine(own, { replicas: 1 }),
        await openNatsEngine(link, { replicas: 1 }),
      ];
      const job = 'resubmitted';
      await there.putJob(stored(job));
      await there.removeJob(job);
      await there.commitResult(job, 'old', bytesOf('old'));
      const { streams } = own.manager;
      const { purge } = streams;
      streams.purge = async (name, what) => {
        if (what !== undefined && 'filter' in what && what.filter === resultFilter(job)) {
          await there.putJob(stored(job));
          await there.commitResult(job, 'new', bytesOf('new'));
        }
        return purge.call(streams, name, what);
      };
      later(2 * natsRemovalKnownMs);
      await here.sweep(signal);
      expect(await there.committedTiles(job)).toEqual(new Set(['new']));
      expect(await there.storedJob(job)).toEqual(stored(job));
    });
  });

  it('a gateway that starts sweeps', async () => {
    const engine = await openNatsEngine(link, { replicas: 1 });
    await engine.putJob(stored('swept-at-start'));
    await engine.removeJob('swept-at-start');
    await engine.commitResult('swept-at-start', 'tile', bytesOf('late'));
    const cluster = await openCluster({ address: nats.url, replicas: 1, monitors: null }, () => undefined);
    closers.push(() => cluster.close());
    await until(
      async () => Object.keys(await messages(resultStreamName, resultFilter('swept-at-start'))).length === 0,
    );
  });

  describe('that a cell was removed', () => {
    it('is known for a day, and forgotten by the sweep after', async () => {
      const [engine, cells] = [
        await openNatsEngine(link, { replicas: 1 }),
        await openCells(link, { bucket: 'forgetful', replicas: 1 }),
      ];
      const jobs = await openCells(link, { bucket: 'tombola-jobs', replicas: 1 });
      await engine.putJob(stored('a'));
      await engine.removeJob('a');
      await cells.put('claim.a', bytesOf('g'));
      await cells.put('claim.b', bytesOf('g'));
      await cells.remove('claim.a');
      const removed = async (): Promise<string[]> =>
        [...(await cells.removed()), ...(await jobs.removed())].map(({ key }) => key);
      const sweeping = async (): Promise<void> => {
        let swept = 0;
        const sweep = (signal: AbortSignal): Promise<void> => engine.sweep(signal).then(() => void swept++);
        const counted = { ...cells, removed: () => cells.removed().finally(() => swept++) };
        const stop = startSweep({
          engine: { sweep },
          cells: counted,
          onTrouble: (reason) => expect.unreachable(reason),
        });
        await until(() => swept === 2);
        await stop();
      };
      await sweeping();
      expect(await removed()).toEqual(expect.arrayContaining(['claim.a', 'a']));
      later(natsRemovalKnownMs + 60_000);
      await sweeping();
      expect(await removed()).toEqual([]);
      expect(await cells.keys()).toEqual(['claim.b']);
      expect(await cells.set('claim.a', bytesOf('h'), 0)).not.toBeNull();
    });

    it('is not forgotten of one that is there again', async () => {
      const cells = await openCells(link, { bucket: 'again', replicas: 1 });
      await cells.put('key', bytesOf('1'));
      await cells.remove('key');
      const [removed] = await cells.removed();
      expect(removed).toMatchObject({ key: 'key' });
      const revision = await cells.set('key', bytesOf('2'), 0);
      if (removed !== undefined) await cells.forget(removed);
      expect(await cells.read('key')).toEqual({ value: bytesOf('2'), revision });
      expect(await cells.removed()).toEqual([]);
    });

    it('may be forgotten while it is set: it is set all the same', async () => {
      const own = await ownLink();
      const cells = await openCells(own, { bucket: 'meanwhile', replicas: 1 });
      await cells.put('key', bytesOf('1'));
      await cells.remove('key');
      const [removed] = await cells.removed();
      const { request } = own.connection;
      own.connection.request = async (...asked) => {
        const answer = await request.apply(own.connection, asked);
        if (removed !== undefined && asked[0].includes('STREAM.MSG.GET.KV_meanwhile')) {
          own.connection.request = request;
          await cells.forget(removed);
        }
        return answer;
      };
      expect(await cells.set('key', bytesOf('2'), 0)).not.toBeNull();
      expect(own.connection.request).toBe(request);
      expect(await cells.set('key', bytesOf('3'), 0)).toBeNull();
    });
  });

  describe('a gateway’s memory', () => {
    it('of what it has told of a job lasts a second', async () => {
      let nowMs = 0;
      const signals = signalsOf(link);
      const heard: unknown[] = [];
      closers.push(signals.hear('progress', (message) => heard.push(message)));
      const tell = progressTeller({ signals, gateway: 'g', nowMs: () => nowMs });
      tell('a', 'planning', null);
      for (let k = 0; k < 200; k++) tell(`other ${k}`, 'solving', null);
      nowMs = 999;
      tell('a', 'solving', null);
      nowMs = 1000;
      tell('a', 'verifying', null);
      await until(() => heard.length >= 202);
      expect(heard).toHaveLength(202);
      expect(heard[201]).toMatchObject({ job: 'a', phase: 'verifying' });
    });

    it('of a job that is free ends where it is not asked for it any more', async () => {
      let nowMs = 0;
      const cells = await openCells(link, { bucket: 'claims', replicas: 1 });
      const claims = new JobClaims({
        cells,
        gateway: 'g',
        claimMs: 60_000,
        nowMs: () => nowMs,
        onFree: () => undefined,
        hasOthers: () => true,
      });
      closers.push(() => claims.close());
      await claims.claim('driven');
      expect(claims.isFree('job')).toBe(false);
      nowMs = 4000;
      expect(claims.isFree('job')).toBe(true);
      nowMs += 60_000;
      expect(claims.isFree('job')).toBe(false);
      nowMs += 4000;
      expect(claims.isFree('job')).toBe(true);
    });
  });
});
