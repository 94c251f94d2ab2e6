import { describe, expect, test } from 'vitest';
import type { LedgerEffect } from '../../coordinator/ledger.ts';
import { deskOf, granted, kinds, refusal } from '../support/ledger-desk.ts';

describe('the tiles of a job', () => {
  test('are at most tilesPerJobMax, and those it has may still be asked for again', () => {
    const desk = deskOf(2, { tilesPerJobMax: 2 });
    desk.join('a');
    const { result } = desk.verified('a', 'j0');
    desk.happen({ kind: 'stored', result, outcome: 'new' });
    desk.happen({ kind: 'tiles-added', job: 'j', tiles: [{ tile: 'j0', blocks: 10 }] });
    expect(desk.status().jobs[0]?.counts).toMatchObject({ open: 2, done: 0 });
    const another = { kind: 'tiles-added', job: 'j', tiles: [{ tile: 'j2', blocks: 10 }] } as const;
    expect(() => desk.happen(another)).toThrow(/tilesPerJobMax/);
  });
});

describe('a result', () => {
  test('is verified, stored and only then acknowledged', () => {
    const desk = deskOf(1);
    desk.join('a');
    expect(granted(desk.want('a'))).toEqual(['j0']);
    const { result, effects } = desk.result('a', 'j0');
    expect(kinds(effects)).toEqual(['verify']);
    expect(kinds(desk.happen({ kind: 'verified', result, digest: 'x' }))).toEqual(['store']);
    expect(kinds(desk.happen({ kind: 'stored', result, outcome: 'new' }))).toEqual([
      'acknowledge',
      'forget',
      'tile-done',
    ]);
    expect(desk.status().jobs[0]?.counts.done).toBe(1);
  });

  test('is accepted from whoever sends it, leased or not', () => {
    const desk = deskOf(1);
    desk.join('a');
    expect(kinds(desk.verified('a', 'j0').effects)).toEqual(['store']);
  });

  test('of a tile that is done is acknowledged as a duplicate without a second look', () => {
    const desk = deskOf(1);
    desk.join('a');
    const { result } = desk.verified('a', 'j0');
    desk.happen({ kind: 'stored', result, outcome: 'new' });
    const { effects } = desk.result('a', 'j0');
    expect(effects).toMatchObject([{ kind: 'acknowledge', outcome: 'duplicate' }, { kind: 'forget' }]);
  });

  test('of a tile that nobody has is refused for good', () => {
    const desk = deskOf(1);
    desk.join('a');
    expect(refusal(desk.result('a', 'unknown').effects)).toMatchObject({ code: 'unknown-tile', retryMs: 0 });
  });

  test('sent again on another connection is answered there', () => {
    const desk = deskOf(1);
    desk.join('a', 'trusted', 'w');
    const { result } = desk.verified('a', 'j0');
    desk.happen({ kind: 'worker-left', session: 'a' });
    desk.join('b', 'trusted', 'w');
    expect(kinds(desk.result('b', 'j0').effects)).toEqual(['forget']);
    expect(desk.happen({ kind: 'stored', result, outcome: 'new' })).toContainEqual({
      kind: 'acknowledge',
      session: 'b',
      job: 'j',
      tile: 'j0',
      outcome: 'new',
    });
  });

  test('that the store does not take is asked for again, and nothing is granted meanwhile', () => {
    const desk = deskOf(2);
    desk.join('a');
    const { result } = desk.verified('a', 'j0');
    const effects = desk.happen({ kind: 'store-failed', result, reason: 'full', retryMs: 5_000 });
    expect(refusal(effects)).toMatchObject({ code: 'storage', retryMs: 5_000 });
    expect(granted(desk.want('a'))).toEqual([]);
    expect(desk.status().isPaused).toBe(true);
    expect(granted(desk.pass(6_000))).toEqual(['j1']);
  });

  test('twice stored counts once', () => {
    const desk = deskOf(1);
    desk.join('a');
    const { result } = desk.verified('a', 'j0');
    desk.happen({ kind: 'stored', result, outcome: 'new' });
    expect(desk.happen({ kind: 'stored', result, outcome: 'new' })).toEqual([]);
    expect(desk.status().jobs[0]?.blocksDone).toBe(10);
  });
});

