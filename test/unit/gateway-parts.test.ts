import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ledgerTile } from '../../coordinator/gateway/asked-tiles.ts';
import { Backlog } from '../../coordinator/gateway/backlog.ts';
import { checkListenAddress } from '../../coordinator/gateway/listen-address.ts';
import { openLog } from '../../coordinator/gateway/log.ts';
import { isLoopback, networkOf } from '../../coordinator/gateway/network-of.ts';
import { banMs, Offences } from '../../coordinator/gateway/offences.ts';
import { TokenBucket } from '../../coordinator/gateway/token-bucket.ts';
import { bufferedBytesHardMax, bufferedBytesMax, bufferedMsMax } from '../../src/core/limits.ts';
import type { LayerProblem, Tile } from '../../src/core/plan/tile.ts';
import { tileBlocksFor } from '../../src/core/plan/tiles.ts';
import { linkedTransports } from '../../src/core/protocol/transport.ts';
import { gatewayUrl, needsMask } from '../../worker/node/web-socket.ts';
import { layerAndTile } from '../support/layer-problems.ts';

describe('a tile as the ledger knows it', () => {
  it('has the blocks of the rows that are wanted, and the time they should take', () => {
    const [[problem, tile]] = fc.sample(layerAndTile, { numRuns: 1, seed: 1 }) as [[LayerProblem, Tile]];
    const wanted = tile.neurons.reduce((sum, neuron) => sum + neuron.wanted, 0);
    const { blocks, expectedMs = 0, ...named } = ledgerTile({ problem, problemDigest: 'd', tile });
    expect(named).toEqual({ tile: tile.id });
    expect(blocks).toBe(wanted * (problem.groupChannels.length * problem.taps + 1));
    expect(tileBlocksFor(problem, { kind: 'seconds', seconds: expectedMs / 1000 })).toBe(blocks);
  });
});

describe('a token bucket', () => {
  it('never gives more than its burst and its rate allow', () => {
    const steps = fc.array(fc.tuple(fc.nat(2000), fc.nat(20)), { maxLength: 100 });
    fc.assert(
      fc.property(steps, (taken) => {
        const bucket = new TokenBucket({ perSecond: 10, burst: 30 }, 0);
        let [now, given] = [0, 0];
        for (const [waitMs, count] of taken) {
          now += waitMs;
          if (bucket.take(count, now)) given += count;
          expect(given).toBeLessThanOrEqual(30 + now / 100 + 1e-9);
        }
      }),
    );
  });

  it('is full again after a while', () => {
    const bucket = new TokenBucket({ perSecond: 10, burst: 30 }, 0);
    expect(bucket.take(30, 0)).toBe(true);
    expect(bucket.take(1, 50)).toBe(false);
    expect(bucket.isFull(2999)).toBe(false);
    expect(bucket.isFull(3050)).toBe(true);
  });
});

describe('a backlog', () => {
  it('may be large for a while: a first grant is sent at once', () => {
    const backlog = new Backlog();
    for (let waiting = 0; waiting <= 64 * 600_000; waiting += 600_000)
      expect(backlog.isTooMuch(waiting, 0)).toBe(false);
    expect(backlog.isTooMuch(bufferedBytesMax + 1, bufferedMsMax)).toBe(false);
  });

  it('is too much when it has not drained in time, and the time starts anew when it has', () => {
    const backlog = new Backlog();
    expect(backlog.isTooMuch(bufferedBytesMax + 1, 0)).toBe(false);
    expect(backlog.isTooMuch(bufferedBytesMax, bufferedMsMax)).toBe(false);
    expect(backlog.isTooMuch(bufferedBytesMax + 1, bufferedMsMax + 1)).toBe(false);
    expect(backlog.isTooMuch(bufferedBytesMax + 1, 2 * bufferedMsMax + 1)).toBe(false);
    expect(backlog.isTooMuch(bufferedBytesMax + 1, 2 * bufferedMsMax + 2)).toBe(true);
  });

  it('is too much at once above the hard limit', () => {
    expect(new Backlog().isTooMuch(bufferedBytesHardMax, 0)).toBe(false);
    expect(new Backlog().isTooMuch(bufferedBytesHardMax + 1, 0)).toBe(true);
  });
});

