import { describe, expect, test } from 'vitest';
import type { Result } from '../../src/core/protocol/messages.ts';
import { deskOf, empty, grant, results, sent, welcome } from '../support/session-desk.ts';

describe('a tab', () => {
  const kept: Result = {
    kind: 'result',
    job: 'j',
    tile: 'kept',
    spec: 's',
    token: empty,
    attempt: 1,
    body: empty,
    computeMs: 1,
  };

  test('that was loaded again names and submits what nobody has acknowledged', () => {
    const desk = deskOf({ kept: [kept] });
    expect(sent(desk.connect())).toMatchObject([{ kind: 'hello', holding: [{ job: 'j', tile: 'kept' }] }]);
    expect(results(desk.hear(welcome))).toEqual(['kept']);
    desk.hear({ kind: 'committed', job: 'j', tile: 'kept', outcome: 'duplicate' });
    expect(desk.session.outbox.size).toBe(0);
  });

  test('that is hidden wants one tile at a time, and as many as before when it is seen again', () => {
    const desk = deskOf();
    desk.open();
    expect(sent(desk.happen({ kind: 'hidden', hidden: true }))).toEqual([{ kind: 'want', slots: 1 }]);
    expect(sent(desk.happen({ kind: 'hidden', hidden: true }))).toEqual([]);
    desk.hear(grant('a'));
    desk.solve('a');
    const committed = desk.hear({ kind: 'committed', job: 'j', tile: 'a', outcome: 'new' });
    expect(sent(committed)).toEqual([{ kind: 'want', slots: 1 }]);
    expect(sent(desk.pass(10_000))).toMatchObject([{ kind: 'beat', hidden: true }]);
    expect(sent(desk.happen({ kind: 'hidden', hidden: false }))).toEqual([{ kind: 'want', slots: 8 }]);
  });

  test('that is hidden holding much asks for nothing, and one that stops for nothing either', () => {
    const desk = deskOf();
    desk.open();
    desk.hear(grant('a', 'b', 'c'));
    expect(sent(desk.happen({ kind: 'hidden', hidden: true }))).toEqual([{ kind: 'want', slots: 0 }]);
    desk.happen({ kind: 'drain', graceMs: 1000 });
    expect(sent(desk.happen({ kind: 'hidden', hidden: false }))).toEqual([]);
  });
});
