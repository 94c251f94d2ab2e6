/** What a gateway takes from the shared queue, where the queue does not answer. */
import { expect, test } from 'vitest';
import { WorkFeed, type WorkFeedOptions } from '../../coordinator/cluster/work-feed.ts';

test('a feed ends though its queue never answers, and asks it for nothing more', async () => {
  let asked = 0;
  let onAsked: () => void = () => undefined;
  const hasAsked = new Promise<void>((resolve) => {
    onAsked = resolve;
  });
  const feed = new WorkFeed({
    work: {
      pull: () => {
        asked++;
        onAsked();
        return new Promise(() => undefined);
      },
    },
    jobs: () => ['a', 'b', 'c'].map((job) => ({ job, priority: 0 })),
    ledger: { removeJob: () => undefined },
    ledgerStatus: () => ({
      sessions: [{ threads: 4, leases: 0, isQuarantined: false }],
      openTiles: 0,
    }),
    ackMs: 60_000,
    nowMs: () => 0,
    onTrouble: () => undefined,
  } as unknown as WorkFeedOptions);
  await hasAsked;
  await feed.close();
  expect(asked).toBe(1);
});
