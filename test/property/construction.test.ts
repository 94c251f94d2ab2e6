import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { TombolaError } from '../../src/core/errors.ts';
import type { Network } from '../../src/core/network/network.ts';
import type { PlanOptions } from '../../src/core/plan/make-plan.ts';
import type { Solver } from '../../src/core/plan/tile.ts';
import { kernelSolver, type Searched, searchInProcess } from '../support/in-process-search.ts';
import { measuredError } from '../support/measured-error.ts';
import { everyActivation, networkOf, networkRecipe } from '../support/random-network.ts';

let solver: Solver;
beforeAll(async () => {
  solver = await kernelSolver();
});

const options: fc.Arbitrary<Partial<PlanOptions>> = fc.record({
  seed: fc.bigInt(0n, (1n << 64n) - 1n),
  inputRange: fc.constantFrom<readonly [number, number]>([0, 1], [-1, 1], [-0.4, 2.8], [-2, -0.5]),
  biasInit: fc.constantFrom('uniform', 'zero'),
  epsilon: fc.constantFrom(0.05, 0.01),
  rule: fc.constantFrom('fewest', 'fewest', 'closest'),
  gridBits: fc.constantFrom(24, 24, 16, 12),
});

/** What may end a search of a sound target: one clear line, never another error. */
async function searchOrReason(network: Network, chosen: Partial<PlanOptions>): Promise<Searched | string> {
  try {
    return await searchInProcess(network, chosen, solver);
  } catch (error) {
    if (error instanceof TombolaError) return error.message;
    throw error;
  }
}

describe('the construction', () => {
  it('gives every small network a ticket that verifies and stays within its certificate, or says what is missing', async () => {
    let tickets = 0;
    let refusals = 0;
    await fc.assert(
      fc.asyncProperty(networkRecipe, options, async (recipe, chosen) => {
        const network = networkOf(recipe);
        const searched = await searchOrReason(network, chosen);
        if (typeof searched === 'string') {
          refusals++;
          expect(searched).toMatch(/^Cannot /);
          return;
        }
        tickets++;
        expect(searched.verdict.fault).toBeNull();
        const error = measuredError(network, searched, { seed: recipe.seed, inputs: 24 });
        expect(error).toBeLessThanOrEqual(searched.verdict.certifiedBound * (1 + 1e-9) + 1e-12);
      }),
      { numRuns: 60, seed: 20221123 },
    );
    expect(tickets).toBeGreaterThan(50);
    expect(refusals).toBeLessThan(8);
  });
});

describe.each(['L+1', '2L'] as const)('the %s construction', (construction) => {
  it.each(everyActivation.map((activation) => [JSON.stringify(activation), activation] as const))(
    'represents a network with %s in every layer, the univariate ones included',
    async (_, activation) => {
      const network = networkOf({
        seed: 7,
        activations: [activation, activation],
        convolutional: false,
        pooling: 'none',
        sparsity: 0.2,
        biased: true,
        padded: true,
      });
      const searched = await searchInProcess(network, { construction, inputRange: [-1, 1] }, solver);
      expect(searched.verdict.fault).toBeNull();
      expect(searched.construction.missingCopies).toBe(0);
      expect(measuredError(network, searched, { seed: 1, inputs: 40 })).toBeLessThan(0.25);
    },
  );

  it('equals the quantised target in exact mode, for positively homogeneous activations', async () => {
    await fc.assert(
      fc.asyncProperty(
        networkRecipe,
        fc.constantFrom(...everyActivation.slice(0, 4)),
        fc.constantFrom(6, 8),
        async (recipe, activation, gridBits) => {
          const network = networkOf({ ...recipe, activations: recipe.activations.map(() => activation) });
          const chosen = { construction, mode: 'exact', gridBits, inputRange: [-1, 1] } as const;
          const searched = await searchOrReason(network, chosen);
          if (typeof searched === 'string') return expect(searched).toMatch(/^Cannot /);
          expect(searched.verdict.fault).toBeNull();
          expect(searched.verdict.layers.map((layer) => layer.residualMax)).toEqual(
            network.layers.map(() => 0),
          );
          expect(measuredError(network, searched, { seed: recipe.seed, inputs: 12 })).toBeLessThan(1e-9);
        },
      ),
      { numRuns: 20, seed: 20250811 },
    );
  });
});
