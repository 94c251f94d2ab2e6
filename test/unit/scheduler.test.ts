import { describe, expect, test } from 'vitest';
import { deskOf, granted, kinds } from '../support/ledger-desk.ts';

describe('the scheduler', () => {
  test('serves the highest priority first and lets equals take turns', () => {
    const desk = deskOf(0);
    desk.add('low', 2, 1);
    desk.add('x', 2, 5);
    desk.add('y', 2, 5);
    desk.join('a');
    const order: string[] = [];
    for (let index = 0; index < 6; index++) {
      const [tile] = granted(desk.want('a'));
      order.push(tile ?? '');
      const job = (tile ?? '').slice(0, -1);
      const result = `o${index}`;
      desk.happen({ kind: 'result', session: 'a', job, tile: tile ?? '', result, claimsMisses: false });
      desk.happen({ kind: 'verified', result, digest: 'x' });
      desk.happen({ kind: 'stored', result, outcome: 'new' });
    }
    expect(order).toEqual(['x0', 'y0', 'x1', 'y1', 'low0', 'low1']);
  });

  test('gives a second copy of what takes too long, to another worker, and one only', () => {
    const desk = deskOf(17);
    desk.join('a');
    desk.join('slow');
    expect(granted(desk.want('slow'))).toEqual(['j0']);
    for (let index = 1; index < 17; index++) {
      desk.want('a');
      const { result } = desk.verified('a', `j${index}`);
      desk.happen({ kind: 'stored', result, outcome: 'new' });
    }
    desk.join('b');
    desk.want('slow', 2);
    desk.want('a', 4);
    desk.want('b', 4);
    const effects = desk.pass(20_000);
    expect(granted(effects)).toEqual(['j0']);
    expect(effects.find(({ kind }) => kind === 'grant')).not.toMatchObject({ session: 'slow' });
    const { result } = desk.verified('a', 'j0');
    const stored = desk.happen({ kind: 'stored', result, outcome: 'new' });
    expect(stored).toContainEqual({ kind: 'cancel', session: 'slow', job: 'j', tile: 'j0' });
  });

  test('gives no second copy of a long tile because many short ones came before it', () => {
    const desk = deskOf(16);
    desk.join('a');
    for (let index = 0; index < 16; index++) {
      desk.want('a');
      const { result } = desk.verified('a', `j${index}`);
      desk.happen({ kind: 'stored', result, outcome: 'new' });
    }
    const tiles = [{ tile: 'long', blocks: 10, expectedMs: 60_000 }];
    desk.happen({ kind: 'tiles-added', job: 'j', tiles });
    desk.join('b');
    expect(granted(desk.want('a'))).toEqual(['long']);
    desk.want('b');
    expect(granted(desk.pass(119_000))).toEqual([]);
    expect(granted(desk.pass(2_000))).toEqual(['long']);
  });

  test('gives a fast worker seconds of work and leaves some to others', () => {
    const desk = deskOf(10_000);
    desk.join('a');
    for (let index = 0; index < 50; index++) {
      desk.want('a');
      desk.stall(100);
      const { result } = desk.verified('a', `j${index}`);
      desk.happen({ kind: 'stored', result, outcome: 'new' });
    }
    const count = granted(desk.want('a', 1_000)).length;
    expect(count).toBeGreaterThan(30);
    expect(count).toBeLessThan(80);
  });

  describe('of tiles too large for volunteers', () => {
    const largeFrom = (count: number) => deskOf(count, { volunteerTileBlocksMax: 9 });

    test('leases them to trusted workers alone, and ones that just fit to anybody', () => {
      const desk = largeFrom(1);
      desk.join('volunteer', 'volunteer');
      desk.happen({ kind: 'holds', session: 'volunteer', job: 'j', tile: 'j0' });
      expect(granted(desk.want('volunteer'))).toEqual([]);
      desk.join('a');
      expect(granted(desk.want('a'))).toEqual(['j0']);
      const fitting = deskOf(1, { volunteerTileBlocksMax: 10 });
      fitting.join('volunteer', 'volunteer');
      expect(granted(fitting.want('volunteer'))).toEqual(['j0']);
    });

    test('gives volunteers what comes behind them', () => {
      const desk = largeFrom(1);
      desk.happen({ kind: 'tiles-added', job: 'j', tiles: [{ tile: 'small', blocks: 9 }] });
      desk.join('volunteer', 'volunteer');
      expect(granted(desk.want('volunteer'))).toEqual(['small']);
    });

    test('gives volunteers no second copy of one', () => {
      const desk = largeFrom(9);
      desk.join('a');
      for (let index = 0; index < 8; index++) {
        desk.want('a');
        const { result } = desk.verified('a', `j${index}`);
        desk.happen({ kind: 'stored', result, outcome: 'new' });
      }
      desk.join('volunteer', 'volunteer');
      desk.want('volunteer');
      expect(granted(desk.want('a'))).toEqual(['j8']);
      expect(granted(desk.pass(30_000))).toEqual([]);
      desk.join('b');
      desk.want('b');
      expect(granted(desk.pass(1_000))).toEqual(['j8']);
    });

    test('has the coordinator solve them when the trusted workers that are there hang', () => {
      const desk = largeFrom(1);
      desk.join('a');
      expect(granted(desk.want('a', 1))).toEqual(['j0']);
      const seen: object[] = [];
      for (let second = 0; second < 180; second += 10) {
        seen.push(...desk.pass(10_000));
        desk.happen({ kind: 'beat', session: 'a' });
      }
      expect(seen).toContainEqual({ kind: 'solve-here', job: 'j', tile: 'j0' });
    });

    test('has the coordinator solve them when only volunteers are there, and not before', () => {
      const desk = largeFrom(1);
      expect(kinds(desk.pass(200_000))).toEqual([]);
      desk.join('a');
      expect(kinds(desk.pass(30_000))).toEqual([]);
      desk.join('volunteer', 'volunteer');
      desk.want('volunteer');
      desk.happen({ kind: 'worker-left', session: 'a' });
      expect(desk.pass(60_000)).toContainEqual({ kind: 'solve-here', job: 'j', tile: 'j0' });
      desk.happen({ kind: 'solved-here', job: 'j', tile: 'j0', result: 'ours', digest: 'x' });
      const stored = desk.happen({ kind: 'stored', result: 'ours', outcome: 'new' });
      expect(kinds(stored)).toContain('tile-done');
    });
  });
});
