/** The 2L construction: two source layers for every target layer, no copies. */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { TombolaError } from '../../src/core/errors.ts';
import { decodeTicket, encodeTicket } from '../../src/core/format/ticket-file.ts';
import type { Activation } from '../../src/core/network/activation.ts';
import type { Layer, Network } from '../../src/core/network/network.ts';
import type { PlanOptions } from '../../src/core/plan/make-plan.ts';
import { referenceSolver } from '../../src/core/plan/reference-solver.ts';
import type { Solver } from '../../src/core/plan/tile.ts';
import type { Ticket } from '../../src/core/ticket/ticket.ts';
import { verifyTicket } from '../../src/core/verify/verify-ticket.ts';
import { kernelSolver, type Searched, searchInProcess } from '../support/in-process-search.ts';
import { measuredError } from '../support/measured-error.ts';
import { seededNumbers } from '../support/mutants.ts';
import { type NetworkRecipe, networkOf, networkRecipe } from '../support/random-network.ts';
import { withLayer, withValues } from '../support/ticket-samples.ts';

let solver: Solver;
beforeAll(async () => {
  solver = await kernelSolver();
});

const relu: NetworkRecipe = {
  seed: 3,
  activations: [{ kind: 'relu' }, { kind: 'relu' }],
  convolutional: false,
  pooling: 'none',
  sparsity: 0.2,
  biased: true,
  padded: true,
};

const options: fc.Arbitrary<Partial<PlanOptions>> = fc.record({
  seed: fc.bigInt(0n, (1n << 64n) - 1n),
  inputRange: fc.constantFrom<readonly [number, number]>([0, 1], [-1, 1], [-2, -0.5]),
  epsilon: fc.constantFrom(0.05, 0.01),
  rule: fc.constantFrom('fewest', 'fewest', 'closest'),
  gridBits: fc.constantFrom(24, 16, 12),
});

function search(network: Network, chosen: Partial<PlanOptions>, by = solver): Promise<Searched> {
  return searchInProcess(network, { ...chosen, construction: '2L' }, by);
}

async function faultOf({ sha256 }: Searched, network: Network, ticket: Ticket): Promise<string | null> {
  return (await verifyTicket(ticket, { network, sha256 })).fault;
}

