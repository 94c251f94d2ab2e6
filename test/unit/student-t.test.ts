import { describe, expect, it } from 'vitest';
import { estimateOf, studentQuantile } from '../../src/cli/sweep/student-t.ts';

describe('the Student quantile', () => {
  it.each([
    [1, 12.706205],
    [2, 4.302653],
    [4, 2.776445],
    [9, 2.262157],
    [30, 2.042272],
    [121, 1.979764],
  ])('of %i degrees of freedom is the one in the tables', (freedom, quantile) => {
    expect(studentQuantile(freedom)).toBeCloseTo(quantile, 5);
  });
});

describe('an estimate', () => {
  it('is the mean, and t·s/√n to both sides', () => {
    const { mean, halfWidth } = estimateOf([1, 2, 3, 4]);
    expect(mean).toBe(2.5);
    expect(halfWidth).toBeCloseTo((3.182446 * Math.sqrt(5 / 3)) / 2, 5);
  });

  it('has an interval of no width where all values are one, and none of a single value', () => {
    expect(estimateOf([7, 7, 7])).toEqual({ mean: 7, halfWidth: 0 });
    expect(estimateOf([7])).toEqual({ mean: 7, halfWidth: null });
  });
});
