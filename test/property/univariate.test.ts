import { beforeAll, describe, expect, it } from 'vitest';
import { layerViews } from '../../src/core/plan/layer-view.ts';
import { makePlan, type PlanOptions } from '../../src/core/plan/make-plan.ts';
import type { Solver } from '../../src/core/plan/tile.ts';
import { assignInputs, noInput, univariateGroups } from '../../src/core/plan/univariate.ts';
import { SourceLayerReader } from '../../src/core/source/source-network.ts';
import { activationStep, denseLayer } from '../support/evaluation-networks.ts';
import { defaultOptions, kernelSolver } from '../support/in-process-search.ts';
import { networkOf } from '../support/random-network.ts';

let solver: Solver;
beforeAll(async () => {
  solver = await kernelSolver();
});

const recipe = {
  seed: 1,
  activations: [{ kind: 'relu' }],
  convolutional: false,
  pooling: 'none',
  sparsity: 0.7,
  biased: true,
  padded: false,
} as const;

const cases: readonly (readonly [string, Partial<PlanOptions>, Partial<typeof recipe>])[] = [
  ['positive inputs', {}, {}],
  ['sign groups', { inputRange: [-1, 1] }, {}],
  ['a coarse grid', { gridBits: 12, epsilon: 0.05 }, {}],
  ['one kind of group', { inputRange: [-1, 1] }, { activations: [{ kind: 'tanh' }] as never }],
  ['an extended input', { biasInit: 'zero' }, {}],
  ['exact mode', { mode: 'exact', gridBits: 6 }, {}],
  ['exact sign groups', { mode: 'exact', gridBits: 8, inputRange: [-1, 1] }, {}],
];

describe.each(cases)('the univariate layer with %s', (_, options, change) => {
  it.each([1, 2, 3])(
    'gives every input that is read its block of rows, and no other any: seed %i',
    async (seed) => {
      const network = networkOf({ ...recipe, ...change, seed });
      const plan = await makePlan(network, { ...defaultOptions, ...options, seed: BigInt(seed) }, solver);
      const [view] = layerViews(network);
      const [layer] = plan.source.layers;
      if (view === undefined || layer === undefined) throw new Error('there is a first layer');
      const used =
        seed === 1 ? view.usedChannels.map((flag, channel) => (channel === 0 ? 0 : flag)) : view.usedChannels;
      const inputs = assignInputs(plan, used);
      const { blockSize, signGroups, constantRows, extendedInput } = plan.univariate;
      const reader = new SourceLayerReader(plan.source, 0, layer);
      const groups = univariateGroups(plan, inputs, view.channels);
      expect(groups.length).toBe(view.channels * (signGroups === 'both' ? 2 : 1));
      groups.forEach(({ channel, columns, multipliers }, index) => {
        expect(columns.length).toBe(used[channel] === 1 ? blockSize : 0);
        expect(columns).toEqual([...columns].sort((a, b) => a - b));
        columns.forEach((row, k) => {
          const weight = reader.weight(row, channel);
          expect(inputs[row]).toBe(channel);
          expect(multipliers[k]).toBe(weight);
          expect(weight).not.toBe(0);
          if (signGroups === 'positive') expect(weight).toBeGreaterThan(0);
          if (signGroups === 'both') expect(Math.sign(weight)).toBe(index % 2 === 0 ? 1 : -1);
          if (plan.mode === 'tolerance')
            expect(Math.abs(weight)).toBeGreaterThanOrEqual(2 ** (plan.source.gridBits - 2));
        });
      });
      const constants = inputs.subarray(inputs.length - constantRows);
      expect(constants.every((input) => input === (extendedInput ? layer.cols - 1 : noInput))).toBe(true);
    },
  );
});

describe('the univariate layer of a network with more inputs than a row looks at', () => {
  it('leaves no input short of a row while rows are left', async () => {
    const inputs = 2500;
    const layers = [denseLayer(inputs, 1, [activationStep({ kind: 'relu' })]), denseLayer(1, 2)];
    const network = { inputShape: [inputs], inputSteps: [], layers };
    const plan = await makePlan(network, { ...defaultOptions, epsilon: 0.05 }, solver);
    const groups = univariateGroups(plan, assignInputs(plan, new Uint8Array(inputs).fill(1)), inputs);
    expect(groups.filter(({ columns }) => columns.length !== plan.univariate.blockSize)).toEqual([]);
  });
});
