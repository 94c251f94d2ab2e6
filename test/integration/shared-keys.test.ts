/** The keys of access tokens in an engine that coordinators share, over a real NATS server. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openSharedKeys } from '../../coordinator/cluster/shared-keys.ts';
import { checkToken, issueToken, type TokenKeys } from '../../coordinator/tokens.ts';
import { changeSharedKeys, followSharedKeys } from '../../src/cli/remote/shared-token-keys.ts';
import { firstKeys, rotatedKeys } from '../../src/cli/remote/stored-keys.ts';
import { clearNats } from '../support/nats-place.ts';
import { hasNats, type NatsServers, startNats } from '../support/nats-servers.ts';
import { until } from '../support/until.ts';

describe.skipIf(!hasNats)('keys in an engine', () => {
  let nats: NatsServers;
  const closers: (() => unknown)[] = [];
  beforeAll(async () => {
    nats = await startNats(1);
  });
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
    await clearNats(nats.url);
  });
  afterAll(() => nats?.close());

  const engine = () => ({ address: nats.url, replicas: 1, monitors: null });
  const troubles: string[] = [];

  async function follow(isNeeded: boolean): Promise<TokenKeys | null> {
    const followed = await followSharedKeys(engine(), {
      isNeeded,
      onTrouble: (reason) => troubles.push(reason),
    });
    closers.push(() => followed.close());
    return followed.keys;
  }

  it('are made where they are needed, and are the same for all', async () => {
    expect(await follow(false)).toBeNull();
    const [one, other] = await Promise.all([follow(true), follow(true)]);
    expect(one?.current).toEqual(other?.current);
    expect((await follow(false))?.current).toEqual(one?.current);
    expect((await changeSharedKeys(engine(), (keys = firstKeys()) => keys)).current).toEqual(one?.current);
  });

  it('are followed through a rotation, and the previous one ends a day after it', async () => {
    const keys = await follow(true);
    if (keys === null) throw new Error('no keys were made');
    const first = keys.current.id;
    const token = issueToken(keys, { scope: 'read', ttlMs: 60_000 }, Date.now());
    await changeSharedKeys(engine(), (stored = firstKeys()) => rotatedKeys(stored));
    await until(() => keys.current.id !== first);
    expect(checkToken(keys, token, Date.now())).toMatchObject({ scope: 'read' });
    const dayMs = 24 * 3600 * 1000;
    await changeSharedKeys(engine(), (stored = firstKeys()) => ({
      ...stored,
      rotatedAtMs: stored.rotatedAtMs - dayMs,
    }));
    await until(() => keys.previous === null);
    expect(checkToken(keys, token, Date.now())).toBeNull();
  });

  it('stay as they were where they are damaged, and are not written over', async () => {
    const keys = await follow(true);
    const id = keys?.current.id;
    const shared = await openSharedKeys(engine());
    closers.push(() => shared.close());
    const text = await shared.read();
    for (const damaged of ['{}', text.slice(0, -4), text.replace(/"secret":"[^"]*"/, '"secret":""')]) {
      troubles.length = 0;
      await shared.read();
      await shared.write(damaged);
      await until(() => troubles.length > 0);
      expect(troubles[0]).toMatch(/^Cannot read the keys in the engine: they are damaged/);
      expect(keys?.current.id).toBe(id);
      await expect(follow(true)).rejects.toThrow(/damaged/);
      await expect(changeSharedKeys(engine(), () => firstKeys())).rejects.toThrow(/damaged/);
      expect(await shared.read()).toBe(damaged);
    }
  });
});
