import { describe, expect, test } from 'vitest';
import { encodeMessage } from '../../src/core/protocol/codec.ts';
import { deskOf, grant, kinds, results, sent, welcome } from '../support/session-desk.ts';

describe('a session', () => {
  test('connects, says hello, and wants work once it is welcome', () => {
    const desk = deskOf();
    desk.happen({ kind: 'start' });
    expect(desk.tick()).toEqual([{ kind: 'connect', url: 'ws://a' }]);
    expect(sent(desk.happen({ kind: 'connected' }))).toMatchObject([
      { kind: 'hello', sessionId: 'p-1', holding: [] },
    ]);
    expect(sent(desk.hear(welcome))).toEqual([{ kind: 'want', slots: 8 }]);
  });

  test('does nothing before it is started', () => {
    const desk = deskOf();
    expect(desk.wakeMs()).toBe(Number.POSITIVE_INFINITY);
    expect(desk.tick()).toEqual([]);
  });

  test('hangs up on a gateway that sends work before welcome', () => {
    const desk = deskOf();
    desk.connect();
    expect(kinds(desk.hear(grant('t')))).toContain('close');
  });

  test('beats while it is idle and gives a silent gateway up after three heartbeats', () => {
    const desk = deskOf();
    desk.open();
    expect(sent(desk.pass(29_000)).map(({ kind }) => kind)).toEqual(['beat', 'beat']);
    expect(kinds(desk.pass(2_000))).toContain('close');
    expect(desk.session.state).toBe('offline');
  });

  test('stays with a gateway that answers its beats', () => {
    const desk = deskOf();
    desk.open();
    for (let minute = 0; minute < 20; minute++) {
      desk.pass(10_000);
      desk.hear({ kind: 'beat', cancel: [] });
    }
    expect(desk.session.state).toBe('open');
  });
});

describe('a result', () => {
  test('is kept until it is acknowledged and sent again after each reconnect', () => {
    const desk = deskOf();
    desk.open();
    desk.hear(grant('t'));
    expect(results(desk.solve('t'))).toEqual(['t']);
    for (let round = 0; round < 3; round++) {
      desk.happen({ kind: 'disconnected', reason: 'reset' });
      expect(sent(desk.connect())).toMatchObject([{ holding: [{ job: 'j', tile: 't' }] }]);
      expect(results(desk.hear(welcome))).toEqual(['t']);
    }
    desk.hear({ kind: 'committed', job: 'j', tile: 't', outcome: 'duplicate' });
    desk.happen({ kind: 'disconnected', reason: 'reset' });
    desk.connect();
    expect(results(desk.hear(welcome))).toEqual([]);
  });

  test('solved while there is no connection is sent when there is one', () => {
    const desk = deskOf();
    desk.open();
    desk.hear(grant('t'));
    desk.happen({ kind: 'disconnected', reason: 'reset' });
    expect(results(desk.solve('t'))).toEqual([]);
    expect(results(desk.open())).toEqual(['t']);
  });

  test('refused for now is sent again later, and later still the next time', () => {
    const desk = deskOf();
    desk.open();
    desk.hear(grant('t'));
    desk.solve('t');
    const waits: number[] = [];
    for (let round = 0; round < 4; round++) {
      desk.hear({ kind: 'refused', job: 'j', tile: 't', code: 'storage', reason: '', retryMs: 1_000 });
      let waited = 0;
      while (results(desk.pass(100)).length === 0) {
        waited += 100;
        if (waited % 5_000 === 0) desk.hear({ kind: 'beat', cancel: [] });
      }
      waits.push(waited);
    }
    expect(waits[0]).toBeGreaterThanOrEqual(900);
    expect(waits[0]).toBeLessThan(1_600);
    expect(waits[3]).toBeGreaterThanOrEqual(7_900);
  });

  test('refused for good is forgotten', () => {
    const desk = deskOf();
    desk.open();
    desk.hear(grant('t'));
    desk.solve('t');
    desk.hear({ kind: 'refused', job: 'j', tile: 't', code: 'residual', reason: '', retryMs: 0 });
    expect(desk.session.outbox.size).toBe(0);
  });

  test('too long for a frame goes back unsolved, and the others are sent', () => {
    const desk = deskOf();
    desk.open();
    desk.hear(grant('long', 't'));
    const effects = desk.solve('long', new Uint8Array(welcome.frameBytesMax));
    expect(results(effects)).toEqual([]);
    expect(sent(effects)).toContainEqual(expect.objectContaining({ kind: 'nack', job: 'j', tile: 'long' }));
    expect(kinds(effects)).toContain('report');
    expect([...desk.session.outbox.keys()]).toEqual([]);
    expect(results(desk.solve('t'))).toEqual(['t']);
  });

  test('too long for a frame is let go even when an earlier session has left it, or it was solved without a connection', () => {
    const body = new Uint8Array(welcome.frameBytesMax);
    const left = deskOf();
    left.open();
    left.hear(grant('long', 'short'));
    left.happen({ kind: 'disconnected', reason: 'reset' });
    left.solve('long', body);
    left.solve('short');
    const kept = Array.from(left.session.outbox.values(), ({ message }) => message);
    for (const desk of [left, deskOf({ kept })]) {
      expect(results(desk.open())).toEqual(['short']);
      expect([...desk.session.outbox.keys()]).toEqual(['j/short']);
    }
  });

  test('that just fits a frame is sent', () => {
    const desk = deskOf();
    desk.open();
    desk.hear(grant('t'));
    const body = new Uint8Array(welcome.frameBytesMax - 1024);
    const [message] = sent(desk.solve('t', body)).filter(({ kind }) => kind === 'result');
    expect(message && encodeMessage(message).length).toBeLessThanOrEqual(welcome.frameBytesMax);
  });

  test('of a cancelled tile is not sent', () => {
    const desk = deskOf();
    desk.open();
    desk.hear(grant('t'));
    expect(desk.hear({ kind: 'beat', cancel: [{ job: 'j', tile: 't' }] })).toContainEqual({
      kind: 'cancel',
      name: { job: 'j', tile: 't' },
    });
    expect(results(desk.solve('t'))).toEqual([]);
  });

  test('of a tile that is granted anew is not solved anew', () => {
    const desk = deskOf();
    desk.open();
    desk.hear(grant('t'));
    desk.solve('t');
    expect(kinds(desk.hear(grant('t')))).not.toContain('solve');
  });

  test('waits its turn when many are unanswered', () => {
    const desk = deskOf({ slots: 100 });
    desk.open();
    const tiles = Array.from({ length: 60 }, (_, index) => `t${index}`);
    desk.hear(grant(...tiles));
    const first = tiles.flatMap((tile) => results(desk.solve(tile)));
    expect(first).toHaveLength(32);
    expect(results(desk.hear({ kind: 'committed', job: 'j', tile: 't0', outcome: 'new' }))).toEqual(['t32']);
  });
});

