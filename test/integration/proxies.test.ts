/** A gateway behind proxies that it believes: whom limits count, and what it asks for first. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { proxyList } from '../../coordinator/gateway/client-address.ts';
import { issueToken, newTokenKey, type TokenKeys, type TokenScope } from '../../coordinator/tokens.ts';
import { connectionsPerNetworkMax } from '../../src/core/limits.ts';
import { connectRaw, joinRaw, type RawWorker } from '../support/raw-worker.ts';
import { openTestGateway, type TestGateway } from '../support/test-gateway.ts';
import { runTombola } from '../support/tombola-process.ts';

const keys: TokenKeys = { current: newTokenKey(), previous: null };

/** The headers with which a proxy hands on what comes from an address. */
function from(address: string, scope: TokenScope): Record<string, string> {
  const token = issueToken(keys, { scope, ttlMs: 3_600_000 }, Date.now());
  return { authorization: `Bearer ${token}`, 'x-forwarded-for': address };
}

describe('a gateway behind a proxy', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await openTestGateway({ keys, volunteers: true, proxies: proxyList(['127.0.0.1']) });
  });
  afterAll(async () => {
    await gateway.close();
  });

  it('counts joins for the networks that they come from', async () => {
    const join = async (address: string): Promise<number> =>
      (await fetch(`${gateway.url}/join`, { method: 'POST', headers: { 'x-forwarded-for': address } }))
        .status;
    const statuses = new Set<number>();
    for (let k = 0; k <= 40; k++) statuses.add(await join('203.0.113.7'));
    expect(statuses).toEqual(new Set([201, 429]));
    expect(await join('198.51.100.1')).toBe(201);
    expect(await join('198.51.100.1, 203.0.113.8'), 'what a client says itself does not count').toBe(429);
  });

  it('counts connections for the networks that they come from', async () => {
    const opened: RawWorker[] = [];
    const openAll = async (): Promise<void> => {
      // The limit on how many come in a second refuses one of them, or that on how many there are: a slow machine reaches that one.
      for (let k = 0; k <= connectionsPerNetworkMax; k++)
        opened.push(await connectRaw(gateway.url, from('192.0.2.1', 'worker')));
    };
    await expect(openAll()).rejects.toThrow(/429/);
    expect(opened.length).toBeGreaterThanOrEqual(200);
    opened.push(await connectRaw(gateway.url, from('198.51.100.2', 'worker')));
    for (const worker of opened) worker.close();
  });

  it('shows where a worker comes from, which one without proxies takes from nobody', async () => {
    const other = await openTestGateway({ keys });
    for (const [{ url }, address] of [
      [gateway, '203.0.113.7'],
      [other, '127.0.0.1'],
    ] as const) {
      const worker = await joinRaw(url, { workerId: 'forwarded' }, from('203.0.113.7', 'worker'));
      const listed = await fetch(`${url}/api/workers`, { headers: from('', 'read') });
      const { workers } = (await listed.json()) as { workers: { worker: string; address: string }[] };
      expect(workers.filter(({ worker }) => worker.includes('forwarded'))).toMatchObject([{ address }]);
      worker.close();
    }
    await other.close();
  });

  it('does not start without tokens', async () => {
    await expect(openTestGateway({ proxies: proxyList(['127.0.0.1']) })).rejects.toThrow(
      /^Cannot believe proxies without tokens.*tombola token/,
    );
  });
});

describe.each(['serve', 'node'])('tombola %s', (command) => {
  it.each([
    [
      'a proxy that is none',
      '10.0.0.1,10.0.0.0/33',
      /^Cannot believe the proxy "10\.0\.0\.0\/33": expected .*\n$/,
    ],
    ['a proxy and no tokens', '10.0.0.1,10.0.0.0/8', /^Cannot believe proxies without tokens: .*\n$/],
  ])('refuses %s in one line', async (_, proxies, message) => {
    const folder = mkdtempSync(join(tmpdir(), 'tombola-proxies-'));
    const args = [command, '--data', 'data', '--port', '0', '--threads', '1', '--proxy', proxies];
    const result = await runTombola(args, folder);
    expect(result).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(message) });
    rmSync(folder, { recursive: true, force: true });
  });
});
