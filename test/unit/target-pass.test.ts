import { beforeAll, describe, expect, it } from 'vitest';
import { loadTensorFlow, type TensorFlow } from '../../coordinator/evaluate/backend.ts';
import { targetPass } from '../../coordinator/evaluate/target-pass.ts';
import { forward } from '../../src/core/network/forward.ts';
import type { Network } from '../../src/core/network/network.ts';
import { elementCount } from '../../src/core/network/shapes.ts';
import { allActivations } from '../support/all-activations.ts';
import {
  activationStep,
  convolutionLayer,
  denseLayer,
  relativeError,
  spatialNetworks,
  uniform,
} from '../support/evaluation-networks.ts';

let tf: TensorFlow;
beforeAll(async () => {
  ({ tf } = await loadTensorFlow());
});

const count = 5;

function inputsFor(network: Network, scale = 1): Float32Array {
  return Float32Array.from(uniform(count * elementCount(network.inputShape), 9, scale));
}

function expectedOutputs(network: Network, inputs: Float32Array): number[] {
  const length = elementCount(network.inputShape);
  return Array.from({ length: count }, (_, i) => [
    ...forward(network, Float64Array.from(inputs.subarray(i * length, (i + 1) * length))),
  ]).flat();
}

describe('target pass', () => {
  it.each(allActivations)(
    'has the activation $kind as the reference has it, near 0 and far away',
    async (activation) => {
      for (const scale of [1e-2, 1, 30]) {
        const network: Network = {
          inputShape: [6],
          inputSteps: [],
          layers: [denseLayer(6, 40, [activationStep(activation)])],
        };
        const inputs = inputsFor(network, scale);
        const found = await targetPass(tf, network, inputs, count);
        expect(relativeError(found, expectedOutputs(network, inputs))).toBeLessThan(1e-5);
      }
    },
  );

  it.each(spatialNetworks)('computes $name as the reference does', async ({ network }) => {
    const inputs = inputsFor(network);
    const found = await targetPass(tf, network, inputs, count);
    expect(relativeError(found, expectedOutputs(network, inputs))).toBeLessThan(1e-5);
  });

  it('applies input steps first', async () => {
    const network: Network = {
      inputShape: [2, 4, 4],
      inputSteps: [
        { kind: 'averagePool', kernel: [2, 2], strides: [2, 2], padding: [0, 0, 0, 0], countPadding: true },
        { kind: 'flatten' },
      ],
      layers: [denseLayer(8, 3)],
    };
    const inputs = inputsFor(network);
    const found = await targetPass(tf, network, inputs, count);
    expect(relativeError(found, expectedOutputs(network, inputs))).toBeLessThan(1e-5);
  });

  it('does not depend on batches and chunks, and leaves no tensor behind', async () => {
    const network: Network = {
      inputShape: [2, 9, 8],
      inputSteps: [],
      layers: [
        convolutionLayer({ inputs: 2, outputs: 7 }, [activationStep({ kind: 'tanh' }), { kind: 'flatten' }]),
        denseLayer(7 * 7 * 6, 11, [activationStep({ kind: 'mish' })]),
        denseLayer(11, 4),
      ],
    };
    const inputs = inputsFor(network);
    const whole = await targetPass(tf, network, inputs, count);
    const before = tf.memory().numTensors;
    for (const batchBytesMax of [1, 2 * 4 * 294, 2 ** 30])
      for (const weightBytesMax of [1, 3 * 4 * 294, 2 ** 30]) {
        const found = await targetPass(tf, network, inputs, count, { batchBytesMax, weightBytesMax });
        expect(relativeError(found, whole)).toBeLessThan(1e-5);
      }
    expect(tf.memory().numTensors).toBe(before);
  });

  it('gives nothing for no inputs', async () => {
    const network: Network = { inputShape: [3], inputSteps: [], layers: [denseLayer(3, 2)] };
    expect(await targetPass(tf, network, new Float32Array(0), 0)).toEqual(new Float32Array(0));
  });

  it('refuses inputs of another length', async () => {
    const network: Network = { inputShape: [3], inputSteps: [], layers: [denseLayer(3, 2)] };
    await expect(targetPass(tf, network, new Float32Array(5), 2)).rejects.toThrow('count × inputShape');
  });

  it('refuses a network whose parts do not fit', async () => {
    const network: Network = { inputShape: [2, 2], inputSteps: [], layers: [denseLayer(4, 2)] };
    await expect(targetPass(tf, network, new Float32Array(4), 1)).rejects.toThrow('Cannot use layer dense');
  });

  it('is far from the reference when one weight is far from it', async () => {
    const network: Network = { inputShape: [3], inputSteps: [], layers: [denseLayer(3, 2)] };
    const inputs = inputsFor(network);
    const expected = expectedOutputs(network, inputs);
    const [layer] = network.layers;
    if (layer) layer.linear.weights[4] = (layer.linear.weights[4] ?? 0) + 0.5;
    expect(relativeError(await targetPass(tf, network, inputs, count), expected)).toBeGreaterThan(1e-2);
  });
});
