import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Subset, SubsetSumProblem } from '../../src/core/subset-sum/problem.ts';
import { solveByDefinition } from '../../src/core/subset-sum/solve-by-definition.ts';
import { solveReference } from '../../src/core/subset-sum/solve-reference.ts';
import { loadKernel } from '../../worker/kernel/kernel.ts';

const kernel = await loadKernel();

/** Sizes of samples: a few values only, int8, 24 bits, and the extremes alone. */
const sampleOf = fc.constantFrom(
  fc.integer({ min: -2, max: 2 }),
  fc.integer({ min: -128, max: 127 }),
  fc.integer({ min: -(2 ** 23), max: 2 ** 23 - 1 }),
  fc.constantFrom(-(2 ** 24), 2 ** 24, 0, -1, 1),
  fc.tuple(fc.integer({ min: -128, max: 127 }), fc.integer({ min: -128, max: 127 })).map(([u, v]) => u * v),
);

function problemOf(limits: {
  readonly countMin: number;
  readonly countMax: number;
}): fc.Arbitrary<SubsetSumProblem> {
  return sampleOf.chain((sample) =>
    fc
      .record({
        samples: fc.array(sample, { minLength: limits.countMin, maxLength: limits.countMax, size: 'max' }),
        choice: fc.infiniteStream(fc.boolean()),
        target: fc.oneof(
          fc.constant(undefined),
          fc.constant(undefined),
          fc.constant(0),
          sample,
          fc.integer(),
        ),
        nudge: fc.integer({ min: -3, max: 3 }),
        tolerance: fc.oneof(fc.constant(0), fc.nat(3), fc.nat(100_000), fc.nat(2 ** 31 - 1)),
        rule: fc.constantFrom('fewest' as const, 'closest' as const),
      })
      .map(({ samples, choice, target, nudge, tolerance, rule }) => ({
        samples: Int32Array.from(samples),
        // Without a target of its own, a problem asks for something near a sum that exists.
        target: target ?? samples.reduce((sum, value) => sum + (choice.next().value ? value : 0), nudge),
        tolerance,
        rule,
      })),
  );
}

/** Blocks as a source gives them, from a small generator of our own, so that a number names the block. */
function sourceLikeProblem(options: {
  readonly seed: number;
  readonly count: number;
  readonly bits: number;
  readonly tolerance: number;
  readonly rule: 'fewest' | 'closest';
}): SubsetSumProblem {
  let state = options.seed;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) >>> (32 - options.bits)) - 2 ** (options.bits - 1);
  };
  return {
    samples: Int32Array.from({ length: options.count }, next),
    target: next(),
    tolerance: options.tolerance,
    rule: options.rule,
  };
}

describe('the solvers of a block', () => {
  it('agree bit for bit on up to 12 samples of any kind', () => {
    fc.assert(
      fc.property(problemOf({ countMin: 0, countMax: 12 }), (problem) => {
        const expected = solveByDefinition(problem);
        expect(solveReference(problem)).toEqual(expected);
        expect(kernel.solveBlock(problem)).toEqual(expected);
      }),
      { numRuns: 1500 },
    );
  });

  it('agree bit for bit on 13 to 24 samples of any kind', () => {
    fc.assert(
      fc.property(problemOf({ countMin: 13, countMax: 24 }), (problem) => {
        expect(kernel.solveBlock(problem)).toEqual(solveReference(problem));
      }),
      { numRuns: 150 },
    );
  });

  it.each([
    { count: 15, bits: 24, tolerance: 8389, blocks: 300 },
    { count: 15, bits: 24, tolerance: 83886, blocks: 300 },
    { count: 16, bits: 24, tolerance: 30, blocks: 60 },
    { count: 18, bits: 24, tolerance: 200, blocks: 60 },
    { count: 20, bits: 8, tolerance: 0, blocks: 60 },
    { count: 20, bits: 20, tolerance: 1, blocks: 60 },
    { count: 23, bits: 24, tolerance: 40, blocks: 15 },
    { count: 24, bits: 16, tolerance: 0, blocks: 20 },
  ])(
    'agree on blocks as a source gives them: $count samples of $bits bits, tolerance $tolerance',
    (shape) => {
      let solved = 0;
      for (let seed = 1; seed <= shape.blocks; seed++) {
        for (const rule of ['fewest', 'closest'] as const) {
          const problem = sourceLikeProblem({ ...shape, seed, rule });
          const found = kernel.solveBlock(problem);
          expect(found, `seed ${seed}`).toEqual(solveReference(problem));
          if (found !== undefined) solved++;
        }
      }
      expect(solved).toBeGreaterThan(0);
    },
  );

  it('find the definition, too, on 16 samples', () => {
    for (const rule of ['fewest', 'closest'] as const) {
      const problem = sourceLikeProblem({ seed: 7, count: 16, bits: 10, tolerance: 5, rule });
      const expected = solveByDefinition(problem);
      expect(solveReference(problem)).toEqual(expected);
      expect(kernel.solveBlock(problem)).toEqual(expected);
    }
  });
});

