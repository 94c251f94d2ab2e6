import { describe, expect, it } from 'vitest';
import { forward } from '../../src/core/network/forward.ts';
import { elementCount } from '../../src/core/network/shapes.ts';
import { sparseForward, sparsify } from '../../src/core/ticket/sparse-forward.ts';
import { relativeError, spatialNetworks, uniform } from '../support/evaluation-networks.ts';

describe('sparse forward pass', () => {
  it.each(spatialNetworks)('equals the dense one on the sparse view of $name', ({ network }) => {
    const input = uniform(elementCount(network.inputShape), 31);
    const found = sparseForward(sparsify(network), input);
    expect(relativeError(found, forward(network, input))).toBeLessThan(1e-12);
  });

  it('has no edge for a weight of 0, and keeps every row', () => {
    const network = {
      inputShape: [3],
      inputSteps: [],
      layers: [
        {
          name: 'pruned',
          linear: {
            kind: 'dense' as const,
            outputs: 3,
            inputs: 3,
            weights: Float64Array.of(0, 2, 0, 0, 0, -0, 3, 0, 4),
            bias: Float64Array.of(1, 2, 3),
          },
          steps: [],
        },
      ],
    };
    const sparse = sparsify(network);
    expect([...(sparse.layers[0]?.rowOffsets ?? [])]).toEqual([0, 1, 1, 3]);
    expect([...(sparse.layers[0]?.elements ?? [])]).toEqual([1, 0, 2]);
    expect([...sparseForward(sparse, Float64Array.of(1, 10, 100))]).toEqual([21, 2, 406]);
  });

  it('leaves its input alone and refuses one of another length', () => {
    const [first] = spatialNetworks;
    if (first === undefined) throw new Error('there are networks');
    const sparse = sparsify(first.network);
    const input = uniform(elementCount(first.network.inputShape), 31);
    const before = input.slice();
    sparseForward(sparse, input);
    expect(input).toEqual(before);
    expect(() => sparseForward(sparse, input.subarray(1))).toThrow('one input');
  });
});
