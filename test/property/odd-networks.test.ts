/** Networks at the edges of what is allowed: each gets a ticket that both checkers find sound, or one clear line. */
import { beforeAll, describe, expect, it } from 'vitest';
import { TombolaError } from '../../src/core/errors.ts';
import type { Activation } from '../../src/core/network/activation.ts';
import { forward } from '../../src/core/network/forward.ts';
import type { Layer, Network, Step } from '../../src/core/network/network.ts';
import { elementCount } from '../../src/core/network/shapes.ts';
import type { PlanOptions } from '../../src/core/plan/make-plan.ts';
import type { Solver } from '../../src/core/plan/tile.ts';
import { materialise } from '../../src/core/ticket/materialise.ts';
import { sparseForward } from '../../src/core/ticket/sparse-forward.ts';
import { referenceNetwork } from '../../src/core/verify/quantise.ts';
import { activationStep, convolutionLayer, denseLayer } from '../support/evaluation-networks.ts';
import { kernelSolver, type Searched, searchInProcess } from '../support/in-process-search.ts';
import { IndependentCheck } from '../support/independent-check.ts';
import { randomFrom } from '../support/random-network.ts';

let solver: Solver;
beforeAll(async () => {
  solver = await kernelSolver();
});

const relu = activationStep({ kind: 'relu' });
const flatten: Step = { kind: 'flatten' };

/** The layer with its parameters multiplied. */
function scaled(layer: Layer, weight: number, bias = weight): Layer {
  const { linear } = layer;
  return {
    ...layer,
    linear: {
      ...linear,
      weights: linear.weights.map((w) => w * weight),
      bias: linear.bias.map((b) => b * bias),
    },
  };
}

function chain(inputs: number, ...layers: readonly Layer[]): Network {
  return { inputShape: [inputs], inputSteps: [], layers };
}

/** The target, but neuron `neuron` of layer 0 is read by nothing. */
function unread(network: Network, neuron: number): Network {
  const layers = network.layers.map((layer, index) => {
    const { linear } = layer;
    if (index !== 1) return layer;
    return {
      ...layer,
      linear: { ...linear, weights: linear.weights.map((w, k) => (k % linear.inputs === neuron ? 0 : w)) },
    };
  });
  return { ...network, layers };
}

const plain = chain(5, denseLayer(5, 4, [relu]), denseLayer(4, 3));
const networks: readonly (readonly [string, Network])[] = [
  ['one weight', chain(1, denseLayer(1, 1))],
  ['one weight with ReLU', chain(1, denseLayer(1, 1, [relu]))],
  ['a single layer', chain(6, denseLayer(6, 3))],
  ['a single layer with sigmoid', chain(6, denseLayer(6, 3, [activationStep({ kind: 'sigmoid' })]))],
  [
    'a single convolution',
    {
      inputShape: [1, 4, 4],
      inputSteps: [],
      layers: [convolutionLayer({ inputs: 1, outputs: 2, padding: [1, 1, 1, 1] })],
    },
  ],
  [
    'an activation at the end',
    chain(5, denseLayer(5, 4, [relu]), denseLayer(4, 3, [activationStep({ kind: 'tanh' })])),
  ],
  [
    'two activations in a row',
    chain(5, denseLayer(5, 4, [relu, activationStep({ kind: 'tanh' })]), denseLayer(4, 3)),
  ],
  ['no activation', chain(5, denseLayer(5, 4), denseLayer(4, 3))],
  ['zero weights in the first layer', chain(5, scaled(denseLayer(5, 4, [relu]), 0, 1), denseLayer(4, 3))],
  ['zero weights in the last layer', chain(5, denseLayer(5, 4, [relu]), scaled(denseLayer(4, 3), 0, 1))],
  [
    'zero weights in the middle',
    chain(5, denseLayer(5, 4, [relu]), scaled(denseLayer(4, 3, [relu]), 0, 1), denseLayer(3, 2)),
  ],
  [
    'zero weights and small biases in the last layer',
    chain(5, denseLayer(5, 4, [relu]), scaled(denseLayer(4, 3), 0, 1e-4)),
  ],
  ['zero weights and large biases', chain(5, scaled(denseLayer(5, 3), 0, 1e4))],
  ['nothing but zeros', chain(5, scaled(denseLayer(5, 4, [relu]), 0), scaled(denseLayer(4, 3), 0))],
  ['no biases', chain(5, scaled(denseLayer(5, 4, [relu]), 1, 0), scaled(denseLayer(4, 3), 1, 0))],
  ['a neuron nothing reads', unread(plain, 2)],
  ['huge weights', chain(5, scaled(denseLayer(5, 4, [relu]), 1e12), scaled(denseLayer(4, 3), 1e12))],
  ['tiny weights', chain(5, scaled(denseLayer(5, 4, [relu]), 1e-12), scaled(denseLayer(4, 3), 1e-12))],
  ['biases far larger than weights', chain(5, scaled(denseLayer(5, 4, [relu]), 1, 300), denseLayer(4, 3))],
  [
    'a flatten before the first layer',
    { inputShape: [1, 2, 3], inputSteps: [flatten], layers: [denseLayer(6, 4, [relu]), denseLayer(4, 2)] },
  ],
  [
    'an activation before the first layer',
    { inputShape: [5], inputSteps: [activationStep({ kind: 'tanh' })], layers: plain.layers },
  ],
  [
    'a pool before the first layer',
    {
      inputShape: [2, 4, 4],
      inputSteps: [
        { kind: 'averagePool', kernel: [2, 2], strides: [2, 2], padding: [1, 1, 0, 0], countPadding: true },
        flatten,
      ],
      layers: [denseLayer(8, 3, [relu]), denseLayer(3, 2)],
    },
  ],
  [
    'a pool of one position behind a convolution',
    {
      inputShape: [2, 4, 4],
      inputSteps: [],
      layers: [
        convolutionLayer({ inputs: 2, outputs: 3, padding: [2, 0, 0, 1] }, [
          relu,
          { kind: 'globalAveragePool' },
          flatten,
        ]),
        denseLayer(3, 2),
      ],
    },
  ],
  [
    'the absolute value',
    chain(5, denseLayer(5, 4, [activationStep({ kind: 'leakyRelu', slope: -1 })]), denseLayer(4, 3)),
  ],
];

