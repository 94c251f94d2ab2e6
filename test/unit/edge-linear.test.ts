import { beforeAll, describe, expect, it } from 'vitest';
import { loadTensorFlow, type TensorFlow } from '../../coordinator/evaluate/backend.ts';
import { sparsePass } from '../../coordinator/evaluate/ticket-pass.ts';
import { elementCount } from '../../src/core/network/shapes.ts';
import { sparseForward, sparsify } from '../../src/core/ticket/sparse-forward.ts';
import type { SparseNetwork } from '../../src/core/ticket/sparse-layer.ts';
import { relativeError, spatialNetworks, uniform } from '../support/evaluation-networks.ts';

let tf: TensorFlow;
beforeAll(async () => {
  ({ tf } = await loadTensorFlow());
});

/** The network with only every third edge, and none at all in its first row. */
function thinned(network: SparseNetwork): SparseNetwork {
  const layers = network.layers.map((layer) => {
    const { rows, rowOffsets } = layer;
    const kept = Array.from({ length: rows }, (_, row) => {
      const [from = 0, to = 0] = [rowOffsets[row], rowOffsets[row + 1]];
      return row === 0
        ? []
        : Array.from({ length: to - from }, (__, k) => from + k).filter((edge) => edge % 3 === 0);
    });
    let offset = 0;
    return {
      ...layer,
      rowOffsets: Int32Array.from([0, ...kept.map((edges) => (offset += edges.length))]),
      elements: Int32Array.from(kept.flat(), (edge) => layer.elements[edge] ?? 0),
      values: Float64Array.from(kept.flat(), (edge) => layer.values[edge] ?? 0),
    };
  });
  return { ...network, layers };
}

function inputsFor(network: SparseNetwork, count: number): Float32Array {
  return Float32Array.from(uniform(count * elementCount(network.inputShape), 24));
}

function expectedOutputs(network: SparseNetwork, inputs: Float32Array, count: number): number[] {
  const length = elementCount(network.inputShape);
  return Array.from({ length: count }, (_, i) => [
    ...sparseForward(network, Float64Array.from(inputs.subarray(i * length, (i + 1) * length))),
  ]).flat();
}

describe('a linear map edge by edge', () => {
  it.each(spatialNetworks)('computes the sparse view of a target with $name', async ({ network }) => {
    for (const sparse of [sparsify(network), thinned(sparsify(network))]) {
      const inputs = inputsFor(sparse, 3);
      const found = await sparsePass(tf, sparse, inputs, 3);
      expect(relativeError(found, expectedOutputs(sparse, inputs, 3))).toBeLessThan(1e-5);
    }
  });

  it.each([1, 31, 32, 33, 65])('computes %d images as it computes each of them', async (count) => {
    for (const { network } of spatialNetworks.slice(-2)) {
      const sparse = thinned(sparsify(network));
      const inputs = inputsFor(sparse, count);
      const found = await sparsePass(tf, sparse, inputs, count);
      expect(relativeError(found, expectedOutputs(sparse, inputs, count))).toBeLessThan(1e-5);
    }
  });

  it('computes the same with rows taken one at a time', async () => {
    for (const { network } of spatialNetworks.slice(-2)) {
      const sparse = thinned(sparsify(network));
      const inputs = inputsFor(sparse, 40);
      const whole = await sparsePass(tf, sparse, inputs, 40);
      expect(await sparsePass(tf, sparse, inputs, 40, { batchBytesMax: 2 ** 26, weightBytesMax: 1 })).toEqual(
        whole,
      );
    }
  });

  it('leaves no tensor behind', async () => {
    const before = tf.memory().numTensors;
    const sparse = sparsify(
      (spatialNetworks.at(-1) ?? spatialNetworks[0])?.network ?? {
        inputShape: [],
        inputSteps: [],
        layers: [],
      },
    );
    await sparsePass(tf, sparse, inputsFor(sparse, 3), 3);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('does not read pixels that no edge of a row reads', async () => {
    const network = spatialNetworks[0]?.network;
    if (network === undefined) throw new Error('there are networks');
    const sparse = thinned(sparsify(network));
    const inputs = inputsFor(sparse, 1).fill(Number.NaN);
    const found = await sparsePass(tf, sparse, inputs, 1);
    const positions = found.length / 3;
    expect(
      found.slice(0, positions).every((value) => value === Math.fround(sparse.layers[0]?.bias[0] ?? 0)),
    ).toBe(true);
    expect(found.slice(positions).every(Number.isNaN)).toBe(true);
  });
});