describe('offences', () => {
  const volunteer = { scope: 'volunteer', id: 'v' } as const;

  it('shut a volunteer out after three, until one is forgiven', () => {
    const offences = new Offences();
    for (let k = 0; k < 3; k++) {
      expect(offences.isBanned(volunteer, 0)).toBe(false);
      offences.count(volunteer, 0);
    }
    expect(offences.isBanned(volunteer, banMs - 1)).toBe(true);
    expect(offences.isBanned({ ...volunteer, id: 'other' }, 0)).toBe(false);
    expect(offences.isBanned(volunteer, banMs)).toBe(false);
    offences.count(volunteer, banMs);
    expect(offences.isBanned(volunteer, banMs)).toBe(true);
  });

  it('are not counted for workers that share a token', () => {
    const offences = new Offences();
    for (let k = 0; k < 9; k++) offences.count({ scope: 'worker', id: 'all' }, 0);
    expect(offences.isBanned({ scope: 'worker', id: 'all' }, 0)).toBe(false);
  });
});

describe('networks', () => {
  it.each([
    ['192.0.2.77', '192.0.2'],
    ['::ffff:192.0.2.77', '192.0.2'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:db8:1:2::9', '2001:db8:1:2'],
    ['2001:db8::1', '2001:db8:0:0'],
    ['fe80::1%eth0', 'fe80:0:0:0'],
  ])('%s is in %s', (address, network) => {
    expect(networkOf(address)).toBe(network);
  });

  it.each(['127.0.0.1', '127.9.9.9', '::1', '0:0:0:0:0:0:0:1', '[::1]', 'localhost', '::ffff:127.0.0.1'])(
    '%s is this machine alone',
    (host) => {
      expect(isLoopback(host)).toBe(true);
    },
  );

  it.each(['0.0.0.0', '::', '10.0.0.1', '1.127.0.0', 'localhost.example', '127.0.0.1.example', '', '::2'])(
    '%j is not',
    (host) => {
      expect(isLoopback(host)).toBe(false);
    },
  );
});

describe('an address to listen on', () => {
  const safe = {
    host: '10.0.0.1',
    port: 1,
    hasKeys: true,
    isEncrypted: true,
    insecure: false,
    isProxied: true,
  };
  it('beyond this machine needs keys, and encryption or a word', () => {
    expect(() => checkListenAddress(safe)).not.toThrow();
    expect(() => checkListenAddress({ ...safe, isEncrypted: false, insecure: true })).not.toThrow();
    expect(() => checkListenAddress({ ...safe, isEncrypted: false })).toThrow(/--insecure/);
    expect(() => checkListenAddress({ ...safe, hasKeys: false })).toThrow(/tombola token/);
    expect(() => checkListenAddress({ ...safe, hasKeys: false, insecure: true })).toThrow(/tombola token/);
  });

  it('behind a proxy needs keys, on this machine too', () => {
    const own = { ...safe, host: '127.0.0.1' };
    expect(() => checkListenAddress(own)).not.toThrow();
    expect(() => checkListenAddress({ ...own, hasKeys: false, isProxied: false })).not.toThrow();
    expect(() => checkListenAddress({ ...own, hasKeys: false })).toThrow(/proxies without tokens/);
  });
});

describe('a gateway’s URL', () => {
  it.each([
    ['http://localhost:1234', 'ws://localhost:1234/ws'],
    ['ws://127.0.0.1:1/', 'ws://127.0.0.1:1/ws'],
    ['https://host.example', 'wss://host.example/ws'],
    ['wss://host.example/behind/proxy', 'wss://host.example/behind/proxy'],
  ])('%s is %s', (text, url) => {
    expect(gatewayUrl(text, { insecure: false })).toBe(url);
  });

  it.each(['', 'host:1', 'ftp://host', 'wss://user:secret@host', 'file:///etc/passwd'])(
    '%j is none',
    (text) => {
      expect(() => gatewayUrl(text, { insecure: true })).toThrow(/expected a URL like https:/);
    },
  );

  it('does not show the password that must not be in it', () => {
    expect(() => gatewayUrl('wss://user:secret@host', { insecure: true })).toThrow(
      expect.not.stringContaining('secret') as unknown as Error,
    );
  });

  it('without encryption beyond this machine needs a word', () => {
    expect(() => gatewayUrl('ws://10.0.0.1:1', { insecure: false })).toThrow(/--insecure/);
    expect(() => gatewayUrl('ws://127.0.0.1.example', { insecure: false })).toThrow(/--insecure/);
    expect(gatewayUrl('ws://10.0.0.1:1', { insecure: true })).toBe('ws://10.0.0.1:1/ws');
  });

  it('has frames masked wherever a proxy may read along, and nowhere else', () => {
    for (const url of ['ws://10.0.0.1:1/ws', 'ws://coordinator.example/ws', 'ws://127.0.0.1.example/ws'])
      expect(needsMask(url), url).toBe(true);
    for (const url of [
      'wss://10.0.0.1:1/ws',
      'ws://127.0.0.1:7878/ws',
      'ws://[::1]:7878/ws',
      'ws://localhost/ws',
    ])
      expect(needsMask(url), url).toBe(false);
  });
});

describe('a log', () => {
  it('keeps an event on one line, whatever is in it, and cuts what is long', () => {
    const lines: string[] = [];
    const log = openLog((line) => lines.push(line));
    log('odd', { text: 'a\nb\u001b[2J\u2028"', long: 'x'.repeat(10_000) });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^\{"time":"[^"]*","event":"odd".*\}\n$/);
    expect(lines[0]?.length).toBeLessThan(500);
    expect(lines[0]?.slice(0, -1)).not.toMatch(/[\p{Cc}\p{Zl}]/u);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ text: 'a\nb\u001b[2J\u2028"' });
  });
});

