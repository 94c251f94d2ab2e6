import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { missFault } from '../../coordinator/gateway/proving-checks.ts';
import { blocksPerRow, type LayerProblem, type Solver, type Tile } from '../../src/core/plan/tile.ts';
import { loadKernel } from '../../worker/kernel/kernel.ts';
import { layerAndTile } from '../support/layer-problems.ts';

const kernel = await loadKernel();
let rowsSolved = 0;
const solver: Solver = {
  concurrency: 1,
  solve: async (problem, tile) => {
    rowsSolved += tile.neurons.length;
    return kernel.solveTile(problem, tile);
  },
};
const asInt32 = (claims: readonly (readonly number[])[]): Int32Array => Int32Array.from(claims.flat());

function honest(problem: LayerProblem, tile: Tile): { misses: number[][]; copies: number[] } {
  const { misses, copyRows } = kernel.solveTile(problem, tile);
  const pairs = Array.from({ length: misses.length / 2 }, (_, k) => [...misses.subarray(2 * k, 2 * k + 2)]);
  return { misses: pairs, copies: [...copyRows] };
}

describe('claimed misses', () => {
  it('are proven where they are true, by solving no other rows', async () => {
    let proven = 0;
    await fc.assert(
      fc.asyncProperty(layerAndTile, async ([problem, tile]) => {
        const { misses } = honest(problem, tile);
        rowsSolved = 0;
        expect(await missFault(solver, { problem, tile }, asInt32(misses))).toBeNull();
        expect(rowsSolved).toBe(misses.length);
        proven += misses.length;
      }),
    );
    expect(proven).toBeGreaterThan(50);
  });

  it('are refuted where a row is a copy, in whatever block it is said to fail, among true ones', async () => {
    let refuted = 0;
    await fc.assert(
      fc.asyncProperty(layerAndTile, fc.nat(), fc.nat(), async ([problem, tile], which, where) => {
        const { misses, copies } = honest(problem, tile);
        if (copies.length === 0) return;
        const lie = [copies[which % copies.length] ?? 0, where % blocksPerRow(problem)];
        const claims = [...misses.slice(0, which % (misses.length + 1)), lie, ...misses];
        expect(await missFault(solver, { problem, tile }, asInt32(claims))).toMatch(
          `row ${lie[0]} has subsets`,
        );
        refuted++;
      }),
    );
    expect(refuted).toBeGreaterThan(30);
  });

  it('are refuted where they name a block before the one that fails', async () => {
    let refuted = 0;
    await fc.assert(
      fc.asyncProperty(layerAndTile, fc.nat(), async ([problem, tile], which) => {
        const { misses } = honest(problem, tile);
        const claims = misses.map(([row = 0, block = 0]) => [row, block]);
        const changed = claims[which % Math.max(1, claims.length)];
        if (changed === undefined || changed[1] === 0) return;
        changed[1] = which % (changed[1] ?? 1);
        expect(await missFault(solver, { problem, tile }, asInt32(claims))).toMatch(/has subsets/);
        refuted++;
      }),
    );
    expect(refuted).toBeGreaterThan(10);
  });
});
