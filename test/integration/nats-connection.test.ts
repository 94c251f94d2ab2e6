/** The way to NATS servers: how they are named, which are refused, and that the connection stays. */
import { createServer, type Server } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { checkEngine } from '../../coordinator/cluster/cluster.ts';
import { openNatsLink, parseNatsAddress } from '../../coordinator/engine/nats/connection.ts';
import { checkServers, monitorsOf } from '../../coordinator/engine/nats/server-check.ts';
import { followSharedKeys } from '../../src/cli/remote/shared-token-keys.ts';
import { hasNats, isRecentNats, type NatsServers, startNats } from '../support/nats-servers.ts';
import { until } from '../support/until.ts';

describe('the address of an engine', () => {
  it('has servers, perhaps a name and a password, and encryption where asked for', () => {
    expect(parseNatsAddress('nats://a')).toEqual({
      servers: ['a:4222'],
      user: undefined,
      password: undefined,
      isEncrypted: false,
    });
    expect(parseNatsAddress('tls://me:a%40b@a:1,b.example,[::1]:2')).toEqual({
      servers: ['a:1', 'b.example:4222', '[::1]:2'],
      user: 'me',
      password: 'a@b',
      isEncrypted: true,
    });
    expect(monitorsOf(['a:4222', '[::1]:2'])).toEqual(['http://a:8222', 'http://[::1]:8222']);
  });

  it.each([
    '',
    'a:4222',
    'http://a',
    'nats://',
    'nats://a,,b',
    'nats://a:99999',
    'nats://a b',
    'nats://x@y@z',
    'nats://u:%@a',
    'nats://%zz:p@a',
  ])('is not %j', (text) => {
    expect(() => parseNatsAddress(text)).toThrow(/^Cannot use the engine .*expected nats:/);
  });

  it.each([
    'nats://me:secret@a:b',
    'nats://me:s@secret@a',
    'nats://me:s/secret@a',
    'nats://me:s://secret@a',
    'me:secret@a',
    'nats://me:%secret@a',
  ])('is never shown with its password: %s', (text) => {
    expect(() => parseNatsAddress(text)).toThrow(/^Cannot use the engine (?!.*secret)(?!.*me:)/);
  });
});

it('servers that have just started are waited for until they have found each other', async () => {
  let asked = 0;
  const answer = (path: string, name: string): object =>
    path === '/varz'
      ? { server_name: name, version: '2.10.27', jetstream: { config: { sync_always: true } } }
      : { meta_cluster: { cluster_size: asked++ < 3 ? 2 : 3 } };
  const servers = ['a', 'b', 'c'].map((name) =>
    createServer(({ url = '' }, response) => response.end(JSON.stringify(answer(url, name)))),
  );
  const monitors = await Promise.all(servers.map(urlOf));
  const engine = { address: 'nats://a,b,c', replicas: 3, monitors };
  try {
    const troubles: string[] = [];
    expect(await checkEngine(engine, (reason) => troubles.push(reason))).toEqual([]);
    expect(asked).toBe(6);
    expect(troubles).toEqual([expect.stringMatching(/^Cannot keep 3 replicas: .* waiting for them/)]);
    // Two that say that they are two will not be three.
    asked = -100;
    const two = { ...engine, monitors: monitors.slice(0, 2) };
    await expect(checkEngine(two, () => undefined)).rejects.toThrow(
      /^Cannot keep 3 replicas: the NATS cluster has 2 servers/,
    );
  } finally {
    for (const server of servers) server.close();
  }
});

/** Resolves with the URL of a server that listens on loopback. */
async function urlOf(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return typeof address === 'object' && address !== null ? `http://127.0.0.1:${address.port}` : '';
}

describe.skipIf(!hasNats)('a NATS server', () => {
  let nats: NatsServers;
  const closers: (() => unknown)[] = [];
  beforeAll(async () => {
    nats = await startNats(1);
  });
  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
  });
  afterAll(async () => {
    await nats?.close();
  });

  it('keeps its connections though it lets nobody in for a while', async () => {
    const own = await startNats(1);
    closers.push(() => own.close());
    const [server] = own.servers;
    const restart = async (password: string): Promise<void> => {
      await server?.kill();
      await server?.start(password);
    };
    await restart('right');
    await own.ready();
    await expect(openNatsLink(parseNatsAddress(own.url))).rejects.toThrow(/^Cannot reach the engine/);
    const known = await openNatsLink(parseNatsAddress(own.url.replace('//', '//tombola:right@')));
    closers.push(() => known.close());
    const told: string[] = [];
    void (async () => {
      for await (const { type } of known.connection.status()) told.push(type);
    })();
    const { connection } = known;
    const hear = (type: string, count: number): Promise<void> =>
      until(() => connection.isClosed() || told.filter((one) => one === type).length >= count);
    await restart('other');
    await hear('error', 3);
    await restart('right');
    await hear('reconnect', 1);
    expect(connection.isClosed()).toBe(false);
  });

  it.skipIf(!isRecentNats)(
    'relies on servers that sync, and are as many as replicas are wanted',
    async () => {
      await checkServers({ monitors: nats.monitors, replicas: 1 });
      await expect(checkServers({ monitors: nats.monitors, replicas: 3 })).rejects.toThrow(
        /^Cannot keep 3 replicas: the NATS cluster has 1 server.*--engine-replicas 1/,
      );
    },
  );

  it('refuses to rely on servers that cannot be asked, or do not sync', async () => {
    const [monitor = ''] = nats.monitors;
    const closed = monitor.replace(/\d+$/, '1');
    await expect(checkServers({ monitors: [closed], replicas: 1 })).rejects.toThrow(
      /^Cannot ask the NATS server/,
    );
    const lazy = await startNats(1, { syncs: false });
    closers.push(() => lazy.close());
    const reason = isRecentNats
      ? /power failure loses.*sync_interval: always/
      : /its version is .*expected 2\.10\.23/;
    await expect(checkServers({ monitors: lazy.monitors, replicas: 1 })).rejects.toThrow(reason);
    // Nor are keys written there.
    const engine = { address: lazy.url, replicas: 1, monitors: lazy.monitors };
    await expect(followSharedKeys(engine, { isNeeded: true, onTrouble: () => undefined })).rejects.toThrow(
      reason,
    );
    const own = await openNatsLink(parseNatsAddress(lazy.url));
    closers.unshift(() => own.close());
    expect(await own.manager.streams.names().next()).toEqual([]);
  });
});
