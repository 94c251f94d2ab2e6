import { describe, expect, it } from 'vitest';
import { referenceSolver, referenceSolveTile } from '../../src/core/plan/reference-solver.ts';
import type { LayerProblem, Tile } from '../../src/core/plan/tile.ts';
import { solveLongBlock } from '../../src/core/subset-sum/long-block.ts';

describe('a long block', () => {
  it('takes a sample only where it makes the residual smaller, in order', () => {
    // 30 walked: 60 overshoots 50 but is nearer than 0, 20 would lead away, −15 leads to 45, 5 hits; the tail adds nothing.
    const samples = new Int32Array(50);
    samples.set([60, 20, -15, 5, 5]);
    const found = solveLongBlock({ samples, target: 50, tolerance: 0 });
    expect(found?.residual).toBe(0);
    expect([...(found?.chosen ?? [])].flatMap((bit, index) => (bit === 1 ? [index] : []))).toEqual([0, 2, 3]);
  });

  it('does not take a sample that leaves |residual| as it is', () => {
    const samples = new Int32Array(41);
    samples.set([20]);
    expect(solveLongBlock({ samples, target: 10, tolerance: 10 })).toEqual({
      chosen: new Uint8Array(41),
      residual: -10,
    });
  });

  it('solves its last 20 samples exactly, with the fewest samples', () => {
    const samples = new Int32Array(45);
    samples.set([3, 5, 8], 42);
    const found = solveLongBlock({ samples, target: 8, tolerance: 5 });
    expect(found?.chosen.lastIndexOf(1)).toBe(44);
    expect(found?.chosen.indexOf(1)).toBe(44);
    expect(found?.residual).toBe(0);
  });

  it('is a miss when what remains is above tolerance', () => {
    const samples = new Int32Array(60).fill(7);
    expect(solveLongBlock({ samples, target: 421, tolerance: 1 })?.residual).toBe(-1);
    expect(solveLongBlock({ samples, target: 422, tolerance: 1 })).toBeUndefined();
    expect(solveLongBlock({ samples, target: 1e15, tolerance: 1 })).toBeUndefined();
  });
});

describe('the readable tile solver', () => {
  const empty = new Int32Array(0);
  const problem: LayerProblem = {
    seed: 0x0123456789abcdefn,
    gridBits: 24,
    sourceLayer: 1,
    rows: 3,
    cols: 7,
    taps: 1,
    channels: 1,
    groupOffsets: Int32Array.of(0, 3),
    groupColumns: Int32Array.of(1, 2, 4),
    groupChannels: Int32Array.of(0),
    groupMultipliers: null,
    sampleShift: 0,
    rule: 'fewest',
    tolerance: 0,
    bias: { elements: empty, values: empty, sampleShift: 0, ownScale: 0, interceptScale: 0, tolerance: 2 },
  };
  const tile: Tile = {
    id: 'a',
    sourceLayer: 1,
    pass: 0,
    neurons: [{ neuron: 0, firstRow: 0, rowCount: 3, wanted: 2 }],
    targets: Int32Array.of(0),
    biasTargets: Float64Array.of(2),
  };

  it('keeps no edge for a target of 0 under fewest, and an empty bias block where its target is within tolerance', () => {
    expect(referenceSolveTile(problem, tile)).toEqual({
      tileId: 'a',
      copyCounts: Int32Array.of(2),
      copyRows: Int32Array.of(0, 1),
      masks: Uint8Array.of(0, 0),
      misses: empty,
    });
  });

  it('reports the first block without a subset of every row tried', async () => {
    const unreachable = await referenceSolver.solve(problem, { ...tile, biasTargets: Float64Array.of(3) });
    expect([...unreachable.misses]).toEqual([0, 1, 1, 1, 2, 1]);
    const wrongWeight = referenceSolveTile(problem, {
      ...tile,
      targets: Int32Array.of(1),
      biasTargets: Float64Array.of(3),
    });
    expect([...wrongWeight.misses]).toEqual([0, 0, 1, 0, 2, 0]);
  });
});
