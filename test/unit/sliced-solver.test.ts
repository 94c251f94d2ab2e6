import fc from 'fast-check';
import { expect, it } from 'vitest';
import { slicedSolver } from '../../coordinator/jobs/sliced-solver.ts';
import { loadKernel } from '../../worker/kernel/kernel.ts';
import { layerAndTile } from '../support/layer-problems.ts';

it('solves a tile in slices as it is solved whole', async () => {
  const kernel = await loadKernel();
  const sizes: number[] = [];
  await fc.assert(
    fc.asyncProperty(layerAndTile, fc.integer({ min: 1, max: 3 }), async ([problem, tile], neuronsMax) => {
      const solver = slicedSolver(
        {
          concurrency: 2,
          solve: async (layer, slice) => {
            sizes.push(slice.neurons.length);
            expect(slice.neurons.length).toBeLessThanOrEqual(neuronsMax);
            return kernel.solveTile(layer, slice);
          },
        },
        neuronsMax,
      );
      expect(await solver.solve(problem, tile)).toEqual(kernel.solveTile(problem, tile));
    }),
  );
  expect(new Set(sizes)).toEqual(new Set([1, 2, 3]));
});
