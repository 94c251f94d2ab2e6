/** Options from texts to values and back. */
import { describe, expect, test } from 'vitest';
import { mergeOptions } from '../../src/cli/config-file.ts';
import { describeSearchOptions, parseSearchOptions } from '../../src/cli/search-options.ts';

const parse = (options: Record<string, string>) => parseSearchOptions(new Map(Object.entries(options)));

describe('search options', () => {
  test('written out and read again are the same, whatever was given', () => {
    const given: Record<string, string>[] = [
      {},
      { exact: 'true', seed: '0xffffffffffffffff', 'input-range': '-1.5,1e-3', copies: '9', rule: 'closest' },
      { images: 'a b.npy', labels: 'l', skip: '3', limit: '7', mean: '0.5,0.25', std: '0.1,0.3', name: 'x' },
      {
        construction: '2L',
        epsilon: '1e-7',
        'bias-init': 'zero',
        activation: 'leakyRelu:0.2',
        scale: '3',
        threads: '5',
      },
    ];
    for (const options of given.map(parse)) {
      const again = parse(describeSearchOptions(options));
      expect({ ...again, isInputRangeAssumed: null }).toEqual({ ...options, isInputRangeAssumed: null });
    }
  });

  test('derive the input range from how bytes become inputs, over all channels', () => {
    const [low, high] = parse({ mean: '0.5,0.25', std: '0.5,-1' }).plan.inputRange;
    expect([low, high]).toEqual([-1, 1]);
    expect(parse({ scale: '1' }).plan.inputRange).toEqual([0, 255]);
    expect(parse({ mean: '0.5', 'input-range': '0,2' }).plan.inputRange).toEqual([0, 2]);
  });

  test('give a derived range that holds every float32 input', () => {
    const [low, high] = parse({ mean: '0.1307', std: '0.3081' }).plan.inputRange;
    for (const raw of [0, 255]) {
      const input = Math.fround((raw / 255 - 0.1307) / 0.3081);
      expect(input).toBeGreaterThanOrEqual(low);
      expect(input).toBeLessThanOrEqual(high);
    }
  });

  test('say when the input range is only assumed', () => {
    expect(parse({}).isInputRangeAssumed).toBe(true);
    expect(parse({ scale: '255' }).isInputRangeAssumed).toBe(false);
  });

  test('use coarser grids in exact mode', () => {
    expect([parse({}).plan.gridBits, parse({ exact: 'true' }).plan.gridBits]).toEqual([24, 8]);
  });

  test('refuse almost-numbers', () => {
    for (const seed of ['-1', '1.0', '1e3', '0x', '', '18446744073709551616', '0x10000000000000000'])
      expect(() => parse({ seed })).toThrow(/--seed/);
    for (const copies of ['0', '2.5', 'Auto', '']) expect(() => parse({ copies })).toThrow(/--copies/);
    for (const range of ['1', '1,2,3', 'a,b', ',', '2,2', '0,Infinity'])
      expect(() => parse({ 'input-range': range })).toThrow(/--input-range/);
    expect(() => parse({ std: '1,0' })).toThrow(/--std/);
  });
});

test('the command line wins over a config file, also between epsilon and exact', () => {
  const merge = (under: Record<string, string>, over: Record<string, string>) =>
    Object.fromEntries(mergeOptions(new Map(Object.entries(under)), new Map(Object.entries(over))));
  expect(merge({ epsilon: '0.1', seed: '1' }, { exact: 'true' })).toEqual({ exact: 'true', seed: '1' });
  expect(merge({ exact: 'true' }, { epsilon: '0.2' })).toEqual({ epsilon: '0.2' });
  expect(merge({ seed: '1' }, { seed: '2' })).toEqual({ seed: '2' });
});
