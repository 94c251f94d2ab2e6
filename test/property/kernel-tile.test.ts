import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { referenceSolveTile } from '../../src/core/plan/reference-solver.ts';
import type { LayerProblem, Tile } from '../../src/core/plan/tile.ts';
import { PhiloxStream } from '../../src/core/random/philox.ts';
import { gridInteger } from '../../src/core/source/source-network.ts';
import { kernelDigest, loadKernel } from '../../worker/kernel/kernel.ts';
import { layerAndTile } from '../support/layer-problems.ts';

const kernel = await loadKernel();

/** A layer of one group over all columns, without constants. */
function plainLayer(changes: Partial<LayerProblem> = {}): LayerProblem {
  const cols = changes.cols ?? 12;
  return {
    seed: 5n,
    gridBits: 24,
    sourceLayer: 2,
    rows: 50,
    cols,
    taps: 1,
    channels: 1,
    groupOffsets: Int32Array.of(0, cols),
    groupColumns: Int32Array.from({ length: cols }, (_, column) => column),
    groupChannels: Int32Array.of(0),
    groupMultipliers: null,
    sampleShift: 0,
    rule: 'fewest',
    tolerance: 2 ** 20,
    bias: {
      elements: new Int32Array(0),
      values: new Int32Array(0),
      sampleShift: 0,
      ownScale: 0,
      interceptScale: 0,
      tolerance: 0,
    },
    ...changes,
  };
}

function tileOf(changes: Partial<Tile> = {}): Tile {
  return {
    id: 'tile',
    sourceLayer: 2,
    pass: 0,
    neurons: [{ neuron: 0, firstRow: 3, rowCount: 10, wanted: 4 }],
    targets: Int32Array.of(2_000_000),
    biasTargets: Float64Array.of(0),
    ...changes,
  };
}

describe('the kernel', () => {
  it('solves whole tiles as the readable solver does, bit for bit', () => {
    const seen = { copies: 0, misses: 0 };
    fc.assert(
      fc.property(layerAndTile, ([problem, tile]) => {
        const found = kernel.solveTile(problem, tile);
        expect(found).toEqual(referenceSolveTile(problem, tile));
        seen.copies += found.copyRows.length;
        seen.misses += found.misses.length / 2;
      }),
      { numRuns: 400 },
    );
    expect(seen.copies).toBeGreaterThan(100);
    expect(seen.misses).toBeGreaterThan(100);
  });

  it('keeps its answer when layers alternate', () => {
    const layers = [plainLayer(), plainLayer({ gridBits: 8, tolerance: 1 }), plainLayer({ rule: 'closest' })];
    const tile = tileOf({ targets: Int32Array.of(31) });
    const first = layers.map((layer) => kernel.solveTile(layer, tile));
    kernel.solveBlock({ samples: Int32Array.of(1), target: 1, tolerance: 0, rule: 'fewest' });
    expect(layers.map((layer) => kernel.solveTile(layer, tile))).toEqual(first);
  });

  it('draws NumPy’s numbers at positions beyond 2^32', () => {
    for (const [block, bits] of [
      [0n, 24],
      [536870911n, 8],
      [2n ** 45n, 2],
    ] as const) {
      const at = kernel.exports.numbersOf(0xfedcba9876543210n, 4294967295n, block, 3, bits);
      const found = [...new Int32Array(kernel.exports.memory.buffer, at, 48)];
      const stream = new PhiloxStream(0xfedcba9876543210n, 4294967295);
      expect(found).toEqual(found.map((_, k) => gridInteger(stream.at(Number(block) * 8 + k), bits)));
    }
  });

  it('solves rows whose positions lie beyond 2^32', () => {
    const problem = plainLayer({ cols: 1_000_003, rows: 9_000, tolerance: 2 ** 19 });
    const groupColumns = Int32Array.from({ length: 12 }, (_, k) => 83_333 * k + k * k);
    const layer = { ...problem, groupOffsets: Int32Array.of(0, 12), groupColumns };
    const tile = tileOf({ neurons: [{ neuron: 0, firstRow: 8_000, rowCount: 9, wanted: 5 }] });
    expect(kernel.solveTile(layer, tile)).toEqual(referenceSolveTile(layer, tile));
  });

  it('tries no row when no copy is wanted, and stops at the last copy wanted', () => {
    const layer = plainLayer({ tolerance: 2 ** 24 });
    const none = kernel.solveTile(
      layer,
      tileOf({ neurons: [{ neuron: 0, firstRow: 0, rowCount: 9, wanted: 0 }] }),
    );
    expect([none.copyRows.length, none.masks.length, none.misses.length]).toEqual([0, 0, 0]);
    expect([...kernel.solveTile(layer, tileOf()).copyRows]).toEqual([3, 4, 5, 6]);
  });

  it('misses a bias target that no sample can reach', () => {
    const result = kernel.solveTile(
      plainLayer({ tolerance: 2 ** 24 }),
      tileOf({ biasTargets: Float64Array.of(1e15) }),
    );
    expect([...result.copyCounts]).toEqual([0]);
    expect([...result.misses.slice(0, 2)]).toEqual([3, 1]);
  });

  it.each([
    ['grid bits', { gridBits: 25 }],
    ['grid bits', { gridBits: 1 }],
    ['length of a block', { cols: 41 }],
    ['size of a sample', { groupMultipliers: new Int32Array(12).fill(2 ** 20) }],
  ])('refuses a layer beyond its bounds: %s', (_, changes) => {
    expect(() => kernel.solveTile(plainLayer(changes), tileOf())).toThrow(
      /Cannot solve a layer .* expected at/,
    );
  });

  it('names itself by the digest of its module', () => {
    expect(kernelDigest).toMatch(/^[0-9a-f]{64}$/);
  });
});
