import { describe, expect, it } from 'vitest';
import { openJoin } from '../../coordinator/gateway/join.ts';
import { Networks } from '../../coordinator/gateway/networks.ts';
import { searchViewOf, searchViewText } from '../../coordinator/gateway/search-view.ts';
import type { JobStatus } from '../../coordinator/jobs/job-status.ts';
import { checkToken, newTokenKey } from '../../coordinator/tokens.ts';
import { networkCountMax } from '../../src/core/limits.ts';
import { isSearchView } from '../../src/core/protocol/search-view.ts';

const keys = { current: newTokenKey(), previous: null };

/** How many tokens the addresses get, one after the other, at one time. */
function granted(join: ReturnType<typeof openJoin>, addresses: readonly string[], nowMs: number): number {
  return addresses.filter((address) => 'token' in join.mint(address, nowMs)).length;
}

const times = (count: number, address: string): string[] => Array.from({ length: count }, () => address);

describe('joining', () => {
  it('gives tokens for volunteers that are good for a day', () => {
    const joined = openJoin(keys, 0).mint('203.0.113.7', 0);
    if (!('token' in joined)) throw new Error('not let in');
    expect(checkToken(keys, joined.token, Date.now())).toMatchObject({ scope: 'volunteer' });
    expect(checkToken(keys, joined.token, Date.now() + joined.ttlMs + 1000)).toBeNull();
  });

  it('is limited for a network, whichever of its addresses asks, and not for its neighbours', () => {
    const join = openJoin(keys, 0);
    const addresses = Array.from({ length: 100 }, (_, host) => `203.0.113.${host}`);
    expect(granted(join, addresses, 0)).toBe(40);
    expect(granted(join, ['203.0.113.200'], 9_000)).toBe(0);
    expect(join.mint('203.0.113.200', 9_000)).toEqual({ retrySeconds: 10 });
    expect(granted(join, ['203.0.114.1', '2001:db8::1'], 9_000)).toBe(2);
    expect(granted(join, times(5, '203.0.113.1'), 31_000)).toBe(3);
  });

  it('is limited for one IPv6 /64', () => {
    const addresses = Array.from({ length: 100 }, (_, host) => `2001:db8:1:2::${host.toString(16)}`);
    expect(granted(openJoin(keys, 0), addresses, 0)).toBe(40);
  });

  it('is limited for one IPv6 /48, and not for the one beside it', () => {
    const join = openJoin(keys, 0);
    const addresses = Array.from({ length: 300 }, (_, k) => `2001:db8:1:${k.toString(16)}::1`);
    expect(granted(join, addresses, 0)).toBe(200);
    expect(granted(join, ['2001:db8:2::1'], 0)).toBe(1);
  });

  it('that one network is refused takes nothing from others', () => {
    const join = openJoin(keys, 0);
    expect(granted(join, times(1000, '2001:db8:1:1::1'), 0)).toBe(40);
    expect(granted(join, times(40, '2001:db8:1:2::1'), 0)).toBe(40);
  });

  it('is limited for all together, this machine included', () => {
    const join = openJoin(keys, 0);
    expect(granted(join, times(1000, '127.0.0.1'), 0)).toBe(400);
    expect(join.mint('203.0.113.7', 0)).toEqual({ retrySeconds: 1 });
    expect(granted(join, ['203.0.113.7'], 1000)).toBe(1);
  });
});

describe('networks', () => {
  it('are forgotten when they use nothing, and never while they do', () => {
    const networks = new Networks({ perSecond: 1, burst: 1 });
    const addressOf = (k: number): string =>
      `2001:db8:${(k >> 16).toString(16)}:${(k & 0xffff).toString(16)}::1`;
    for (let k = 0; k < networkCountMax; k++) {
      const use = networks.of(addressOf(k), 0);
      if (use !== undefined && k > 0) use.count = 1;
    }
    const late = networks.of('198.51.100.1', 0);
    expect(late).toMatchObject({ count: 0 });
    if (late !== undefined) late.count = 1;
    expect(networks.of('198.51.101.1', 0)).toBeUndefined();
    expect(networks.of(addressOf(1), 0)?.count).toBe(1);
  });
});

describe('many networks that come at once', () => {
  it('have the table looked through once a second', () => {
    const networks = new Networks({ perSecond: 1, burst: 1 });
    for (let k = 0; k < networkCountMax; k++)
      networks.of(`2001:db8:${(k >> 16).toString(16)}:${(k & 0xffff).toString(16)}::1`, 0)?.rate.take(1, 0);
    expect(networks.of('198.51.100.1', 500)).toBeUndefined();
    expect(networks.of('198.51.100.1', 1499)).toBeUndefined();
    expect(networks.of('198.51.100.1', 1500)).toBeDefined();
  });
});

describe('the view of volunteers', () => {
  it('is made once a second, however many ask', () => {
    let [made, now] = [0, 0];
    const text = searchViewText(
      () => ({ ...searchViewOf([], []), runningCount: ++made }),
      () => now,
    );
    const counts = [0, 999, 1000, 1001, 1999, 2000].map((at) => {
      now = at;
      return (JSON.parse(text()) as { runningCount: number }).runningCount;
    });
    expect(counts).toEqual([1, 1, 2, 2, 2, 3]);
  });

  const job: JobStatus = {
    job: 'j1',
    name: 'a <b>name</b>',
    state: 'running',
    phase: 'solving',
    reason: 'secret',
    priority: 3,
    sequence: 1,
    submitter: null,
    progress: null,
    result: null,
    request: null,
  };
  const layer = { name: 'dense', tilesDone: 1, tilesKnown: 9, copies: 3, copiesWanted: 10, pass: 0 };

  it('has the jobs that run and what of them is done', () => {
    const progress = {
      layers: [
        { ...layer, isDone: true },
        { ...layer, isDone: false },
      ],
      share: 0.5,
      blocksWanted: 20,
      blocksPerSecond: 7,
      rateMs: 1000,
      secondsLeft: null,
    };
    const view = searchViewOf(
      [job, { ...job, job: 'j2', progress }, { ...job, job: 'j3', state: 'done' }],
      [],
    );
    expect(view.runningCount).toBe(2);
    expect(view.jobs.map((each) => [each.job, each.share])).toEqual([
      ['j1', 0],
      ['j2', 0.5],
    ]);
    expect(view.jobs[1]?.layers.map(({ copies }) => copies)).toEqual([10, 3]);
    expect(JSON.stringify(view)).not.toContain('secret');
  });

  it('is recognised as one after a journey as JSON, and nothing else is', () => {
    const view = JSON.parse(JSON.stringify(searchViewOf([job], []))) as object;
    expect(isSearchView(view)).toBe(true);
    for (const wrong of [
      null,
      3,
      [],
      {},
      { ...view, jobs: 7 },
      { ...view, jobs: [{}] },
      { ...view, workerCount: -1 },
    ])
      expect(isSearchView(wrong)).toBe(false);
    const [first] = (view as { jobs: object[] }).jobs;
    for (const name of ['job', 'name', 'share', 'blocksWanted', 'blocksPerSecond', 'secondsLeft', 'layers'])
      expect(isSearchView({ ...view, jobs: [{ ...first, [name]: undefined }] })).toBe(false);
  });
});
