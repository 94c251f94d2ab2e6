/**
 * Small networks with seeded random weights that between them have every step and activation, for the forward passes.
 */
import type { Activation } from '../../src/core/network/activation.ts';
import type { Convolution, Dense, Layer, Network, Step } from '../../src/core/network/network.ts';
import { PhiloxStream } from '../../src/core/random/philox.ts';

/** Returns `count` numbers in [−scale, scale), a function of the stream alone. */
export function uniform(count: number, stream: number, scale = 1): Float64Array {
  const random = new PhiloxStream(7n, stream);
  return Float64Array.from({ length: count }, (_, i) => (random.at(i) / 2 ** 31) * scale);
}

/** Returns a dense layer with random weights and the steps behind it. */
export function denseLayer(inputs: number, outputs: number, steps: readonly Step[] = []): Layer {
  const linear: Dense = {
    kind: 'dense',
    outputs,
    inputs,
    weights: uniform(outputs * inputs, 1, 2 / Math.sqrt(inputs)),
    bias: uniform(outputs, 2, 0.5),
  };
  return { name: 'dense', linear, steps };
}

/** Returns a convolution with random weights and the steps behind it. */
export function convolutionLayer(
  window: Pick<Convolution, 'inputs' | 'outputs'> &
    Partial<Pick<Convolution, 'kernel' | 'strides' | 'dilations' | 'padding'>>,
  steps: readonly Step[] = [],
): Layer {
  const full = {
    kernel: [3, 3],
    strides: [1, 1],
    dilations: [1, 1],
    padding: [0, 0, 0, 0],
    ...window,
  } as const;
  const inputCount = full.inputs * full.kernel[0] * full.kernel[1];
  const linear: Convolution = {
    kind: 'convolution',
    ...full,
    weights: uniform(full.outputs * inputCount, 3, 2 / Math.sqrt(inputCount)),
    bias: uniform(full.outputs, 4, 0.5),
  };
  return { name: 'convolution', linear, steps };
}

/** Returns the step of an activation. */
export function activationStep(activation: Activation): Step {
  return { kind: 'activation', activation };
}

const relu = activationStep({ kind: 'relu' });
const flatten: Step = { kind: 'flatten' };
const pool = { kernel: [3, 2], strides: [2, 1], padding: [1, 0, 0, 1] } as const;

/** Networks over [2, 9, 8] that between them have every step and every kind of window. */
export const spatialNetworks: readonly { readonly name: string; readonly network: Network }[] = (
  [
    ['a convolution alone', [convolutionLayer({ inputs: 2, outputs: 3 })]],
    [
      'asymmetric padding',
      [convolutionLayer({ inputs: 2, outputs: 3, kernel: [2, 4], padding: [0, 1, 2, 3] })],
    ],
    ['uneven strides', [convolutionLayer({ inputs: 2, outputs: 3, strides: [2, 3], padding: [1, 1, 1, 1] })]],
    ['dilations', [convolutionLayer({ inputs: 2, outputs: 3, dilations: [2, 3], padding: [2, 0, 1, 1] })]],
    [
      'strides with dilations',
      [convolutionLayer({ inputs: 2, outputs: 3, strides: [2, 1], dilations: [1, 2] })],
    ],
    ['a pointwise convolution', [convolutionLayer({ inputs: 2, outputs: 5, kernel: [1, 1] })]],
    ['max pooling', [convolutionLayer({ inputs: 2, outputs: 3 }, [{ kind: 'maxPool', ...pool }])]],
    [
      'max pooling of one pixel',
      [
        convolutionLayer({ inputs: 2, outputs: 3 }, [
          { kind: 'maxPool', ...pool, kernel: [1, 1], padding: [0, 0, 0, 0] },
        ]),
      ],
    ],
    [
      'average pooling that counts padding',
      [convolutionLayer({ inputs: 2, outputs: 3 }, [{ kind: 'averagePool', countPadding: true, ...pool }])],
    ],
    [
      'average pooling that does not count padding',
      [convolutionLayer({ inputs: 2, outputs: 3 }, [{ kind: 'averagePool', countPadding: false, ...pool }])],
    ],
    [
      'average pooling of one pixel',
      [
        convolutionLayer({ inputs: 2, outputs: 3 }, [
          {
            kind: 'averagePool',
            countPadding: false,
            kernel: [1, 1],
            strides: [2, 2],
            padding: [0, 0, 0, 0],
          },
        ]),
      ],
    ],
    [
      'global average pooling',
      [convolutionLayer({ inputs: 2, outputs: 3 }, [{ kind: 'globalAveragePool' }])],
    ],
    [
      'a flatten before a dense layer',
      [
        convolutionLayer({ inputs: 2, outputs: 4 }, [relu, flatten]),
        denseLayer(4 * 7 * 6, 6, [relu]),
        denseLayer(6, 3),
      ],
    ],
    [
      'two convolutions, pooling and a dense layer',
      [
        convolutionLayer({ inputs: 2, outputs: 4, padding: [1, 1, 1, 1] }, [
          relu,
          { kind: 'maxPool', ...pool },
        ]),
        convolutionLayer({ inputs: 4, outputs: 5 }, [relu, { kind: 'globalAveragePool' }, flatten]),
        denseLayer(5, 3),
      ],
    ],
  ] as const
).map(([name, layers]) => ({
  name,
  network: { inputShape: [2, 9, 8], inputSteps: [], layers: [...layers] },
}));

/** Returns the largest |found − expected| over the largest |expected|, or Infinity where lengths differ or a number is NaN. */
export function relativeError(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (found.length !== expected.length) return Number.POSITIVE_INFINITY;
  let scale = Number.MIN_VALUE;
  let error = 0;
  for (let i = 0; i < found.length; i++) {
    scale = Math.max(scale, Math.abs(expected[i] as number));
    const difference = Math.abs((found[i] as number) - (expected[i] as number));
    error = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(error, difference);
  }
  return error / scale;
}