describe('the answer to a block', () => {
  const solve = (samples: number[], target: number, tolerance: number, rule: 'fewest' | 'closest') => {
    const problem = { samples: Int32Array.from(samples), target, tolerance, rule };
    const found = kernel.solveBlock(problem);
    expect(solveReference(problem)).toEqual(found);
    return found;
  };
  const subset = (mask: number, count: number, residual: number): Subset => ({ mask, count, residual });

  it('is the empty subset where the target is within tolerance and the rule is fewest', () => {
    expect(solve([5, 3], 5, 5, 'fewest')).toEqual(subset(0, 0, -5));
    expect(solve([5, 3], 5, 5, 'closest')).toEqual(subset(1, 1, 0));
    expect(solve([0, 0], 0, 0, 'closest')).toEqual(subset(0, 0, 0));
  });

  it('is the smallest mask among equal samples', () => {
    expect(solve([7, 7, 7, 7, 7], 14, 0, 'fewest')).toEqual(subset(0b11, 2, 0));
    expect(solve(new Array(40).fill(9), 20 * 9, 0, 'fewest')).toEqual(subset(2 ** 20 - 1, 20, 0));
    expect(solve(new Array(40).fill(-9), -25 * 9 + 1, 1, 'closest')).toEqual(subset(2 ** 25 - 1, 25, -1));
  });

  it('prefers the smaller mask, not the sign, between residuals of one size', () => {
    expect(solve([9, 11], 10, 1, 'fewest')).toEqual(subset(1, 1, -1));
    expect(solve([11, 9], 10, 1, 'closest')).toEqual(subset(1, 1, 1));
  });

  it('of no samples at all is the empty subset or a miss', () => {
    expect(solve([], 3, 3, 'fewest')).toEqual(subset(0, 0, -3));
    expect(solve([], 3, 3, 'closest')).toEqual(subset(0, 0, -3));
    expect(solve([], 4, 3, 'fewest')).toBeUndefined();
  });

  it('is right for targets far outside 32 bits', () => {
    expect(solve([1, 2, 3], 1e12, 100, 'fewest')).toBeUndefined();
    expect(solve([1, 2, 3], 1e12, 1e12 - 5, 'fewest')).toEqual(subset(0b110, 2, 5 - 1e12));
    expect(solve([1, 2, -3], -1e12, 1e12, 'closest')).toEqual(subset(0b100, 1, 1e12 - 3));
  });

  it('counts a residual as large as the tolerance, and none that is larger', () => {
    expect(solve([100], 90, 10, 'fewest')).toEqual(subset(1, 1, 10));
    expect(solve([100], 89, 10, 'fewest')).toBeUndefined();
  });

  it('reaches every bit of a block of 40 samples', () => {
    const samples = Array.from({ length: 40 }, (_, k) => (k % 2 === 0 ? 2 ** 24 - k : -(2 ** 23) - k * k));
    const all = samples.reduce((sum, value) => sum + value, 0);
    const found = kernel.solveBlock({
      samples: Int32Array.from(samples),
      target: all,
      tolerance: 0,
      rule: 'closest',
    });
    expect(found?.residual).toBe(0);
    const positive = samples.reduce((sum, value) => sum + Math.max(0, value), 0);
    expect(
      kernel.solveBlock({ samples: Int32Array.from(samples), target: positive, tolerance: 0, rule: 'fewest' })
        ?.count,
    ).toBe(20);
  });

  it('is refused for more than 40 samples', () => {
    expect(() =>
      kernel.solveBlock({ samples: new Int32Array(41), target: 1, tolerance: 0, rule: 'fewest' }),
    ).toThrow(/expected at most 40/);
  });
});