describe('leases', () => {
  test('of a worker that leaves are open again at once', () => {
    const desk = deskOf(1);
    desk.join('a');
    desk.join('b');
    desk.want('a');
    desk.want('b');
    expect(granted(desk.happen({ kind: 'worker-left', session: 'a' }))).toEqual(['j0']);
  });

  test('end at their deadline, and what comes late is welcome', () => {
    const desk = deskOf(1, { tileLeaseCountMax: 1 });
    desk.join('a');
    desk.want('a');
    desk.pass(62_000);
    expect(desk.status().jobs[0]?.counts.open).toBe(1);
    expect(kinds(desk.verified('a', 'j0').effects)).toEqual(['store']);
  });

  test('of a long tile last ten times as long as expected, for workers not yet measured', () => {
    for (const [expectedMs, leaseMs] of [
      [500, 60_000],
      [60_000, 600_000],
      [1e9, 3_600_000],
    ] as const) {
      const desk = deskOf(0);
      desk.happen({ kind: 'tiles-added', job: 'j', tiles: [{ tile: 'long', blocks: 30_000, expectedMs }] });
      desk.join('a');
      desk.join('b');
      expect(granted(desk.want('a'))).toEqual(['long']);
      expect(granted(desk.want('b'))).toEqual([]);
      expect(granted(desk.pass(leaseMs - 1_000))).toEqual([]);
      expect(granted(desk.pass(2_000))).toEqual(['long']);
    }
  });

  test('of a long tile are not longer for a worker that dies', () => {
    const desk = deskOf(0);
    const tiles = [{ tile: 'long', blocks: 30_000, expectedMs: 60_000 }];
    desk.happen({ kind: 'tiles-added', job: 'j', tiles });
    desk.join('a');
    desk.join('b');
    desk.want('a');
    desk.want('b');
    expect(granted(desk.happen({ kind: 'worker-left', session: 'a' }))).toEqual(['long']);
  });

  test('give one thread of many the time that one thread takes', () => {
    const threads = 64;
    const desk = deskOf(threads + 1);
    desk.happen({ kind: 'worker-joined', session: 'a', worker: 'w', workerKind: 'trusted', threads });
    desk.want('a', threads);
    // A thread takes five minutes for a tile.
    for (let tile = 0; tile < threads; tile++) {
      desk.pass(300_000 / threads);
      const { result } = desk.verified('a', `j${tile}`);
      desk.happen({ kind: 'stored', result, outcome: 'new' });
    }
    const [grant] = desk.want('a');
    expect(grant).toMatchObject({ kind: 'grant', leases: [{ tile: `j${threads}` }] });
    expect(grant?.kind === 'grant' ? grant.leases[0]?.leaseMs : 0).toBeGreaterThan(300_000);
  });

  test('outlive a stall of the coordinator', () => {
    const desk = deskOf(1);
    desk.join('a');
    desk.want('a');
    desk.stall(3_600_000);
    expect(kinds(desk.happen({ kind: 'tick' }))).toEqual([]);
    expect(desk.status().sessions[0]?.leases).toBe(1);
  });

  test('of a silent session end after three heartbeats', () => {
    const desk = deskOf(1);
    desk.join('a');
    desk.want('a');
    for (let second = 0; second < 32; second++) {
      desk.stall(1_000);
      const effects = desk.happen({ kind: 'tick' });
      if (second < 29) expect(effects).toEqual([]);
    }
    expect(desk.status().sessions).toEqual([]);
    expect(desk.status().openTiles).toBe(1);
  });

  test('come to nothing five times before the coordinator solves the tile itself', () => {
    const desk = deskOf(1);
    desk.join('a');
    for (let attempt = 1; attempt <= 5; attempt++) {
      expect(granted(desk.want('a'))).toEqual(['j0']);
      const effects = desk.happen({ kind: 'given-back', session: 'a', job: 'j', tile: 'j0' });
      expect(kinds(effects)).toEqual(attempt === 5 ? ['solve-here'] : []);
      desk.pass(400_000);
    }
    const effects = desk.happen({ kind: 'solved-here', job: 'j', tile: 'j0', result: 'own', digest: 'x' });
    expect(effects).toEqual([{ kind: 'store', result: 'own', job: 'j', tile: 'j0' }]);
  });

  test('of a tile that not even the coordinator can solve are no more, until it is asked for again', () => {
    const desk = deskOf(1, { tileAttemptMax: 1 });
    desk.join('a');
    desk.want('a');
    desk.happen({ kind: 'given-back', session: 'a', job: 'j', tile: 'j0' });
    const effects = desk.happen({ kind: 'unsolvable-here', job: 'j', tile: 'j0', reason: 'no kernel' });
    expect(effects).toEqual([{ kind: 'tile-dead', job: 'j', tile: 'j0', reason: 'no kernel' }]);
    desk.happen({ kind: 'tiles-added', job: 'j', tiles: [{ tile: 'j0', blocks: 10 }] });
    expect(desk.status().jobs[0]?.counts).toMatchObject({ dead: 0, open: 1 });
  });

  test('follow a worker to its next connection', () => {
    const desk = deskOf(1);
    desk.join('a', 'trusted', 'w');
    desk.want('a');
    desk.join('b', 'trusted', 'w');
    desk.happen({ kind: 'holds', session: 'b', job: 'j', tile: 'j0' });
    expect(desk.happen({ kind: 'worker-left', session: 'a' })).toEqual([]);
    expect(desk.status().jobs[0]?.counts.leased).toBe(1);
  });

  test('of a removed job are cancelled', () => {
    const desk = deskOf(1);
    desk.join('a');
    desk.want('a');
    expect(kinds(desk.happen({ kind: 'job-removed', job: 'j' }))).toEqual(['cancel']);
    expect(desk.status()).toMatchObject({ jobs: [], openTiles: 0 });
  });
});

