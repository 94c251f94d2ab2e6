/** Random small networks over every operator and activation, as fast-check arbitraries. */
import fc from 'fast-check';
import { type Activation, seluDefaults } from '../../src/core/network/activation.ts';
import type { Layer, Linear, Network, Step } from '../../src/core/network/network.ts';
import { elementCount, networkShapes, type Shape } from '../../src/core/network/shapes.ts';

/** Every activation, with ordinary parameters. */
export const everyActivation: readonly Activation[] = [
  { kind: 'identity' },
  { kind: 'relu' },
  { kind: 'leakyRelu', slope: 0.01 },
  { kind: 'leakyRelu', slope: 0.3 },
  { kind: 'elu', alpha: 1 },
  { kind: 'elu', alpha: 0.5 },
  { kind: 'selu', ...seluDefaults },
  { kind: 'tanh' },
  { kind: 'sigmoid' },
  { kind: 'softplus' },
  { kind: 'softsign' },
  { kind: 'gelu', form: 'erf' },
  { kind: 'gelu', form: 'tanh' },
  { kind: 'hardSwish' },
  { kind: 'mish' },
  { kind: 'silu' },
];

/** A generator of numbers that a test fixes by one seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What a random network is drawn from. */
export interface NetworkRecipe {
  readonly seed: number;
  readonly activations: readonly Activation[];
  readonly convolutional: boolean;
  readonly pooling: 'none' | 'max' | 'average' | 'averagePadded' | 'global';
  /** Share of weights that are zero. */
  readonly sparsity: number;
  readonly biased: boolean;
  readonly padded: boolean;
}

/** Recipes of networks with two or three layers. */
export const networkRecipe: fc.Arbitrary<NetworkRecipe> = fc.record({
  seed: fc.nat(),
  activations: fc.array(fc.constantFrom(...everyActivation), { minLength: 1, maxLength: 2 }),
  convolutional: fc.boolean(),
  pooling: fc.constantFrom('none', 'max', 'average', 'averagePadded', 'global'),
  sparsity: fc.constantFrom(0, 0, 0.5, 0.9),
  biased: fc.boolean(),
  padded: fc.boolean(),
});

/** Returns the network of a recipe: weights like trained ones, a few large and many small. */
export function networkOf(recipe: NetworkRecipe): Network {
  const random = randomFrom(recipe.seed);
  const weight = (fanIn: number): number =>
    random() < recipe.sparsity ? 0 : ((random() + random() + random() - 1.5) * 1.6) / Math.sqrt(fanIn);
  const layers: Layer[] = [];
  const inputShape: Shape = recipe.convolutional
    ? [1 + Math.floor(random() * 2), 6, 6]
    : [3 + Math.floor(random() * 6)];
  let shape = inputShape;
  recipe.activations.forEach((activation, index) => {
    const convolve = recipe.convolutional && shape.length === 3 && index === 0;
    const linear = convolve
      ? convolution(shape, recipe, { weight, random })
      : dense(shape, 4, recipe, { weight, random });
    const steps: Step[] = [{ kind: 'activation', activation }];
    if (convolve) steps.push(...poolSteps(recipe.pooling), { kind: 'flatten' });
    layers.push({ name: `layer${index + 1}`, linear, steps });
    shape = networkShapes({ inputShape, inputSteps: [], layers }).output;
  });
  layers.push({ name: 'last', linear: dense(shape, 3, recipe, { weight, random }), steps: [] });
  return { inputShape, inputSteps: [], layers };
}

interface Draw {
  readonly weight: (fanIn: number) => number;
  readonly random: () => number;
}

function dense(shape: Shape, outputs: number, recipe: NetworkRecipe, { weight, random }: Draw): Linear {
  const inputs = elementCount(shape);
  return {
    kind: 'dense',
    outputs,
    inputs,
    weights: Float64Array.from({ length: outputs * inputs }, () => Math.fround(weight(inputs))),
    bias: Float64Array.from({ length: outputs }, () => (recipe.biased ? Math.fround(random() - 0.5) : 0)),
  };
}

function convolution(shape: Shape, recipe: NetworkRecipe, { weight, random }: Draw): Linear {
  const inputs = shape[0] ?? 1;
  const kernel = 2 + Math.floor(random() * 2);
  const pad = recipe.padded ? 1 : 0;
  return {
    kind: 'convolution',
    outputs: 3,
    inputs,
    kernel: [kernel, kernel],
    strides: [1 + Math.floor(random() * 2), 1],
    dilations: [1, 1 + Math.floor(random() * 2)],
    padding: [pad, pad, pad, pad],
    weights: Float64Array.from({ length: 3 * inputs * kernel * kernel }, () =>
      Math.fround(weight(inputs * kernel * kernel)),
    ),
    bias: Float64Array.from({ length: 3 }, () => (recipe.biased ? Math.fround(random() - 0.5) : 0)),
  };
}

function poolSteps(pooling: NetworkRecipe['pooling']): Step[] {
  const window = { kernel: [2, 2], strides: [2, 1], padding: [0, 0, 0, 0] } as const;
  switch (pooling) {
    case 'none':
      return [];
    case 'max':
      return [{ kind: 'maxPool', ...window }];
    case 'average':
      return [{ kind: 'averagePool', countPadding: false, ...window }];
    case 'averagePadded':
      return [{ kind: 'averagePool', countPadding: true, ...window, padding: [1, 1, 1, 1] }];
    case 'global':
      return [{ kind: 'globalAveragePool' }];
  }
}
