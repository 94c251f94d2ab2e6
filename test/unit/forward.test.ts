import { describe, expect, it } from 'vitest';
import { TombolaError } from '../../src/core/errors.ts';
import { applyLinear, applyStep, forward } from '../../src/core/network/forward.ts';
import type { Convolution, Dense, Network, Step } from '../../src/core/network/network.ts';

const dense: Dense = {
  kind: 'dense',
  outputs: 2,
  inputs: 3,
  weights: Float64Array.of(1, 2, 3, -1, 0, 1),
  bias: Float64Array.of(10, 0),
};

const convolution: Convolution = {
  kind: 'convolution',
  outputs: 1,
  inputs: 2,
  kernel: [1, 2],
  strides: [1, 1],
  dilations: [1, 1],
  padding: [0, 1, 0, 0],
  weights: Float64Array.of(1, 10, 100, 1000),
  bias: Float64Array.of(0.5),
};

const relu: Step = { kind: 'activation', activation: { kind: 'relu' } };

describe('the readable forward pass', () => {
  it('multiplies rows of dense weights by the input and adds the bias', () => {
    expect(applyLinear(dense, Float64Array.of(1, 2, 3), [3])).toEqual({
      values: Float64Array.of(24, 2),
      shape: [2],
    });
  });

  it('correlates kernels with the image, zeros around it', () => {
    const result = applyLinear(convolution, Float64Array.of(1, 2, 3, 4, 5, 6), [2, 1, 3]);
    expect(result).toEqual({ values: Float64Array.of(4010.5, 5421.5, 6532.5), shape: [1, 1, 3] });
  });

  it('pools each channel alone, and counts padding only where asked', () => {
    const values = Float64Array.of(1, 2, 3, 4, -1, -2, -3, -4);
    const window = { kernel: [2, 2], strides: [2, 2], padding: [1, 1, 1, 1] } as const;
    expect(applyStep({ kind: 'maxPool', ...window }, values, [2, 2, 2])).toEqual({
      values,
      shape: [2, 2, 2],
    });
    expect(
      applyStep({ kind: 'averagePool', countPadding: false, ...window }, values, [2, 2, 2]).values,
    ).toEqual(values);
    expect(
      applyStep({ kind: 'averagePool', countPadding: true, ...window }, values, [2, 2, 2]).values,
    ).toEqual(values.map((value) => value / 4));
    expect(applyStep({ kind: 'globalAveragePool' }, values, [2, 2, 2])).toEqual({
      values: Float64Array.of(2.5, -2.5),
      shape: [2, 1, 1],
    });
  });

  it('pools a pixel in every window, whatever sizes it accepts, and accepts all with less padding than window', () => {
    const upTo = (most: number): number[] => Array.from({ length: most + 1 }, (_, size) => size);
    for (const size of [1, 2, 3, 5])
      for (const kernel of [1, 2, 3])
        for (const stride of [1, 2, 4])
          for (const before of upTo(4))
            for (const after of upTo(4)) {
              const sides = {
                kernel: [kernel, 1],
                strides: [stride, 1],
                padding: [before, 0, after, 0],
              } as const;
              const turned = {
                kernel: [1, kernel],
                strides: [1, stride],
                padding: [0, before, 0, after],
              } as const;
              const values = new Float64Array(size).fill(7);
              const pooled = (): Float64Array[] => [
                applyStep({ kind: 'maxPool', ...sides }, values, [1, size, 1]).values,
                applyStep({ kind: 'averagePool', countPadding: false, ...turned }, values, [1, 1, size])
                  .values,
              ];
              if (Math.max(before, after) >= kernel) expect(pooled).toThrow(/less padding than window/);
              else if (size + before + after < kernel)
                expect(pooled).toThrow(/window is larger than the input/);
              else for (const value of pooled().flatMap((part) => [...part])) expect(value).toBe(7);
            }
  });

  it('flattens without moving an element', () => {
    const values = Float64Array.of(1, 2, 3, 4);
    expect(applyStep({ kind: 'flatten' }, values, [2, 1, 2])).toEqual({ values, shape: [4] });
  });

  it('runs input steps, layers and their steps in order, and leaves the input alone', () => {
    const layers = [
      { name: 'a', linear: dense, steps: [relu] },
      {
        name: 'b',
        linear: {
          ...dense,
          outputs: 1,
          inputs: 2,
          weights: Float64Array.of(1, -1),
          bias: Float64Array.of(1),
        },
        steps: [],
      },
    ];
    const network: Network = { inputShape: [3], inputSteps: [relu], layers };
    const input = Float64Array.of(1, -5, 2);
    expect(forward(network, input)).toEqual(Float64Array.of(17));
    expect(input).toEqual(Float64Array.of(1, -5, 2));
    expect(forward({ inputShape: [3], inputSteps: [], layers: [] }, input)).not.toBe(input);
  });

  it('refuses inputs and parts that do not fit', () => {
    const network: Network = {
      inputShape: [3],
      inputSteps: [],
      layers: [{ name: 'a', linear: dense, steps: [] }],
    };
    expect(() => forward(network, new Float64Array(4))).toThrow(/4 values, expected 3/);
    expect(() => forward({ ...network, inputShape: [4] }, new Float64Array(4))).toThrow(TombolaError);
    expect(() => applyLinear(dense, new Float64Array(3), [3, 1, 1])).toThrow(TombolaError);
    expect(() => applyLinear(convolution, new Float64Array(3), [1, 1, 3])).toThrow(TombolaError);
    expect(() => applyStep({ kind: 'globalAveragePool' }, new Float64Array(3), [3])).toThrow(TombolaError);
  });
});
