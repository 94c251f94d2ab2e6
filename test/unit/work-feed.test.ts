/** What a gateway takes from the shared queue: a queue in memory, and a ledger that only counts. */
import { afterEach, expect, test } from 'vitest';
import { WorkFeed, type WorkFeedOptions } from '../../coordinator/cluster/work-feed.ts';
import type { Delivery } from '../../coordinator/engine/nats/work-stream.ts';
import { until } from '../support/until.ts';

type Pull = (job: string, count: number) => Promise<readonly Delivery[] | null>;

interface Ask {
  readonly job: string;
  readonly count: number;
}

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

function deliveryOf(tile: string, changes: Partial<Delivery> = {}): Delivery {
  const nothing = (): void => undefined;
  const item = new Uint8Array(0);
  return {
    tile,
    item,
    isPulled: true,
    isRepeated: false,
    done: nothing,
    keep: nothing,
    giveBack: nothing,
    ...changes,
  };
}

/**
 * A feed with `room` for tiles, over queues with so many tiles each; running jobs that are not named have none. `asks` are the pulls
 * so far.
 */
function feedOf({
  room,
  queues,
  priorityOf = () => 0,
  pull,
  find,
  ackMs = 60_000,
}: {
  room: number;
  queues: Map<string, number>;
  priorityOf?: WorkFeedOptions['priorityOf'];
  pull?: Pull;
  find?: () => Delivery;
  ackMs?: number;
}) {
  const asks: Ask[] = [];
  let openTiles = 0;
  let now = 0;
  const take: Pull = async (job, count) => {
    const left = queues.get(job);
    if (left === undefined) return null;
    const taken = Math.min(left, count);
    queues.set(job, left - taken);
    return Array.from({ length: taken }, (_, k) => deliveryOf(`${job} ${left - k}`));
  };
  const feed = new WorkFeed({
    work: {
      jobs: async () => [...queues.keys()],
      pull: (job: string, count: number) => {
        asks.push({ job, count });
        return (pull ?? take)(job, count);
      },
      find: async () => find?.(),
    },
    engine: { hasResult: async () => false },
    items: { read: async () => ({}) },
    priorityOf,
    ledger: {
      addJob: () => undefined,
      removeJob: () => undefined,
      addTile: () => {
        openTiles++;
        return new Promise(() => undefined);
      },
    },
    ledgerStatus: () => ({ sessions: [{ threads: room / 2, leases: 0, isQuarantined: false }], openTiles }),
    ackMs,
    nowMs: () => now,
    onTrouble: (reason: string) => expect.unreachable(reason),
  } as unknown as WorkFeedOptions);
  closers.push(() => feed.close());
  return {
    feed,
    asks,
    pass: (ms: number): void => {
      now += ms;
    },
  };
}

test('a feed ends though its queue does not answer, and asks it for nothing more', async () => {
  let answer: () => void = () => undefined;
  const pull: Pull = () =>
    new Promise((resolve) => {
      answer = () => resolve([]);
    });
  const queues = new Map(['a', 'b', 'c'].map((job) => [job, 1]));
  const { feed, asks } = feedOf({ room: 8, queues, priorityOf: (job) => job.charCodeAt(0), pull });
  await until(() => asks.length > 0);
  await feed.close();
  answer();
  await feed.close();
  expect(asks).toEqual([{ job: 'c', count: 8 }]);
});

test('only open queues are asked, each for its share, however many jobs run', async () => {
  const queues = new Map([
    ['a', 100],
    ['b', 100],
  ]);
  const { asks } = feedOf({ room: 64, queues });
  await until(() => asks.length === 2);
  expect(asks).toContainEqual({ job: 'a', count: 32 });
  expect(asks).toContainEqual({ job: 'b', count: 32 });
});

test('what empty queues leave of their share goes to the others at the next step', async () => {
  const empty = Array.from({ length: 15 }, (_, k) => `empty ${k}`);
  const queues = new Map([...empty.map((job) => [job, 0] as const), ['full', 100]]);
  const { asks } = feedOf({ room: 64, queues });
  await until(() => asks.length === 17);
  expect(asks.filter(({ job }) => job === 'full')).toEqual([
    { job: 'full', count: 4 },
    { job: 'full', count: 60 },
  ]);
});

test('no more is asked for than there is room, with more queues than that', async () => {
  const jobs = ['a', 'b', 'c', 'd', 'e'];
  const queues = new Map(jobs.map((job) => [job, job === 'e' ? 2 : 0]));
  const { asks } = feedOf({ room: 2, queues });
  await until(() => asks.some(({ job }) => job === 'e'));
  expect(asks.every(({ count }) => count <= 2)).toBe(true);
  await until(() => queues.get('e') === 0);
  expect(asks.length).toBeLessThanOrEqual(6);
});

test('more urgent jobs come first, and those that do not run never', async () => {
  const queues = new Map(['later', 'over', 'first'].map((job) => [job, 2]));
  const priorities = new Map([
    ['later', 1],
    ['first', 2],
  ]);
  const { asks } = feedOf({ room: 4, queues, priorityOf: (job) => priorities.get(job) });
  await until(() => queues.get('later') === 0);
  expect(asks).toEqual([
    { job: 'first', count: 4 },
    { job: 'later', count: 2 },
  ]);
});

test('a queue that is opened later is found within a second, and one that is closed is let alone', async () => {
  const queues = new Map([['old', 0]]);
  const { asks, pass } = feedOf({ room: 4, queues });
  await until(() => asks.length > 0);
  queues.delete('old');
  queues.set('new', 1);
  pass(1000);
  await until(() => asks.some(({ job }) => job === 'new'));
  const count = asks.filter(({ job }) => job === 'old').length;
  await until(() => asks.filter(({ job }) => job === 'new').length > 2);
  expect(asks.filter(({ job }) => job === 'old')).toHaveLength(count);
});

test('a tile that was pulled is kept also after a worker has brought its result from another gateway', async () => {
  let onKept: () => void = () => undefined;
  const pulled = deliveryOf('tile', { keep: () => onKept() });
  const queues = new Map([['job', 1]]);
  const { feed } = feedOf({
    room: 2,
    queues,
    pull: async (job) => {
      const isThere = queues.get(job) === 1;
      queues.set(job, 0);
      return isThere ? [pulled] : [];
    },
    find: () => deliveryOf('tile', { isPulled: false, isRepeated: true }),
    ackMs: 3,
  });
  const whenKept = (): Promise<void> =>
    new Promise((resolve) => {
      onKept = resolve;
    });
  await whenKept();
  expect(await feed.adopt('job', 'tile')).toBe(true);
  await whenKept();
});