describe('a volunteer’s miss that is not proven', () => {
  test('is believed when a trusted worker finds the same', () => {
    const desk = deskOf(1);
    desk.join('a', 'volunteer');
    desk.join('b');
    desk.want('a');
    desk.want('b');
    const first = desk.verified('a', 'j0', 'same', true);
    expect(granted(first.effects)).toEqual(['j0']);
    const second = desk.verified('b', 'j0', 'same', true);
    expect(kinds(second.effects)).toEqual(['store']);
    const stored = desk.happen({ kind: 'stored', result: second.result, outcome: 'new' });
    expect(stored.filter(({ kind }) => kind === 'acknowledge')).toHaveLength(2);
  });

  test('is confirmed neither by other volunteers nor by oneself, however good they have been', () => {
    const desk = deskOf(40, { canonicalCheckOneIn: 1e9 });
    desk.join('trusted');
    for (const [session, worker] of [
      ['a', 'v'],
      ['b', 'w'],
      ['c', 'v'],
    ] as const)
      desk.join(session, 'volunteer', worker);
    for (let tile = 1; tile < 40; tile++) {
      const { result } = desk.verified(tile % 2 === 0 ? 'a' : 'b', `j${tile}`);
      desk.happen({ kind: 'stored', result, outcome: 'new' });
    }
    desk.verified('a', 'j0', 'lie', true);
    expect(granted(desk.want('b'))).toEqual([]);
    for (const session of ['b', 'c'])
      expect(kinds(desk.verified(session, 'j0', 'lie', true).effects)).not.toContain('store');
    expect(desk.status().heldResults).toBe(2);
    const { effects } = desk.verified('trusted', 'j0', 'truth');
    expect(effects.filter((effect) => effect.kind === 'refuse')).toHaveLength(2);
    expect(kinds(effects)).toContain('store');
  });

  test('that a trusted worker contradicts is a bad result', () => {
    const desk = deskOf(1);
    desk.join('a', 'volunteer');
    desk.join('b');
    desk.verified('a', 'j0', 'lie', true);
    const { effects } = desk.verified('b', 'j0', 'truth');
    expect(refusal(effects)).toMatchObject({ session: 'a', code: 'residual', retryMs: 0 });
    expect(kinds(effects)).toContain('store');
  });

  test('that another volunteer contradicts is settled by the coordinator, whoever is right', () => {
    for (const truth of ['one', 'other']) {
      const desk = deskOf(1);
      desk.join('trusted');
      desk.join('a', 'volunteer');
      desk.join('b', 'volunteer');
      desk.verified('a', 'j0', 'one', true);
      expect(kinds(desk.verified('b', 'j0', 'other', true).effects)).toEqual(['solve-here']);
      const effects = desk.happen({
        kind: 'solved-here',
        job: 'j',
        tile: 'j0',
        result: 'own',
        digest: truth,
      });
      expect(refusal(effects)).toMatchObject({ session: truth === 'one' ? 'b' : 'a', code: 'residual' });
    }
  });

  test('is solved by the coordinator after a while, and at once where there are volunteers only', () => {
    const desk = deskOf(2);
    desk.join('a', 'volunteer');
    desk.join('b');
    expect(kinds(desk.verified('a', 'j0', 'x', true).effects)).not.toContain('solve-here');
    expect(kinds(desk.pass(59_000))).not.toContain('solve-here');
    expect(kinds(desk.pass(3_000))).toContain('solve-here');
    desk.happen({ kind: 'worker-left', session: 'b' });
    expect(kinds(desk.verified('a', 'j1', 'x', true).effects)).toContain('solve-here');
  });

  test('of a long tile waits as long for a second opinion as a trusted worker has for it', () => {
    const desk = deskOf(0);
    desk.happen({ kind: 'tiles-added', job: 'j', tiles: [{ tile: 'long', blocks: 9, expectedMs: 60_000 }] });
    desk.join('a', 'volunteer');
    desk.join('b');
    desk.verified('a', 'long', 'x', true);
    expect(kinds(desk.pass(598_000))).not.toContain('solve-here');
    expect(kinds(desk.pass(3_000))).toContain('solve-here');
  });
});