describe('a log of an event that comes too often', () => {
  it('leaves lines out, and no other event’s', () => {
    const lines: string[] = [];
    const log = openLog((line) => lines.push(line));
    for (let k = 0; k < 10_000; k++) log('refused');
    const written = lines.length;
    expect(written).toBeGreaterThanOrEqual(200);
    expect(written).toBeLessThan(5000);
    log('started');
    expect(lines.at(-1)).toContain('"started"');
  });
});

describe('a link within the process', () => {
  it('delivers in order, never during a call, and nothing after the end', async () => {
    const heard: string[] = [];
    const connect = linkedTransports((far) => ({
      onMessage: (bytes) => {
        heard.push(`far ${bytes[0]}`);
        far.send(Uint8Array.of((bytes[0] ?? 0) + 10));
        if (bytes[0] === 2) far.close(1000, 'enough');
      },
      onClose: (code) => heard.push(`far closed ${code}`),
    }));
    await new Promise<void>((resolve) => {
      const near = connect('', {
        onOpen: () => {
          for (const value of [1, 2, 3]) near.send(Uint8Array.of(value));
          heard.push('sent');
        },
        onMessage: (bytes) => heard.push(`near ${bytes[0]}`),
        onClose: (code, reason) => {
          heard.push(`near closed ${code} ${reason}`);
          resolve();
        },
      });
    });
    expect(heard.indexOf('sent')).toBe(0);
    expect(heard.filter((line) => line.startsWith('far'))).toEqual([
      'far 1',
      'far 2',
      'far 3',
      'far closed 1000',
    ]);
    expect(heard.filter((line) => line.startsWith('near'))).toEqual([
      'near 11',
      'near 12',
      'near closed 1000 enough',
    ]);
  });
});
