/** Jobs and other records that several coordinators change, over a real NATS server: who may change them, and who hears of it. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { StoredJob } from '../../coordinator/engine/engine.ts';
import { openCells } from '../../coordinator/engine/nats/cells.ts';
import { type NatsLink, openNatsLink, parseNatsAddress } from '../../coordinator/engine/nats/connection.ts';
import { type NatsEngine, openNatsEngine } from '../../coordinator/engine/nats/nats-engine.ts';
import { natsWritesMax } from '../../src/core/limits.ts';
import { hasNats, type NatsServers, startNats } from '../support/nats-servers.ts';
import { until } from '../support/until.ts';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

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

  describe('what watches cells', () => {
    it('is told again what it could not take, and not kept from the rest', async () => {
      const troubles: string[] = [];
      const own = await openCells(link, {
        bucket: 'watched',
        replicas: 1,
        onTrouble: (reason) => troubles.push(reason),
      });
      await own.put('bad', bytesOf('1'));
      await own.put('good', bytesOf('1'));
      const told: string[] = [];
      let isFull = true;
      const stop = await own.watch('*', (key) => {
        if (key === 'bad' && isFull) throw new Error('no space left');
        told.push(key);
      });
      closers.push(stop);
      await until(() => told.includes('good'));
      isFull = false;
      await until(() => told.includes('bad'));
      expect(troubles[0]).toMatch(/bad.*no space left/);
      await own.put('late', bytesOf('1'));
      await until(() => told.includes('late'));
    });

    it('hears of what changes after the engine has ended the watch', async () => {
      const own = await openNatsLink(parseNatsAddress(nats.url));
      closers.push(() => own.close());
      const { consumers } = own.client;
      const endings: (() => void)[] = [];
      const open = consumers.getPushConsumer.bind(consumers);
      consumers.getPushConsumer = async (...asked) => {
        const consumer = await open(...asked);
        const consume = consumer.consume.bind(consumer);
        consumer.consume = async (...options) => {
          const messages = await consume(...options);
          endings.push(() => messages.stop());
          return messages;
        };
        return consumer;
      };
      const watched = await openCells(own, { bucket: 'watched', replicas: 1 });
      const told: string[] = [];
      closers.push(await watched.watch('*', (key) => told.push(key)));
      await watched.put('before', bytesOf('1'));
      await until(() => told.includes('before'));
      for (const end of endings) end();
      await watched.put('after', bytesOf('1'));
      await until(() => told.includes('after'));
    });
  });

  describe('a job’s record', () => {
    let count = 0;

    function newJob(): (state: StoredJob['state']) => StoredJob {
      const job = `job-${++count}`;
      return (state) => ({ job, request: '{}', state, reason: '', result: '', priority: 0, sequence: 0 });
    }

    async function openEngine(): Promise<NatsEngine> {
      const own = await openNatsLink(parseNatsAddress(nats.url));
      const engine = await openNatsEngine(own, { replicas: 1 });
      closers.push(async () => {
        await engine.close();
        await own.close();
      });
      return engine;
    }

    async function twoEngines(): Promise<[NatsEngine, NatsEngine]> {
      return [await openEngine(), await openEngine()];
    }

    it('stays as another one has made it, however often it is changed on the base of an older one', async () => {
      const [first, second] = await twoEngines();
      const as = newJob();
      const { job } = as('running');
      await first.putJob(as('running'));
      await second.putJob(as('cancelled'));
      for (let attempt = 0; attempt < 2; attempt++)
        await expect(first.putJob(as('done'))).rejects.toMatchObject({ kind: 'failure' });
      expect(await second.storedJob(job)).toEqual(as('cancelled'));
      let seen: string | undefined;
      const stop = await first.followJobs((name, stored) => {
        if (name === job) seen = stored?.state;
      });
      closers.push(stop);
      await until(() => seen === 'cancelled');
      await first.putJob(as('running'));
      expect(await second.storedJob(job)).toEqual(as('running'));
    });

    it('is told at once to who asks for it, and nothing older after that', async () => {
      const [first, second] = await twoEngines();
      const as = newJob();
      const { job } = as('running');
      const told: (string | undefined)[] = [];
      closers.push(await first.followJobs((name, stored) => name === job && told.push(stored?.state)));
      const states = ['running', 'cancelled', 'incomplete', undefined] as const;
      const order: (string | undefined)[] = [...states, 'done'];
      for (const state of states) {
        await (state === undefined ? second.removeJob(job) : second.putJob(as(state)));
        await first.refreshJob(job);
        expect(told.at(-1)).toBe(state);
      }
      await second.putJob(as('done'));
      await until(() => told.at(-1) === 'done');
      const places = told.map((state) => order.indexOf(state));
      expect(places).toEqual([...places].sort());
    });

    it('does not come back where another one has removed it', async () => {
      const [first, second] = await twoEngines();
      const as = newJob();
      const { job } = as('running');
      await first.putJob(as('running'));
      await second.removeJob(job);
      for (let attempt = 0; attempt < 2; attempt++)
        await expect(first.putJob(as('done'))).rejects.toMatchObject({ kind: 'failure' });
      expect(await second.storedJob(job)).toBeUndefined();
    });

    it('is not removed, nor its results, where another one has had it run again', async () => {
      const [first, second] = await twoEngines();
      const as = newJob();
      const { job } = as('running');
      await first.putJob(as('cancelled'));
      await second.putJob(as('running'));
      await second.commitResult(job, 'tile', bytesOf('result'));
      for (let attempt = 0; attempt < 2; attempt++)
        await expect(first.removeJob(job)).rejects.toMatchObject({ kind: 'failure' });
      expect(await second.storedJob(job)).toEqual(as('running'));
      expect(await second.readResult(job, 'tile')).toEqual(bytesOf('result'));
      await second.removeJob(job);
      await second.removeJob(job);
      await second.putJob(as('running'));
      expect(await second.storedJob(job)).toEqual(as('running'));
    });

    it('is told as another one has made it, though the answer to an older change comes later', async () => {
      const own = await openNatsLink(parseNatsAddress(nats.url));
      closers.push(() => own.close());
      const [first, second] = [await openNatsEngine(own, { replicas: 1 }), await openEngine()];
      const as = newJob();
      const { job } = as('running');
      const told: (string | undefined)[] = [];
      closers.push(await first.followJobs((name, stored) => name === job && told.push(stored?.state)));
      const { publish } = own.client;
      own.client.publish = async (...message) => {
        const answer = await publish.apply(own.client, message);
        await second.putJob(as('cancelled'));
        await until(() => told.includes('cancelled'));
        return answer;
      };
      await first.putJob(as('running'));
      own.client.publish = publish;
      expect(told.at(-1)).toBe('cancelled');
      await first.putJob(as('running'));
      expect(await second.storedJob(job)).toEqual(as('running'));
    });

    it('stays as another one has made it, though that was heard while an older change waited for its turn', async () => {
      const own = await openNatsLink(parseNatsAddress(nats.url));
      closers.push(() => own.close());
      const [first, second] = [await openNatsEngine(own, { replicas: 1 }), await openEngine()];
      for (const end of ['done', 'removed'] as const) {
        const as = newJob();
        const { job } = as('running');
        let seen: string | undefined;
        const stop = await first.followJobs((name, stored) => {
          if (name === job) seen = stored?.state;
        });
        await first.putJob(as('running'));
        const { publish } = own.client;
        let letGo = (): void => undefined;
        const held = new Promise<void>((resolve) => {
          letGo = resolve;
        });
        own.client.publish = async (...message) => {
          await held;
          return publish.apply(own.client, message);
        };
        const commits = Array.from({ length: natsWritesMax }, (_, tile) =>
          first.commitResult(job, `tile-${tile}`, bytesOf('result')),
        );
        const change = end === 'done' ? first.putJob(as('done')) : first.removeJob(job);
        const refused = expect(change).rejects.toMatchObject({ kind: 'failure' });
        await second.putJob(as('cancelled'));
        await until(() => seen === 'cancelled');
        letGo();
        own.client.publish = publish;
        await Promise.all([...commits, refused]);
        expect(await second.storedJob(job)).toEqual(as('cancelled'));
        stop();
      }
    });

    it('is not put where another one has put it since it was asked about', async () => {
      const [first, second] = await twoEngines();
      const as = newJob();
      const { job } = as('running');
      await first.refreshJob(job);
      await second.putJob(as('cancelled'));
      await expect(first.putJob(as('running'))).rejects.toMatchObject({ kind: 'failure' });
      expect(await second.storedJob(job)).toEqual(as('cancelled'));
    });

    it('is gone for who was cut off until even its removal was forgotten, and may be put again', async () => {
      const [first, second] = await twoEngines();
      const as = newJob();
      const { job } = as('running');
      let told: StoredJob | null | undefined;
      await second.putJob(as('running'));
      const stop = await first.followJobs((name, stored) => {
        if (name === job) told = stored;
      });
      await until(() => told !== undefined);
      stop();
      await second.removeJob(job);
      const cells = await openCells(link, { bucket: 'tombola-jobs', replicas: 1 });
      for (const removed of await cells.removed()) await cells.forget(removed);
      await first.refreshJob(job);
      expect(told).toBeNull();
      await first.putJob(as('running'));
      expect(await second.storedJob(job)).toEqual(as('running'));
    });

    it('can be changed twice in a row, without waiting for the first answer', async () => {
      const [first, second] = await twoEngines();
      const as = newJob();
      await first.putJob(as('running'));
      await Promise.all([
        first.putJob(as('cancelled')),
        first.putJob(as('running')),
        first.putJob(as('done')),
      ]);
      expect(await second.storedJob(as('done').job)).toEqual(as('done'));
    });

    it('is changed by who has changed it last, even if the answer to that was lost', async () => {
      const own = await openNatsLink(parseNatsAddress(nats.url));
      closers.push(() => own.close());
      const engine = await openNatsEngine(own, { replicas: 1 });
      const as = newJob();
      const { job } = as('running');
      await engine.putJob(as('running'));
      const { publish } = own.client;
      own.client.publish = async (...message) => {
        await publish.apply(own.client, message);
        throw new Error('no answer');
      };
      await expect(engine.putJob(as('cancelled'))).rejects.toMatchObject({ kind: 'failure' });
      own.client.publish = publish;
      expect(await engine.storedJob(job)).toEqual(as('cancelled'));
      await engine.putJob(as('running'));
      expect(await engine.storedJob(job)).toEqual(as('running'));
    });
  });
});
