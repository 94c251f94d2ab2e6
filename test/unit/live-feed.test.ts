/** How the feed treats its viewers. */
import type { ServerResponse } from 'node:http';
import { Writable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { LiveFeed, type Viewer } from '../../coordinator/gateway/live/live-feed.ts';
import { applyPatch } from '../../src/core/live/patch.ts';
import type { LiveLine } from '../../src/core/live/views.ts';

const session = { scope: 'read', maySubmit: false, mayFetch: false };

/** A viewer that reads as fast as its test lets it; a response is, to the feed, a stream. */
class TestViewer extends Writable {
  readonly states: Record<string, unknown> = {};
  readonly kinds: string[] = [];
  isAllowed = true;
  isReading = true;
  private waiting: (() => void) | undefined;

  constructor() {
    super({ highWaterMark: 1, decodeStrings: false });
  }

  override _write(text: string, _: BufferEncoding, callback: () => void): void {
    const line = JSON.parse(text) as LiveLine;
    if ('state' in line) this.states[line.topic] = line.state;
    else this.states[line.topic] = applyPatch(this.states[line.topic], line.patch);
    this.kinds.push('state' in line ? `whole ${line.topic}` : `change of ${line.topic}`);
    if (this.isReading) callback();
    else this.waiting = callback;
  }

  read(): void {
    this.isReading = true;
    this.waiting?.();
  }

  get viewer(): Viewer {
    const response = this as unknown as ServerResponse;
    return { response, session, job: 'j', isAllowed: () => this.isAllowed };
  }
}

function feedOf() {
  const clock = { now: 0 };
  const asked = { overview: 0, job: 0 };
  const state = { count: 0, padding: '' };
  const states = {
    overview: () => {
      asked.overview++;
      return { ...state };
    },
    job: (id: string) => {
      asked.job++;
      return { id, ...state };
    },
  };
  return { feed: new LiveFeed(states, () => clock.now), clock, asked, state };
}

/** Streams hand their text on between turns of the loop. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('the feed', () => {
  test('begins with whole states and goes on with what changes', async () => {
    const { feed, state } = feedOf();
    const viewer = new TestViewer();
    feed.open(viewer.viewer);
    state.count = 1;
    feed.step();
    feed.step();
    await settled();
    expect(viewer.states).toEqual({
      session,
      overview: { count: 1, padding: '' },
      job: { id: 'j', count: 1, padding: '' },
    });
    const changes = ['change of overview', 'change of job'];
    expect(viewer.kinds).toEqual(['whole session', 'whole overview', 'whole job', ...changes]);
    feed.close();
  });

  test('works a state out once for all viewers, and not at all for none', async () => {
    const { feed, asked } = feedOf();
    feed.step();
    expect(asked).toEqual({ overview: 0, job: 0 });
    const viewers = Array.from({ length: 50 }, () => new TestViewer());
    for (const viewer of viewers) feed.open(viewer.viewer);
    feed.step();
    expect(asked).toEqual({ overview: 2, job: 2 });
    for (const viewer of viewers) viewer.destroy();
    await settled();
    feed.step();
    expect(asked).toEqual({ overview: 2, job: 2 });
    feed.close();
  });

  test('gives a viewer that comes later the state of the moment', async () => {
    const { feed, state } = feedOf();
    const first = new TestViewer();
    feed.open(first.viewer);
    for (state.count = 1; state.count < 5; state.count++) feed.step();
    const second = new TestViewer();
    feed.open(second.viewer);
    state.count = 9;
    feed.step();
    await settled();
    expect(second.states).toEqual(first.states);
    expect(second.kinds.slice(1, 3)).toEqual(['whole overview', 'whole job']);
    feed.close();
  });

  test('leaves out a viewer that does not read, and brings it up to date when it does', async () => {
    const { feed, state } = feedOf();
    const slow = new TestViewer();
    slow.isReading = false;
    feed.open(slow.viewer);
    let most = 0;
    for (let step = 0; step < 200; step++) {
      state.count++;
      state.padding = `${step}`.repeat(20_000);
      feed.step();
      most = Math.max(most, slow.writableLength);
    }
    expect(most).toBeLessThan(500_000);
    slow.read();
    await settled();
    expect(slow.states.overview).not.toEqual(state);
    state.count++;
    feed.step();
    await settled();
    expect(slow.states.overview).toEqual(state);
    feed.close();
  });

  test('cuts a viewer that goes on not reading', () => {
    const { feed, state, clock } = feedOf();
    const stuck = new TestViewer();
    stuck.isReading = false;
    feed.open(stuck.viewer);
    state.padding = 'x'.repeat(100_000);
    for (; clock.now < 29_000; clock.now += 1000) {
      state.count++;
      feed.step();
    }
    expect(stuck.destroyed).toBe(false);
    for (; clock.now < 40_000; clock.now += 1000) feed.step();
    expect(stuck.destroyed).toBe(true);
    feed.close();
  });

  test('ends for a viewer whose token is good no longer', async () => {
    const { feed } = feedOf();
    const viewer = new TestViewer();
    feed.open(viewer.viewer);
    viewer.isAllowed = false;
    feed.step();
    await settled();
    expect(viewer.writableEnded).toBe(true);
    feed.close();
  });
});