describe('backoff', () => {
  test('grows from a second to five minutes, with full jitter', () => {
    for (const chance of [0.01, 0.99]) {
      const desk = deskOf();
      desk.happen({ kind: 'start' });
      desk.untilConnect(chance);
      const waits: number[] = [];
      for (let failure = 0; failure < 14; failure++) {
        const failedAt = desk.now();
        desk.happen({ kind: 'disconnected', reason: 'refused' });
        desk.untilConnect(chance);
        waits.push(desk.now() - failedAt);
      }
      expect(waits[0]).toBeCloseTo(2_000 * chance, 0);
      expect(Math.max(...waits)).toBeCloseTo(300_000 * chance, 0);
    }
  });

  test('moves on to the next gateway', () => {
    const desk = deskOf({ gateways: ['ws://a', 'ws://b', 'ws://c'] });
    desk.happen({ kind: 'start' });
    const urls: string[] = [];
    for (let round = 0; round < 4; round++) {
      urls.push(desk.untilConnect());
      desk.happen({ kind: 'disconnected', reason: 'refused' });
    }
    expect(urls).toEqual(['ws://a', 'ws://b', 'ws://c', 'ws://a']);
  });

  test('ends the session when no gateway lets it in', () => {
    const desk = deskOf();
    desk.connect();
    const effects = desk.hear({ kind: 'reject', code: 'version', reason: 'too old', retryMs: 0 });
    expect(kinds(effects)).toContain('ended');
  });

  test('heeds a gateway that says when to come back', () => {
    const desk = deskOf();
    desk.connect();
    desk.hear({ kind: 'reject', code: 'full', reason: 'full', retryMs: 120_000 });
    expect(kinds(desk.pass(119_000, 0))).not.toContain('connect');
    expect(kinds(desk.pass(2_000, 0))).toContain('connect');
  });

  test('does not follow a secure gateway to one that is not', () => {
    const desk = deskOf({ gateways: ['wss://a'] });
    desk.connect();
    desk.hear({ ...welcome, gateways: ['ws://evil', 'wss://b'] });
    expect(desk.session.gateways.map(({ url }) => url)).toEqual(['wss://a', 'wss://b']);
  });

  test('forgets gateways that the list has no longer, but for its own and the one it is with', () => {
    const desk = deskOf({ gateways: ['ws://a'] });
    desk.open();
    const urls = (): string[] => desk.session.gateways.map(({ url }) => url);
    desk.hear({ kind: 'drain', graceMs: 0, gateways: ['ws://b', 'ws://c'] });
    expect(urls()).toEqual(['ws://a', 'ws://b', 'ws://c']);
    desk.pass(20_000);
    desk.happen({ kind: 'connected' });
    const current = urls()[desk.session.gateway] ?? '';
    expect(['ws://b', 'ws://c']).toContain(current);
    desk.hear({ ...welcome, gateways: ['ws://d'] });
    expect(urls()).toEqual(['ws://a', current, 'ws://d']);
    expect(urls()[desk.session.gateway]).toBe(current);
  });

  test('an overloaded gateway is not asked for work until it said', () => {
    const desk = deskOf();
    desk.open();
    desk.hear({ kind: 'slow', retryMs: 5_000 });
    expect(sent(desk.pass(4_900)).filter(({ kind }) => kind === 'want')).toEqual([]);
    expect(sent(desk.pass(3_000)).filter(({ kind }) => kind === 'want')).toHaveLength(1);
  });
});

