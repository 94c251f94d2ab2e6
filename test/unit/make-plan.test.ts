import { beforeAll, describe, expect, it } from 'vitest';
import { TombolaError } from '../../src/core/errors.ts';
import { makePlan, type PlanOptions } from '../../src/core/plan/make-plan.ts';
import type { Solver } from '../../src/core/plan/tile.ts';
import { countingSolver } from '../support/counting-solver.ts';
import { activationStep, denseLayer } from '../support/evaluation-networks.ts';
import { defaultOptions, kernelSolver, searchInProcess } from '../support/in-process-search.ts';
import { networkOf } from '../support/random-network.ts';

let solver: Solver;
beforeAll(async () => {
  solver = await kernelSolver();
});

const relu = activationStep({ kind: 'relu' });
const network = {
  inputShape: [6],
  inputSteps: [],
  layers: [denseLayer(6, 5, [relu]), denseLayer(5, 4, [relu]), denseLayer(4, 2)],
};
const spatial = networkOf({
  seed: 5,
  activations: [{ kind: 'gelu', form: 'erf' }],
  convolutional: true,
  pooling: 'average',
  sparsity: 0.5,
  biased: true,
  padded: true,
});

describe('a plan', () => {
  it.each([
    ['dense', network],
    ['convolutional', spatial],
  ])('is a function of target and options: %s', async (_, target) => {
    const options = { ...defaultOptions, inputRange: [-1, 1] as const };
    expect(await makePlan(target, options, solver)).toEqual(await makePlan(target, options, solver));
  });

  it('is of the same kind for another seed, and the ticket another one', async () => {
    const one = await searchInProcess(network, { seed: 1n }, solver);
    const other = await searchInProcess(network, { seed: 2n }, solver);
    expect(other.sha256).toBe(one.sha256);
    expect(other.plan.layers.length).toBe(one.plan.layers.length);
    expect(other.plan.univariate.signGroups).toBe(one.plan.univariate.signGroups);
    expect(Buffer.compare(other.bytes, one.bytes)).not.toBe(0);
    expect(other.ticket.layers.map(({ copyCounts }) => copyCounts.length)).toEqual([5, 4, 2]);
    const again = await searchInProcess(network, { seed: 1n }, solver);
    expect(Buffer.compare(again.bytes, one.bytes)).toBe(0);
  });

  it('describes a source whose layers fit each other, its pools and its constants', async () => {
    const { source, layers, univariate } = await makePlan(network, defaultOptions, solver);
    expect(source.layers.length).toBe(4);
    expect(source.layers[0]).toMatchObject({ cols: 6, taps: 1 });
    layers.forEach(({ pool, reserve, constantRows, copies }, index) => {
      const neurons = [5, 4, 2][index] ?? 0;
      expect(source.layers[index + 1]?.rows).toBe(neurons * pool + reserve + constantRows);
      expect(source.layers[index + 1]?.cols).toBe(source.layers[index]?.rows);
      expect(pool).toBeGreaterThanOrEqual(copies);
      for (const count of [pool, reserve, constantRows]) expect(Number.isSafeInteger(count)).toBe(true);
    });
    expect(layers.at(-1)?.copies).toBe(1);
    expect(univariate.constantRows).toBeLessThan(source.layers[0]?.rows ?? 0);
  });

  it('gives every layer the copies that the user asked for, and the last one none', async () => {
    const { layers } = await makePlan(network, { ...defaultOptions, copies: 13 }, solver);
    expect(layers.map(({ copies }) => copies)).toEqual([13, 13, 1]);
  });

  it('calls a layer as tables do where its name is a number', async () => {
    const numbered = {
      ...network,
      layers: network.layers.map((layer, index) => ({ ...layer, name: `${index}` })),
    };
    const plan = makePlan(numbered, { ...defaultOptions, epsilon: 1e-300 }, solver);
    await expect(plan).rejects.toThrow(/^Cannot plan target layer 1: /);
  });

  it.each<[Partial<PlanOptions>, RegExp]>([
    [{ epsilon: 0 }, /--epsilon 0: expected a number between 0 and 1, or --exact/],
    [{ epsilon: -0.1 }, /--epsilon -0.1/],
    [{ epsilon: 1 }, /--epsilon 1:/],
    [{ epsilon: Number.NaN }, /--epsilon NaN/],
    [
      { epsilon: 1e-6, gridBits: 8 },
      /layer dense: .* ε = 0.000001, expected a larger --epsilon or more --grid-bits/,
    ],
    [
      { epsilon: 1e-300 },
      /^Cannot plan layer dense: with blocks of 40 samples .* expected a larger --epsilon$/,
    ],
    [{ epsilon: 0.01, copies: 1 }, /more --copies/],
    [{ mode: 'exact', gridBits: 24 }, /--exact with --grid-bits 24: expected at most 12/],
    [{ mode: 'exact', gridBits: 13 }, /--exact with --grid-bits 13/],
    [{ gridBits: 1 }, /--grid-bits 1: expected 2 to 24/],
    [{ gridBits: 25 }, /--grid-bits 25/],
    [{ gridBits: 8.5 }, /--grid-bits 8.5/],
    [{ gridBits: Number.NaN }, /--grid-bits NaN/],
    [{ copies: 0 }, /--copies 0: expected auto or 1 to 40/],
    [{ copies: 41 }, /--copies 41/],
    [{ copies: 12.5 }, /--copies 12.5/],
    [{ copies: Number.NaN }, /--copies NaN/],
    [{ inputRange: [1, 1] }, /--input-range 1,1: expected LO,HI with LO < HI/],
    [{ inputRange: [2, 1] }, /--input-range 2,1/],
    [{ inputRange: [0, Number.POSITIVE_INFINITY] }, /--input-range 0,Infinity/],
    [{ inputRange: [Number.NEGATIVE_INFINITY, 1] }, /--input-range -Infinity,1/],
    [{ inputRange: [Number.NaN, 1] }, /--input-range NaN,1/],
    [{ failureProbability: 0 }, /--failure-probability 0: expected a number between 0 and 1/],
    [{ failureProbability: 1 }, /--failure-probability 1/],
    [{ failureProbability: -1 }, /--failure-probability -1/],
    [{ failureProbability: Number.NaN }, /--failure-probability NaN/],
    [{ seed: -1n }, /--seed -1: expected a whole number from 0 to 2\^64 − 1/],
    [{ seed: 1n << 64n }, /--seed 18446744073709551616/],
  ])('refuses %o in one line', async (options, message) => {
    const refused = makePlan(network, { ...defaultOptions, ...options }, solver);
    await expect(refused).rejects.toThrow(message);
    await expect(refused).rejects.toThrow(TombolaError);
    await expect(refused).rejects.toMatchObject({ kind: 'misuse' });
    await expect(refused).rejects.toThrow(/^Cannot plan [^\n]*$/);
  });

  it.each<[Partial<PlanOptions>, RegExp]>([
    [{ epsilon: 1e-6 }, /; expected a larger --epsilon$/],
    [{ epsilon: 1e-6, biasInit: 'zero' }, /; expected a larger --epsilon or --bias-init uniform$/],
    [{ epsilon: 1e-6, construction: '2L' }, /; expected a larger --epsilon$/],
  ])(
    'refuses biases that rounding alone spoils before a single block is probed: %o',
    async (options, message) => {
      const counting = countingSolver(solver);
      const refused = makePlan(network, { ...defaultOptions, ...options }, counting);
      await expect(refused).rejects.toThrow(
        /^Cannot plan the biases of layer dense: rounding \d+ samples costs /,
      );
      await expect(refused).rejects.toThrow(message);
      expect(counting.tiles).toEqual([]);
      await makePlan(network, { ...defaultOptions, ...options, epsilon: 0.05 }, counting);
      expect(counting.tiles).not.toEqual([]);
    },
  );

  it('that is refused for one layer asks for nothing more of the others', async () => {
    const counting = countingSolver(solver);
    const options = { mode: 'exact', gridBits: 12, copies: 2 } as const;
    await expect(makePlan(network, { ...defaultOptions, ...options }, counting)).rejects.toThrow(
      /^Cannot plan/,
    );
    const asked = counting.tiles.length;
    await new Promise((resolve) => setImmediate(resolve));
    expect(counting.tiles).toHaveLength(asked);
  });

  it.each<[string, Partial<PlanOptions>, RegExp]>([
    ['finer grid than the finest', { epsilon: 1e-300 }, /expected a larger --epsilon$/],
    [
      'a larger tolerance of an exact search',
      { mode: 'exact', gridBits: 12, copies: 2 },
      /expected fewer --grid-bits or more --copies$/,
    ],
  ])('names no %s as a way out', async (_, options, message) => {
    const unbiased = {
      ...network,
      layers: network.layers.map((layer) => ({
        ...layer,
        linear: { ...layer.linear, bias: layer.linear.bias.map(() => 0) },
      })),
    };
    await expect(makePlan(unbiased, { ...defaultOptions, ...options }, solver)).rejects.toThrow(message);
  });

  it.each<Partial<PlanOptions>>([
    { seed: 0n },
    { seed: (1n << 64n) - 1n },
    { epsilon: 0.99 },
    { gridBits: 2, epsilon: 0.9 },
    { mode: 'exact', gridBits: 2 },
    { mode: 'exact', gridBits: 3 },
    { failureProbability: 1e-12 },
    { failureProbability: 0.999 },
    { inputRange: [-1e-9, 1e-9] },
    { inputRange: [1e6, 1e6 + 1] },
    { copies: 40 },
  ])('takes %o, at the edge of what is allowed, and the ticket verifies', async (options) => {
    const searched = await searchInProcess(network, options, solver).catch((error: unknown) => error);
    if (searched instanceof Error) expect(searched.message).toMatch(/^Cannot (plan|complete) /);
    else expect(searched).toMatchObject({ verdict: { fault: null } });
    if (searched instanceof Error) expect(searched).toBeInstanceOf(TombolaError);
  });
});
