import { describe, expect, it } from 'vitest';
import { provingChecks } from '../../coordinator/gateway/proving-checks.ts';
import { localTileChecks } from '../../coordinator/gateway/tile-check-pool.ts';
import type { LayerProblem, Solver, Tile, TileResult } from '../../src/core/plan/tile.ts';
import { encodeResultBody } from '../../src/core/protocol/mask-code.ts';
import { loadKernel } from '../../worker/kernel/kernel.ts';
import { sizedLayer } from '../support/random-results.ts';

const kernel = await loadKernel();
const solver: Solver = { concurrency: 1, solve: async (problem, tile) => kernel.solveTile(problem, tile) };
const [easy, shape] = sizedLayer({ size: 6, biasSize: 4, taps: 1 });
/** Blocks of six samples that hit three targets in four. */
const problem: LayerProblem = { ...easy, tolerance: 2 ** 18, bias: { ...easy.bias, sampleShift: 7 } };
const tile: Tile = {
  ...shape,
  neurons: shape.neurons.map((neuron, index) => ({
    ...neuron,
    firstRow: 100 * index,
    rowCount: 40,
    wanted: 3,
  })),
  targets: shape.targets.map((_, index) => ((index * 2_654_435_761) % 2 ** 23) - 2 ** 22),
};
const honest = kernel.solveTile(problem, tile);

/** The result without its first copy, which is said to miss; the next row in reserve is tried for it. */
function hidden(): TileResult {
  const row = honest.copyRows[0] ?? 0;
  const neurons = tile.neurons.map((neuron, index) =>
    index === 0
      ? { ...neuron, firstRow: row + 1, rowCount: neuron.firstRow + neuron.rowCount - row - 1 }
      : neuron,
  );
  const others = kernel.solveTile(problem, { ...tile, neurons });
  const before = honest.misses.filter((_, k) => (honest.misses[k - (k % 2)] ?? 0) < row && row < 100);
  return { ...others, tileId: tile.id, misses: Int32Array.of(...before, row, 2, ...others.misses) };
}

const check = (result: TileResult, by: Solver, provesMisses: boolean) =>
  provingChecks(localTileChecks(), by).check({
    problem,
    tile,
    body: encodeResultBody(problem, tile, result),
    form: 'coded',
    checkOneIn: 1,
    provesMisses,
  });

describe('checks that prove misses', () => {
  it('leave nothing of a true claim unproven', async () => {
    expect(honest.misses.length).toBeGreaterThan(4);
    expect(honest.copyRows.length).toBeGreaterThan(2);
    expect(await check(honest, solver, true)).toMatchObject({ kind: 'verified', claimsMisses: false });
  });

  it('refuse a copy that is hidden, which passes every other check', async () => {
    expect(await check(hidden(), solver, false)).toMatchObject({ kind: 'verified', claimsMisses: true });
    const row = honest.copyRows[0];
    expect(await check(hidden(), solver, true)).toEqual({
      kind: 'refused',
      reason: `row ${row} has subsets where the result says that it has none`,
    });
  });

  it('leave a claim where it is not to be proven, or cannot be', async () => {
    const broken: Solver = { concurrency: 1, solve: () => Promise.reject(new Error('no memory')) };
    for (const reply of [await check(honest, solver, false), await check(honest, broken, true)])
      expect(reply).toMatchObject({ kind: 'verified', claimsMisses: true });
  });
});