describe('the 2L construction', () => {
  it('gives a target the same ticket whether or not it says where nothing happens', async () => {
    const network = networkOf(relu);
    const identity = { kind: 'activation', activation: { kind: 'identity' } } as const;
    const layers = network.layers.map((layer) => ({ ...layer, steps: [identity, ...layer.steps] }));
    const [plain, other] = [await search(network, {}), await search({ ...network, layers }, {})];
    expect(other.sha256).toBe(plain.sha256);
    expect(other.bytes).toEqual(plain.bytes);
    expect(await faultOf(plain, { ...network, layers }, plain.ticket)).toBeNull();
  });

  it('gives small networks of every operator tickets that verify and stay within their certificate, or says why not', async () => {
    let tickets = 0;
    await fc.assert(
      fc.asyncProperty(networkRecipe, options, async (recipe, chosen) => {
        const network = networkOf(recipe);
        const found = await search(network, chosen).catch((error: unknown) => error);
        if (found instanceof TombolaError) return expect(found.message).toMatch(/^Cannot /);
        if (found instanceof Error) throw found;
        const searched = found as Searched;
        tickets++;
        expect(searched.verdict.fault).toBeNull();
        expect(searched.ticket.source.layers).toHaveLength(2 * network.layers.length);
        expect(searched.verdict.layers.map(({ copies }) => copies)).toEqual(
          network.layers.map(({ linear }) => linear.outputs),
        );
        const error = measuredError(network, searched, { seed: recipe.seed, inputs: 24 });
        expect(error).toBeLessThanOrEqual(searched.verdict.certifiedBound * (1 + 1e-9) + 1e-12);
      }),
      { numRuns: 30, seed: 20200614 },
    );
    expect(tickets).toBeGreaterThan(24);
  });

  it('finds the same ticket with the kernel and with the readable solver', async () => {
    const network = networkOf({ ...relu, activations: [{ kind: 'leakyRelu', slope: 0.3 }] });
    const chosen = { epsilon: 0.05, gridBits: 12 };
    const [fast, readable] = [await search(network, chosen), await search(network, chosen, referenceSolver)];
    expect(Buffer.from(fast.bytes).equals(readable.bytes)).toBe(true);
  });

  it('refuses copies, and zero biases that leave no constant', async () => {
    const network = networkOf(relu);
    await expect(search(network, { copies: 5 })).rejects.toThrow(
      /^Cannot plan --construction 2L with --copies 5: it makes no copies/,
    );
    await expect(search(network, { biasInit: 'zero' })).rejects.toThrow(
      /^Cannot plan --construction 2L with --bias-init zero: layer layer2 has no constants/,
    );
  });

  it('counts on inputs ≥ 0 only where the steps before give no others, as the verifier does', async () => {
    // For inputs in [0, 1] the tanh stays between 0.76 and 0.91, though it could be negative.
    const network = chain(denseUnit(0.5, 1, { kind: 'tanh' }), denseUnit(1, -0.8, { kind: 'relu' }));
    const searched = await search(network, { gridBits: 16 });
    expect(searched.verdict.fault).toBeNull();
    expect(searched.plan.deeperUnivariates.map(({ signGroups }) => signGroups)).toEqual(['both']);
    expect(measuredError(network, searched, { seed: 2, inputs: 24 })).toBeLessThan(0.05);
  });

  it('of a network of one layer is the L+1 construction', async () => {
    const network = networkOf({ ...relu, activations: [] });
    const [two, one] = [await search(network, {}), await searchInProcess(network, {}, solver)];
    expect(Buffer.from(two.bytes).equals(one.bytes)).toBe(true);
  });
});

