import { beforeAll, describe, expect, it } from 'vitest';
import { loadTensorFlow, type TensorFlow } from '../../coordinator/evaluate/backend.ts';
import { sparsePass } from '../../coordinator/evaluate/ticket-pass.ts';
import type { Step } from '../../src/core/network/network.ts';
import { elementCount } from '../../src/core/network/shapes.ts';
import { sparseForward, sparsify } from '../../src/core/ticket/sparse-forward.ts';
import type { SparseLayer, SparseNetwork } from '../../src/core/ticket/sparse-layer.ts';
import { activationStep, relativeError, spatialNetworks, uniform } from '../support/evaluation-networks.ts';

let tf: TensorFlow;
beforeAll(async () => {
  ({ tf } = await loadTensorFlow());
});

const relu = activationStep({ kind: 'relu' });
const tanh = activationStep({ kind: 'tanh' });
const flatten: Step = { kind: 'flatten' };

/** A dense sparse layer from lists of [element, value], row by row. */
function sparseLayer(
  shape: Pick<SparseLayer, 'cols' | 'taps'> & Partial<SparseLayer>,
  rows: readonly (readonly (readonly [number, number])[])[],
): SparseLayer {
  let offset = 0;
  const rowOffsets = Int32Array.from([0, ...rows.map((edges) => (offset += edges.length))]);
  return {
    kind: 'dense',
    rows: rows.length,
    rowOffsets,
    elements: Int32Array.from(rows.flat(), ([element]) => element),
    values: Float64Array.from(rows.flat(), ([, value]) => value),
    bias: uniform(rows.length, 21, 0.5),
    kernel: [1, 1],
    strides: [1, 1],
    dilations: [1, 1],
    padding: [0, 0, 0, 0],
    steps: [],
    ...shape,
  };
}

/** Rows with a random share of the elements. */
function randomRows(rows: number, elements: number, share: number): [number, number][][] {
  const random = uniform(2 * rows * elements, 22);
  return Array.from({ length: rows }, (_, row) =>
    Array.from({ length: elements }, (_, e): [number, number] => [e, random[row * elements + e] ?? 0]).filter(
      ([e]) => Math.abs(random[rows * elements + row * elements + e] ?? 0) < share,
    ),
  );
}

/** One edge a row over `cols` elements; every seventh row has none, as a constant has. */
function univariateRows(rows: number, cols: number): [number, number][][] {
  const random = uniform(rows, 23);
  return Array.from({ length: rows }, (_, row) =>
    row % 7 === 6 ? [] : [[(row * 5) % cols, random[row] ?? 0]],
  );
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

async function expectSame(network: SparseNetwork, inputs: Float32Array, count: number): Promise<void> {
  const found = await sparsePass(tf, network, inputs, count);
  expect(relativeError(found, expectedOutputs(network, inputs, count))).toBeLessThan(1e-5);
}

const flatTicket: SparseNetwork = {
  inputShape: [3, 4],
  inputSteps: [flatten],
  layers: [
    sparseLayer({ cols: 12, taps: 1, steps: [relu] }, univariateRows(40, 12)),
    sparseLayer({ cols: 40, taps: 1, steps: [tanh] }, randomRows(17, 40, 0.3)),
    sparseLayer({ cols: 17, taps: 1 }, randomRows(5, 17, 0.5)),
  ],
};

const pointwise = sparseLayer({ kind: 'convolution', cols: 2, taps: 1, steps: [relu] }, univariateRows(9, 2));
const spatialTicket: SparseNetwork = {
  inputShape: [2, 6, 5],
  inputSteps: [],
  layers: [
    pointwise,
    sparseLayer(
      {
        kind: 'convolution',
        cols: 9,
        taps: 6,
        kernel: [3, 2],
        strides: [2, 1],
        dilations: [1, 2],
        padding: [1, 0, 2, 1],
        steps: [tanh, { kind: 'maxPool', kernel: [2, 2], strides: [1, 1], padding: [1, 0, 0, 0] }, flatten],
      },
      randomRows(7, 54, 0.2),
    ),
    sparseLayer({ cols: 7, taps: 9 }, randomRows(4, 63, 0.3)),
  ],
};

describe('ticket pass', () => {
  it('computes a dense ticket as the reference does, constants included', async () => {
    await expectSame(flatTicket, inputsFor(flatTicket, 6), 6);
  });

  it('computes a convolutional ticket as the reference does', async () => {
    await expectSame(spatialTicket, inputsFor(spatialTicket, 6), 6);
  });

  it.each(spatialNetworks)('computes the sparse view of a target with $name', async ({ network }) => {
    const sparse = sparsify(network);
    await expectSame(sparse, inputsFor(sparse, 3), 3);
  });

  it('takes a first layer with one edge a row and strides for the convolution it is', async () => {
    const strided: SparseNetwork = {
      ...spatialTicket,
      layers: [{ ...pointwise, strides: [2, 3], padding: [1, 1, 0, 0] }],
    };
    await expectSame(strided, inputsFor(strided, 2), 2);
  });

  it('lets a number that is none through, and nothing else', async () => {
    const cols = 1100;
    const wide: SparseNetwork = {
      inputShape: [cols],
      inputSteps: [],
      layers: [sparseLayer({ cols, taps: 1 }, randomRows(1000, cols, 0.02))],
    };
    const inputs = inputsFor(wide, 4).map((value, i) => ((i % cols) % 3 === 0 ? 0 : value));
    await expectSame(wide, inputs, 4);
    await expectSame(wide, new Float32Array(inputs.length), 4);
    const oneBadNumber = inputs.slice();
    oneBadNumber[0] = Number.NaN;
    const found = await sparsePass(tf, wide, oneBadNumber, 4);
    expect(found.subarray(0, 1000).some(Number.isNaN)).toBe(true);
  });

  it.each([
    ['dense', flatTicket],
    ['convolutional', spatialTicket],
  ])('does not depend on batches and chunks, and leaves no tensor behind: %s', async (_, network) => {
    const inputs = inputsFor(network, 7);
    const whole = await sparsePass(tf, network, inputs, 7);
    const before = tf.memory().numTensors;
    for (const batchBytesMax of [1, 3 * 4 * 270, 2 ** 30])
      for (const weightBytesMax of [1, 5 * 4 * 54, 2 ** 30]) {
        const found = await sparsePass(tf, network, inputs, 7, { batchBytesMax, weightBytesMax });
        expect(relativeError(found, whole)).toBeLessThan(1e-5);
      }
    expect(tf.memory().numTensors).toBe(before);
  });

  it('gives the biases where a layer has no active rows', async () => {
    for (const ticket of [flatTicket, spatialTicket]) {
      const [first, second, third] = ticket.layers;
      if (!first || !second || !third) throw new Error('a ticket of three layers');
      const none = {
        rows: 0,
        rowOffsets: new Int32Array(1),
        elements: new Int32Array(0),
        values: new Float64Array(0),
      };
      const edgeless = { ...none, rows: third.rows, rowOffsets: new Int32Array(third.rows + 1), cols: 0 };
      const gone: SparseNetwork = {
        ...ticket,
        layers: [first, { ...second, ...none, bias: new Float64Array(0) }, { ...third, ...edgeless }],
      };
      const found = await sparsePass(tf, gone, inputsFor(gone, 2), 2);
      expect(relativeError(found, [...third.bias, ...third.bias])).toBeLessThan(1e-6);
    }
  });
});
