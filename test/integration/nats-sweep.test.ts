/** What is left behind in NATS servers and in gateways: that it goes, and that nothing else does. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { JobClaims } from '../../coordinator/cluster/job-claims.ts';
import { progressTeller } from '../../coordinator/cluster/jobs-follower.ts';
import { openCells } from '../../coordinator/engine/nats/cells.ts';
import { type NatsLink, openNatsLink, parseNatsAddress } from '../../coordinator/engine/nats/connection.ts';
import { signalsOf } from '../../coordinator/engine/nats/signals.ts';
import { hasNats, type NatsServers, startNats } from '../support/nats-servers.ts';
import { until } from '../support/until.ts';

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
