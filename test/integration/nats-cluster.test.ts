/** Three NATS servers, some of which are killed: a small share of what `npm run chaos -- --cluster` does. */
import { afterEach, describe, expect, it } from 'vitest';
import { checkServers } from '../../coordinator/engine/nats/server-check.ts';
import { raceCommits, raceUnconfirmed } from '../chaos/nats/commits.ts';
import { hasNats, isRecentNats, startNats } from '../support/nats-servers.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

describe.skipIf(!hasNats)('three NATS servers', () => {
  const options = { tiles: 2000, onStep: () => undefined };

  it('lose nothing that was acknowledged while their leader is killed, and take every tile once', async () => {
    const { kills, acknowledged, duplicates } = await raceCommits({ ...options, committers: 2 });
    expect(kills).toBeGreaterThan(0);
    expect(acknowledged).toBe(4000);
    expect(duplicates).toBeGreaterThanOrEqual(2000);
  });

  it('lose results of a gateway that does not wait for their answer', async () => {
    expect((await raceUnconfirmed(options)).lost).toBeGreaterThan(0);
  });

  it.skipIf(!isRecentNats)('are relied on while one of them is down, not while two are', async () => {
    const { servers, monitors, close } = await startNats(3);
    closers.push(close);
    expect(await checkServers({ monitors, replicas: 3 })).toEqual([]);
    await servers[1]?.kill();
    expect(await checkServers({ monitors, replicas: 3 })).toEqual([monitors[1]]);
    await expect(checkServers({ monitors: monitors.slice(0, 1), replicas: 3 })).rejects.toThrow(
      /^Cannot rely on a NATS cluster of 3 servers of which only 1 were asked/,
    );
    await servers[2]?.kill();
    await expect(checkServers({ monitors, replicas: 3 })).rejects.toThrow(/^Cannot ask the NATS server at/);
  });
});
