import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LayerProblem, Tile } from '../../src/core/plan/tile.ts';
import { loadKernel } from '../../worker/kernel/kernel.ts';
import { selfTestCases } from '../../worker/self-test.ts';
import { SlicedTile } from '../../worker/sliced-tile.ts';
import { layerAndTile } from '../support/layer-problems.ts';

const kernel = await loadKernel();

function solveSliced(problem: LayerProblem, tile: Tile, rowCounts: readonly number[]) {
  const sliced = new SlicedTile(kernel.solveTile, { problem, tile });
  let steps = 0;
  for (; !sliced.isDone; steps++) {
    if (steps > 100_000) throw new Error('the tile is never done');
    sliced.solveSome(rowCounts[steps % rowCounts.length] ?? 1);
  }
  return { result: sliced.result(), steps };
}

const slices = fc.array(fc.integer({ min: 0, max: 12 }), { minLength: 1, maxLength: 6 });

describe('a tile in slices', () => {
  it('has the result of the whole, however it is sliced', () => {
    fc.assert(
      fc.property(layerAndTile, slices, ([problem, tile], rowCounts) => {
        expect(solveSliced(problem, tile, rowCounts).result).toEqual(kernel.solveTile(problem, tile));
      }),
      { numRuns: 300 },
    );
  });

  it('has it row by row, and in one slice', () => {
    for (const [problem, tile] of selfTestCases()) {
      const whole = kernel.solveTile(problem, tile);
      const single = solveSliced(problem, tile, [1]);
      expect(single.result).toEqual(whole);
      expect(single.steps).toBeGreaterThanOrEqual(whole.copyRows.length + whole.misses.length / 2);
      expect(solveSliced(problem, tile, [1000])).toEqual({ result: whole, steps: 1 });
    }
  });
});