describe('a ticket of the 2L construction', () => {
  const recipes: readonly (readonly [string, NetworkRecipe, Partial<PlanOptions>])[] = [
    ['dense ReLU', relu, {}],
    [
      'dense tanh',
      { ...relu, activations: [{ kind: 'tanh' }, { kind: 'sigmoid' }] },
      { inputRange: [-1, 1] },
    ],
    ['a padded convolution', { ...relu, convolutional: true, pooling: 'max' }, { inputRange: [-1, 1] }],
  ];

  it.each(recipes)('of %s reads back from its file as it was', async (_, recipe, chosen) => {
    const { construction, bytes } = await search(networkOf(recipe), chosen);
    const { ticket, changedTensors } = decodeTicket(bytes);
    expect(ticket).toEqual({ ...construction.ticket, layers: ticket.layers });
    expect(Buffer.from(encodeTicket(ticket)).equals(bytes)).toBe(true);
    expect(changedTensors).toEqual([]);
  });

  it.each(recipes)(
    'of %s with mask bits flipped is refused, or within its certificate',
    async (_, recipe, chosen) => {
      const network = networkOf(recipe);
      const searched = await search(network, chosen);
      const next = seededNumbers(77);
      let refused = 0;
      for (let flip = 0; flip < 40; flip++) {
        const index = next(searched.ticket.layers.length);
        const bit = next(8 * (searched.ticket.layers[index]?.masks.length ?? 0));
        const ticket = withLayer(searched.ticket, index, ({ masks }) => ({
          masks: withValues(masks, { [bit >> 3]: (masks[bit >> 3] ?? 0) ^ (1 << (bit & 7)) }),
        }));
        if ((await faultOf(searched, network, ticket)) !== null) refused++;
        else expect(measuredError(network, { ...searched, ticket }, { seed: 5, inputs: 8 })).toBeLessThan(1);
      }
      expect(refused).toBeGreaterThan(25);
    },
  );

  it('with a univariate row moved to another input is refused', async () => {
    const network = networkOf(relu);
    const searched = await search(network, {});
    const [deeper] = searched.ticket.deeperUnivariates;
    const row = deeper?.inputs.findIndex((input) => input >= 0) ?? -1;
    const kept = deeper?.inputs[row] ?? -1;
    const copies = searched.ticket.layers[0]?.copyRows ?? new Int32Array(0);
    const other = copies.find((copy) => copy !== kept) ?? -1;
    const stray = Array.from({ length: 99 }, (_, column) => column).find(
      (column) => !copies.includes(column),
    );
    for (const [input, fault] of [
      [other, /^source layer (4, neuron \d+, row \d+|3, row \d+ has a negative weight)/],
      [stray ?? -1, /^source layer 3, row \d+ keeps the input/],
      [-2, /^source layer 3, row \d+ keeps the input/],
    ] as const) {
      if (deeper === undefined) throw new Error('there is no deeper univariate layer');
      const moved = { ...deeper, inputs: withValues(deeper.inputs, { [row]: input }) };
      const rest = searched.ticket.deeperUnivariates.slice(1);
      const ticket = { ...searched.ticket, deeperUnivariates: [moved, ...rest] };
      expect(await faultOf(searched, network, ticket)).toMatch(fault);
    }
  });

  it.each<[string, (ticket: Ticket) => Ticket, RegExp]>([
    [
      'a univariate layer too few',
      (t) => ({ ...t, deeperUnivariates: t.deeperUnivariates.slice(1) }),
      /univariate/,
    ],
    ['none but the first', (t) => ({ ...t, deeperUnivariates: [] }), /^the source has 6 layers/],
    ['another seed', (t) => ({ ...t, source: { ...t.source, seed: 2n } }), /^source layer/],
    ['a narrower source', (t) => narrowed(t), /^source layer 3 has another shape/],
    [
      'a deeper layer that extends its input',
      (t) => ({ ...t, deeperUnivariates: t.deeperUnivariates.map((u) => ({ ...u, extendedInput: true })) }),
      /^source layer 3/,
    ],
    [
      'sign groups that the inputs do not allow',
      (t) => ({ ...t, deeperUnivariates: t.deeperUnivariates.map((u) => ({ ...u, signGroups: 'any' })) }),
      /^source layer 3 has one block per weight/,
    ],
  ])('with %s is refused', async (_, change, fault) => {
    const network = networkOf(relu);
    const searched = await search(network, {});
    expect(await faultOf(searched, network, change(searched.ticket))).toMatch(fault);
  });

  it('of a fixed network has the digest it always had', async () => {
    const { bytes } = await search(networkOf({ ...relu, sparsity: 0 }), {
      seed: 9n,
      gridBits: 16,
      epsilon: 0.03,
    });
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(
      '77f177038d029fbb3fe5f39314f06263a0ded6949da2285647fd4b5f419eb490',
    );
  });
});

/** A network of layers with one input and one output each. */
function chain(...layers: readonly Omit<Layer, 'name'>[]): Network {
  const named = layers.map((layer, index) => ({ name: `layer${index + 1}`, ...layer }));
  return { inputShape: [1], inputSteps: [], layers: named };
}

function denseUnit(weight: number, bias: number, activation: Activation): Omit<Layer, 'name'> {
  const linear = {
    kind: 'dense',
    outputs: 1,
    inputs: 1,
    weights: Float64Array.of(weight),
    bias: Float64Array.of(bias),
  } as const;
  return { linear, steps: [{ kind: 'activation', activation }] };
}

function narrowed(ticket: Ticket): Ticket {
  const layers = ticket.source.layers.map((layer, index) =>
    index === 2 ? { ...layer, cols: layer.cols - 1 } : layer,
  );
  return { ...ticket, source: { ...ticket.source, layers } };
}
