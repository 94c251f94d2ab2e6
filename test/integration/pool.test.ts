import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import type { LayerProblem, Tile } from '../../src/core/plan/tile.ts';
import { loadKernel } from '../../worker/kernel/kernel.ts';
import { openPool } from '../../worker/node/pool.ts';
import { layerAndTile } from '../support/layer-problems.ts';
import { startNode } from '../support/node-process.ts';

const kernel = await loadKernel();
const cases = fc.sample(layerAndTile, { numRuns: 24, seed: 11 });

describe.each([1, 2])('a pool of %d threads', (threads) => {
  const pool = openPool({ threads });
  afterAll(() => pool.close());

  it('gives what the kernel gives, whatever the order of layers', async () => {
    const order = [...cases, ...cases.slice(0, 6)];
    const found = await Promise.all(order.map(([problem, tile]) => pool.solve(problem, tile)));
    expect(found).toEqual(order.map(([problem, tile]) => kernel.solveTile(problem, tile)));
  });

  it('rejects a tile whose signal has aborted, and goes on', async () => {
    const [problem, tile] = cases[0] as [LayerProblem, Tile];
    const stop = new AbortController();
    stop.abort();
    await expect(pool.solve(problem, tile, { signal: stop.signal })).rejects.toThrow(/abort/i);
    expect(await pool.solve(problem, tile)).toEqual(kernel.solveTile(problem, tile));
  });

  it('rejects the tiles at work and in the queue when they are aborted, and goes on', async () => {
    const [problem, tile] = cases[1] as [LayerProblem, Tile];
    const stop = new AbortController();
    const waiting = Array.from({ length: 8 }, () => pool.solve(problem, tile, { signal: stop.signal }));
    stop.abort();
    const outcomes = await Promise.allSettled(waiting);
    expect(outcomes.every((outcome) => outcome.status === 'rejected')).toBe(true);
    expect(await pool.solve(problem, tile)).toEqual(kernel.solveTile(problem, tile));
  });

  it('passes the kernel’s refusal on', async () => {
    const [problem, tile] = cases[2] as [LayerProblem, Tile];
    await expect(pool.solve({ ...problem, gridBits: 40 }, tile)).rejects.toThrow(
      /grid bits is 40, expected at most 24/,
    );
  });
});

describe('opening and closing a pool', () => {
  it.each([0, -1, 1.5, Number.NaN, 1e6])('refuses %d threads', (threads) => {
    expect(() => openPool({ threads })).toThrow(/expected a whole number from 1/);
  });

  // By chance: one run in some finds a pool that breaks here.
  it('leaves the process alive when it closes while its threads still load', async () => {
    const { child } = startNode('pool-closing-entry.mjs', { cycles: 30 });
    const code = await new Promise((resolve) => child.once('close', resolve));
    expect(code).toBe(0);
  });

  it('rejects what is not done when it closes, and may be closed twice', async () => {
    const pool = openPool({ threads: 1 });
    const [problem, tile] = cases[0] as [LayerProblem, Tile];
    const outcome = pool.solve(problem, tile).then(
      () => 'solved',
      () => 'rejected',
    );
    await Promise.all([pool.close(), pool.close()]);
    expect(await outcome).toBe('rejected');
    await expect(pool.solve(problem, tile)).rejects.toThrow();
  });

  it('lets replies that are on their way when it closes go by', async () => {
    const pool = openPool({ threads: 2 });
    const [problem, tile] = cases[0] as [LayerProblem, Tile];
    await pool.solve(problem, tile);
    const outcomes = Promise.allSettled(Array.from({ length: 4 }, () => pool.solve(problem, tile)));
    // The threads reply while this one is busy with far more of the same.
    for (let k = 0; k < 100; k++) for (const [other, work] of cases) kernel.solveTile(other, work);
    await pool.close();
    expect((await outcomes).map(({ status }) => status)).toContain('rejected');
  });
});