describe('draining', () => {
  test('gives back what waits, finishes what is begun, and ends when all is acknowledged', () => {
    const desk = deskOf();
    desk.open();
    desk.hear(grant('a', 'b', 'c'));
    const effects = desk.happen({ kind: 'drain', graceMs: 30_000 });
    expect(sent(effects).flatMap((message) => (message.kind === 'nack' ? [message.tile] : []))).toEqual([
      'b',
      'c',
    ]);
    expect(results(desk.solve('a'))).toEqual(['a']);
    const last = desk.hear({ kind: 'committed', job: 'j', tile: 'a', outcome: 'new' });
    expect(sent(last)).toMatchObject([{ kind: 'bye' }]);
    expect(last.at(-1)).toEqual({ kind: 'ended', reason: 'drained' });
  });

  test('takes no new work', () => {
    const desk = deskOf();
    desk.open();
    desk.hear(grant('a'));
    desk.happen({ kind: 'drain', graceMs: 30_000 });
    const effects = desk.hear(grant('b'));
    expect(kinds(effects)).not.toContain('solve');
    expect(sent(effects)).toMatchObject([{ kind: 'nack', tile: 'b' }]);
  });

  test('ends at the end of its grace whatever is left', () => {
    const desk = deskOf();
    desk.open();
    desk.hear(grant('a'));
    desk.happen({ kind: 'drain', graceMs: 5_000 });
    expect(kinds(desk.pass(4_000))).not.toContain('ended');
    expect(kinds(desk.pass(2_000))).toContain('ended');
    expect(desk.happen({ kind: 'connected' })).toEqual([]);
  });

  test('of the gateway sends the worker elsewhere with what it has', () => {
    const desk = deskOf({ gateways: ['ws://a', 'ws://b'] });
    desk.open();
    desk.hear(grant('t'));
    desk.solve('t');
    desk.hear({ kind: 'drain', graceMs: 60_000, gateways: [] });
    expect(desk.untilConnect()).toBe('ws://b');
    desk.happen({ kind: 'connected' });
    expect(results(desk.hear(welcome))).toEqual(['t']);
  });
});

test('a worker that cannot solve gives back and asks for less', () => {
  const desk = deskOf();
  desk.open();
  let wants = 0;
  for (let second = 0; second < 100; second++) {
    const effects = [
      ...desk.hear(grant(`t${second}`)),
      ...desk.happen({ kind: 'solve-failed', name: { job: 'j', tile: `t${second}` }, reason: 'no memory' }),
      ...desk.pass(1_000),
    ];
    wants += sent(effects).filter(({ kind }) => kind === 'want').length;
  }
  expect(wants).toBeLessThan(10);
});

test('more leases than a worker can hold are given back', () => {
  const desk = deskOf({ slots: 4 });
  desk.open();
  const effects = desk.hear(grant(...Array.from({ length: 100 }, (_, index) => `t${index}`)));
  expect(kinds(effects).filter((kind) => kind === 'solve')).toHaveLength(8);
  expect(sent(effects).filter(({ kind }) => kind === 'nack')).toHaveLength(92);
});
