import { describe, expect, it } from 'vitest';
import { memoryDisk, type WriteFate } from '../../coordinator/engine/memory-engine.ts';
import { nameOfKey, resultKey } from '../../coordinator/engine/record.ts';
import { threadRunner } from '../../coordinator/jobs/thread-runner.ts';
import type { TileObserver } from '../../coordinator/tile-observer.ts';
import type { Solver } from '../../src/core/plan/tile.ts';
import { countingSolver } from '../support/counting-solver.ts';
import {
  expected,
  forge,
  interruptedBeforeSeal,
  kernel,
  live,
  networkBytes,
  submit,
  ticketOf,
} from '../support/job-life.ts';

const runner = threadRunner({ verifyThreads: 1 });

/** Writes down what an observer sees; `tile` looks into the arrays that have come from another thread. */
function recorder(): { seen: string[]; tileObserver: () => TileObserver } {
  const seen: string[] = [];
  const tileObserver = () => ({
    begun: (layer: number) => seen.push(`begun ${layer}`),
    cut: (layer: number, tileIds: readonly string[]) => seen.push(`cut ${layer} ${tileIds.join()}`),
    done: (layer: number, { problem, tile, result }: Parameters<TileObserver['done']>[1]) =>
      seen.push(
        [
          `done ${layer}`,
          tile.id,
          tile.targets.join(),
          tile.biasTargets.join(),
          result.masks.join(),
          problem.groupColumns.join(),
          problem.sourceLayer,
        ].join(' '),
      ),
  });
  return { seen, tileObserver };
}

describe('a job on a thread of its own', () => {
  it('gives the ticket, and shows the tiles, that it does on this thread', async () => {
    const runs = await Promise.all(
      [{ runner }, {}].map(async (options) => {
        const { seen, tileObserver } = recorder();
        const life = await live(memoryDisk(), { ...options, tileObserver });
        const job = await submit(life.jobs);
        expect(await ticketOf(life, job)).toEqual(expected);
        const progress = life.jobs.status(job)?.progress;
        await life.end();
        return { seen: seen.sort(), layers: progress?.layers, share: progress?.share };
      }),
    );
    expect(runs[0]).toEqual(runs[1]);
    expect(runs[0]?.seen.length).toBeGreaterThan(10);
  });

  it('is interrupted at once, and goes on from its tiles', async () => {
    const disk = memoryDisk();
    const stopping = countingSolver(kernel, 4);
    const before = await live(disk, { runner, solver: stopping });
    const job = await submit(before.jobs);
    await stopping.asked(5);
    await before.end();
    const records = disk.records.size;
    const solver = countingSolver(kernel);
    const after = await live(disk, { runner, solver });
    expect(disk.records.size).toBe(records);
    expect(await ticketOf(after, job)).toEqual(expected);
    expect(solver.tiles.filter((tile) => stopping.tiles.slice(0, 4).includes(tile))).toEqual([]);
    await after.end();
  });

  it('leaves nothing when it is removed while it is planned, solved or sealed', async () => {
    for (const phase of ['planning', 'solving', 'verifying']) {
      const disk = memoryDisk();
      let removal: Promise<boolean> | undefined;
      const life = await live(disk, {
        runner,
        onChange: (job) => {
          if (life?.jobs.status(job)?.phase === phase) removal ??= life.jobs.remove(job);
        },
      });
      await life.jobs.whenOver(await submit(life.jobs));
      expect(await removal).toBe(true);
      await life.end();
      expect([...disk.records.keys()].map(nameOfKey)).toEqual([]);
      expect(disk.blobs.size).toBe(0);
    }
  });

  it('repairs what does not verify', async () => {
    const { disk, job, tiles } = await interruptedBeforeSeal();
    forge(disk, resultKey(job, tiles[1] ?? ''));
    const solver = countingSolver(kernel);
    const life = await live(disk, { runner, solver });
    expect(await ticketOf(life, job)).toEqual(expected);
    expect(solver.tiles).toEqual([tiles[1]]);
    await life.end();
  });

  it('is incomplete with the reason when a tile is dead', async () => {
    const broken: Solver = { concurrency: 1, solve: () => Promise.reject(new Error('no worker can')) };
    const life = await live(memoryDisk(), { runner, solver: broken });
    expect(await life.jobs.whenOver(await submit(life.jobs))).toMatchObject({
      state: 'incomplete',
      reason: 'Error: no worker can',
    });
    await life.end();
  });

  it('waits for a store that cannot be used, and says so', async () => {
    const fates: WriteFate[] = ['lost', 'written-but-rejected'];
    let submitted = false;
    const reasons = new Set<unknown>();
    const life = await live(memoryDisk(), {
      runner,
      fateOf: ([key = '']) => (submitted && !key.includes('/') ? (fates.shift() ?? 'written') : 'written'),
      onChange: (job) => {
        const status = life?.jobs.status(job);
        if (status?.phase === 'stalled') reasons.add(status.reason);
      },
    });
    const job = await submit(life.jobs);
    submitted = true;
    expect(await ticketOf(life, job)).toEqual(expected);
    expect([...reasons]).toEqual(['Cannot write 1 records: the disk in memory fails']);
    await life.end();
  });

  it('fails with the reason, of the kind it had, when there is no plan', async () => {
    const life = await live(memoryDisk(), { runner });
    const status = await life.jobs.whenOver(await submit(life.jobs, { epsilon: 0 }));
    expect(status).toMatchObject({ state: 'failed', reason: expect.stringMatching(/^Cannot /) });
    await life.end();
  });

  it('has no digest for what is no network, and says why as a failure', async () => {
    expect(await runner.digestOf(networkBytes)).toMatch(/^[0-9a-f]{64}$/);
    await expect(runner.digestOf(networkBytes.subarray(0, 100))).rejects.toMatchObject({
      name: 'TombolaError',
      kind: 'failure',
      message: expect.stringMatching(/^Cannot read/),
    });
  });
});