test('of a volunteer’s results without unproven misses one in so many is solved elsewhere too', () => {
  const desk = deskOf(2000, { canonicalCheckOneIn: 10 });
  desk.join('a', 'volunteer');
  desk.join('b');
  let held = 0;
  for (let tile = 0; tile < 2000; tile++) {
    const { result, effects } = desk.verified('a', `j${tile}`);
    if (kinds(effects).includes('store')) desk.happen({ kind: 'stored', result, outcome: 'new' });
    else {
      held++;
      const second = desk.verified('b', `j${tile}`);
      desk.happen({ kind: 'stored', result: second.result, outcome: 'new' });
    }
  }
  expect(held).toBeGreaterThan(150);
  expect(held).toBeLessThan(260);
});

describe('trust', () => {
  test('three bad results put a worker in quarantine, twice as long the second time', () => {
    const desk = deskOf(20);
    desk.join('a', 'volunteer');
    const sendBad = (count: number): LedgerEffect[] => {
      let effects: LedgerEffect[] = [];
      for (let index = 0; index < count; index++) {
        const { result } = desk.result('a', `j${index}`);
        effects = desk.happen({ kind: 'invalid', result, reason: 'residual' });
      }
      return effects;
    };
    expect(kinds(sendBad(2))).not.toContain('slow');
    expect(sendBad(1)).toContainEqual({ kind: 'slow', session: 'a', retryMs: 600_000 });
    expect(refusal(desk.result('a', 'j9').effects)).toMatchObject({ code: 'quarantine', retryMs: 600_000 });
    expect(granted(desk.want('a'))).toEqual([]);
    desk.pass(600_000);
    expect(sendBad(3)).toContainEqual({ kind: 'slow', session: 'a', retryMs: 1_200_000 });
  });

  test('a quarantine that another gateway began goes on here', () => {
    const desk = deskOf(20);
    const joined = { session: 'a', worker: 'w', workerKind: 'volunteer', threads: 1 } as const;
    const effects = desk.happen({ kind: 'worker-joined', ...joined, quarantineMs: 300_000 });
    expect(effects).toContainEqual({ kind: 'slow', session: 'a', retryMs: 300_000 });
    expect(granted(desk.want('a'))).toEqual([]);
    expect(granted(desk.pass(299_000))).toEqual([]);
    expect(granted(desk.pass(2_000))).toHaveLength(1);
  });

  test('a stranger gets one tile, and twice as many with each good result', () => {
    const desk = deskOf(100);
    desk.join('a', 'volunteer');
    expect(granted(desk.want('a', 64))).toHaveLength(1);
    const { result } = desk.verified('a', 'j0');
    desk.happen({ kind: 'stored', result, outcome: 'new' });
    expect(desk.status().sessions[0]?.quota).toBe(2);
  });

  test('a worker that only gives back has to wait longer each time', () => {
    const desk = deskOf(100);
    desk.join('a', 'volunteer');
    let grants = granted(desk.want('a')).length;
    for (let second = 0; second < 120; second++) {
      for (const tile of [...(desk.ledger.sessions.get('a')?.leases.keys() ?? [])])
        desk.happen({ kind: 'given-back', session: 'a', job: 'j', tile: tile.tile });
      grants += granted(desk.want('a')).length;
      grants += granted(desk.pass(1_000)).length;
    }
    expect(grants).toBeLessThan(10);
  });

  test('results of one stranger under way are bounded', () => {
    const desk = deskOf(20);
    desk.join('a', 'volunteer');
    for (let index = 0; index < 4; index++)
      expect(kinds(desk.result('a', `j${index}`).effects)).toContain('verify');
    expect(refusal(desk.result('a', 'j4').effects)).toMatchObject({ code: 'quota' });
  });
});