const settings: readonly (readonly [string, Partial<PlanOptions>])[] = [
  ['within tolerance', {}],
  ['with inputs of both signs and zero biases', { biasInit: 'zero', inputRange: [-1, 1], epsilon: 0.02 }],
  ['exactly', { mode: 'exact', gridBits: 8 }],
];

/**
 * The only refusals that are right: |z| has m₊ + m₋ = 0 where inputs have both signs; without source biases constants have one
 * size, far from some biases; an exact search needs biases finer than a coarse grid gives behind a sigmoid.
 */
const refused: Readonly<Record<string, readonly string[]>> = {
  'within tolerance': [],
  'with inputs of both signs and zero biases': [
    'huge weights',
    'tiny weights',
    'biases far larger than weights',
    'the absolute value',
  ],
  exactly: ['a single layer with sigmoid'],
};

async function searchOrRefusal(
  network: Network,
  options: Partial<PlanOptions>,
): Promise<Searched | TombolaError> {
  try {
    return await searchInProcess(network, options, solver);
  } catch (error) {
    if (error instanceof TombolaError) return error;
    throw error;
  }
}

/** Largest |ticket − reference| over the reference's largest output, on inputs of the declared range. */
function relativeError(network: Network, { ticket }: Searched): number {
  const random = randomFrom(4);
  const sparse = materialise(ticket, network);
  const reference = referenceNetwork(network, ticket);
  const [low, high] = ticket.inputRange;
  let error = 0;
  let size = 1e-300;
  for (let k = 0; k < 10; k++) {
    const input = Float64Array.from(
      { length: elementCount(network.inputShape) },
      () => low + (high - low) * random(),
    );
    const expected = forward(reference, input);
    sparseForward(sparse, input).forEach((value, index) => {
      error = Math.max(error, Math.abs(value - (expected[index] ?? Number.NaN)));
      size = Math.max(size, Math.abs(expected[index] ?? Number.NaN));
    });
  }
  return error / size;
}

describe.each(settings)('a network %s', (setting, options) => {
  it.each(networks)('of %s gets a sound ticket, or one clear line', async (name, network) => {
    const searched = await searchOrRefusal(network, options);
    if (searched instanceof TombolaError) {
      expect(searched.message).toMatch(/^Cannot plan (the biases of )?((target )?layer|the first layer)/);
      expect(refused[setting]).toContain(name);
      return;
    }
    expect(searched.verdict.fault).toBeNull();
    expect(new IndependentCheck(searched.ticket, network).fault()).toBeNull();
    expect(searched.construction.missingCopies).toBe(0);
    expect(relativeError(network, searched)).toBeLessThan(0.15);
  });
});

describe('a network whose padding leaves no constant alike everywhere', () => {
  it.each(['uniform', 'zero'] as const)('is refused before the search, with %s biases', async (biasInit) => {
    const counted: Step = {
      kind: 'averagePool',
      kernel: [2, 2],
      strides: [1, 1],
      padding: [1, 1, 1, 1],
      countPadding: true,
    };
    const network: Network = {
      inputShape: [1, 5, 5],
      inputSteps: [],
      layers: [
        convolutionLayer({ inputs: 1, outputs: 2 }, [relu, counted]),
        convolutionLayer({ inputs: 2, outputs: 2, padding: [1, 1, 1, 1] }),
      ],
    };
    const found = await searchOrRefusal(network, { biasInit });
    expect(found).toMatchObject({
      kind: 'misuse',
      message: expect.stringMatching(/^Cannot plan the biases of layer convolution: its padding/),
    });
    const [first, second] = network.layers;
    if (first === undefined || second === undefined) throw new Error('there are two layers');
    const unbiased = { ...network, layers: [first, scaled(second, 1, 0)] };
    expect(await searchOrRefusal(unbiased, { biasInit })).toMatchObject({ verdict: { fault: null } });
  });
});

describe('an activation that the first layer cannot linearise', () => {
  it.each<Activation>([{ kind: 'leakyRelu', slope: -1 }])(
    'is refused in one line: %s',
    async (activation) => {
      const network = chain(5, denseLayer(5, 4, [activationStep(activation)]), denseLayer(4, 3));
      const refused = await searchOrRefusal(network, { inputRange: [-1, 1] });
      expect(refused).toBeInstanceOf(TombolaError);
      const fine = await searchOrRefusal(network, { inputRange: [0, 1] });
      expect(fine).not.toBeInstanceOf(TombolaError);
    },
  );
});
