import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkTile } from '../../coordinator/gateway/check-tile.ts';
import { openTileCheckPool } from '../../coordinator/gateway/tile-check-pool.ts';
import type { TileCheckTask } from '../../coordinator/gateway/tile-check-task.ts';
import { encodeTileResult } from '../../src/core/format/tile-result.ts';
import type { LayerProblem, Tile } from '../../src/core/plan/tile.ts';
import { loadKernel } from '../../worker/kernel/kernel.ts';
import { layerAndTile } from '../support/layer-problems.ts';

const kernel = await loadKernel();

function taskOf(problem: LayerProblem, tile: Tile, change: (masks: Uint8Array) => Uint8Array): TileCheckTask {
  const result = kernel.solveTile(problem, tile);
  const body = encodeTileResult({ ...result, masks: change(result.masks) });
  return { problem, tile, body, form: 'plain', checkOneIn: 1 };
}

describe('the pool that checks results', () => {
  it('gives the verdicts that one thread gives while layers take turns', async () => {
    const layers = fc.sample(
      layerAndTile.filter(([problem, tile]) => kernel.solveTile(problem, tile).masks.length > 0),
      { numRuns: 4, seed: 6 },
    );
    const tasks = [0, 1, 0, 0, 2, 3, 3, 1, 2, 0].flatMap((index) => {
      const [problem, tile] = layers[index] as [LayerProblem, Tile];
      return [(masks: Uint8Array) => masks, (masks: Uint8Array) => masks.map((byte) => byte ^ 255)].map(
        (change) => taskOf(problem, tile, change),
      );
    });
    const expected = tasks.map((task) => checkTile({ ...task, body: task.body.slice() }));
    expect(new Set(expected.map(({ kind }) => kind)).size).toBe(2);
    const pool = openTileCheckPool({ threads: 1 });
    try {
      expect(await Promise.all(tasks.map((task) => pool.check(task)))).toEqual(expected);
    } finally {
      await pool.close();
    }
  });
});
