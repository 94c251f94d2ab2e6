/** What is shown of tiles and workers. */
import { describe, expect, test } from 'vitest';
import { statusOfTile, tilesInHand } from '../../coordinator/ledger/status.ts';
import { deskOf, granted } from '../support/ledger-desk.ts';

describe('the tiles in hand', () => {
  test('are those that are neither done nor given up, with what has become of them', () => {
    const desk = deskOf(3);
    desk.join('a');
    const [first = ''] = granted(desk.want('a'));
    expect(tilesInHand(desk.ledger, 'j').map(({ tile, state }) => `${tile} ${state}`)).toEqual([
      'j0 leased',
      'j1 open',
      'j2 open',
    ]);
    const { result } = desk.verified('a', first);
    desk.happen({ kind: 'stored', result, outcome: 'new' });
    expect(tilesInHand(desk.ledger, 'j').map(({ tile }) => tile)).toEqual(['j1', 'j2']);
    expect(statusOfTile(desk.ledger, 'j', first)).toEqual({ tile: first, state: 'done', isRetried: false });
    desk.happen({ kind: 'tiles-added', job: 'j', tiles: [{ tile: first, blocks: 10 }] });
    expect(tilesInHand(desk.ledger, 'j').map(({ tile }) => tile)).toEqual(['j1', 'j2', first]);
  });

  test('say when somebody worked on one in vain', () => {
    const desk = deskOf(1);
    desk.join('a');
    desk.want('a');
    desk.happen({ kind: 'worker-left', session: 'a' });
    expect(tilesInHand(desk.ledger, 'j')).toEqual([{ tile: 'j0', state: 'open', isRetried: true }]);
    desk.join('b');
    const { result } = desk.verified('b', 'j0');
    desk.happen({ kind: 'stored', result, outcome: 'new' });
    expect(tilesInHand(desk.ledger, 'j')).toEqual([]);
    expect(statusOfTile(desk.ledger, 'j', 'j0')).toMatchObject({ state: 'done', isRetried: true });
  });

  test('of a job that is not known are none', () => {
    const { ledger } = deskOf(1);
    expect(tilesInHand(ledger, 'other')).toEqual([]);
    expect(statusOfTile(ledger, 'other', 'j0')).toBeUndefined();
    expect(statusOfTile(ledger, 'j', 'other')).toBeUndefined();
  });
});
