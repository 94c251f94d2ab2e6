import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Activation,
  activate,
  activationSlope,
  type Interval,
  remainder,
  remainderRange,
  slopeRange,
  valueRange,
} from '../../src/core/network/activation.ts';
import { allActivations } from '../support/all-activations.ts';

/** fc.double draws bit patterns, nearly all of them tiny; these spread evenly, which is where the extrema are. */
const share = fc.integer({ min: 0, max: 2 ** 20 }).map((k) => k / 2 ** 20);
const size = fc.oneof(
  share.map((part) => 16 * part - 8),
  share.map((part) => 200 * part - 100),
  fc.double({ min: -8, max: 8, noNaN: true }),
);
const interval = fc.tuple(size, size).map(([a, b]): Interval => [Math.min(a, b), Math.max(a, b)]);

/** Values at float64's rounding may lie outside by that much. */
const slack = 1e-13;

function expectInside(value: number, [low, high]: Interval, what: string): void {
  const margin = slack * Math.max(1, Math.abs(low), Math.abs(high));
  expect(value, what).toBeGreaterThanOrEqual(low - margin);
  expect(value, what).toBeLessThanOrEqual(high + margin);
}

describe.each(allActivations)('intervals of $kind', (activation) => {
  it('hold every sampled value, slope and remainder', () => {
    fc.assert(
      fc.property(interval, fc.array(share, { minLength: 10, maxLength: 30 }), (range, places) => {
        const [values, slopes, remainders] = [valueRange, slopeRange, remainderRange].map((of) =>
          of(activation, range),
        ) as [Interval, Interval, Interval];
        for (const place of [0, 1, ...places]) {
          const z = Math.min(range[1], Math.max(range[0], range[0] + place * (range[1] - range[0])));
          expectInside(activate(activation, z), values, `value at ${z} of [${range.join(', ')}]`);
          expectInside(activationSlope(activation, z), slopes, `slope at ${z} of [${range.join(', ')}]`);
          expectInside(remainder(activation, z), remainders, `remainder at ${z} of [${range.join(', ')}]`);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('are attained: no wider than the samples of a fine grid show', () => {
    const grid = Array.from({ length: 80_001 }, (_, index) => -8 + index / 5000);
    for (const [of, at] of [
      [valueRange, activate],
      [remainderRange, remainder],
      [slopeRange, activationSlope],
    ] as const) {
      const samples = grid.map((z) => at(activation, z));
      const [low, high] = of(activation, [-8, 8]);
      expect(low).toBeGreaterThanOrEqual(samples.reduce((a, b) => Math.min(a, b)) - 1e-3);
      expect(high).toBeLessThanOrEqual(samples.reduce((a, b) => Math.max(a, b)) + 1e-3);
    }
  });
});

/** The first terms of the remainder's series at 0; what they leave out is far below float64's rounding for |z| ≤ 1e-4. */
const series: readonly (readonly [Activation, (z: number) => number])[] = [
  [{ kind: 'sigmoid' }, (z) => -(z ** 3) / 48 + z ** 5 / 480],
  [{ kind: 'tanh' }, (z) => -(z ** 3) / 3 + (2 * z ** 5) / 15],
  [{ kind: 'softplus' }, (z) => z ** 2 / 8 - z ** 4 / 192],
  [{ kind: 'silu' }, (z) => z ** 2 / 4 - z ** 4 / 48],
  [{ kind: 'elu', alpha: 1 }, (z) => (z >= 0 ? 0 : z ** 2 / 2 + z ** 3 / 6 + z ** 4 / 24)],
  [{ kind: 'gelu', form: 'erf' }, (z) => (z ** 2 - z ** 4 / 6 + z ** 6 / 40) / Math.sqrt(2 * Math.PI)],
];

describe.each(series)('the remainder of %j near 0', (activation, remainderAt) => {
  it('lies in its interval although subtracting φ(0) and m·z leaves little but rounding', () => {
    for (let k = 0; k < 2000; k++)
      for (const sign of [-1, 1]) {
        const z = sign * 10 ** (-4 - k / 250);
        const [low, high] = remainderRange(activation, [z, z]);
        expect(remainderAt(z), `z = ${z}`).toBeGreaterThanOrEqual(low);
        expect(remainderAt(z), `z = ${z}`).toBeLessThanOrEqual(high);
      }
  });

  it('is exactly 0 at 0', () => {
    expect(remainderRange(activation, [0, 0])).toEqual([0, 0]);
  });
});
