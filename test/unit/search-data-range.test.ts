import { expect, test } from 'vitest';
import { checkRange } from '../../src/cli/search-data-range.ts';
import { parseSearchOptions } from '../../src/cli/search-options.ts';

test('images that reach the ends of the range are good, and the next number outside is not', () => {
  expect(() => checkRange(Float32Array.of(0, 0.5, 1), [0, 1])).not.toThrow();
  for (const outside of [1 + 2 ** -23, -(2 ** -149), Number.NaN])
    expect(() => checkRange(Float32Array.of(0.5, outside), [0, 1])).toThrow(/hold the input/);
});

test('the range of scaled bytes holds the darkest and the brightest', () => {
  const raw = new Map([
    ['scale', '255'],
    ['mean', '0.1307'],
    ['std', '0.3081'],
  ]);
  const ends = Float32Array.of((0 - 0.1307) / 0.3081, (1 - 0.1307) / 0.3081);
  expect(() => checkRange(ends, parseSearchOptions(raw).plan.inputRange)).not.toThrow();
});
