/** Which block size is taken, for a solver that misses as a test says. */
import { describe, expect, it } from 'vitest';
import { type BlockChoice, chooseBlock } from '../../src/core/plan/block-size.ts';
import { layerViews } from '../../src/core/plan/layer-view.ts';
import type { Solver } from '../../src/core/plan/tile.ts';
import { denseLayer } from '../support/evaluation-networks.ts';

/** Chooses from sizes 9 to 40 where `missShare` of the blocks of a size have no subset. */
function chosen(missShare: (blockSize: number) => number): Promise<BlockChoice> & { sizes: number[] } {
  const sizes: number[] = [];
  const solver: Solver = {
    concurrency: 1,
    solve: ({ cols }, tile) => {
      if (sizes.at(-1) !== cols) sizes.push(cols);
      const misses = Math.round(missShare(cols) * tile.neurons.length);
      return Promise.resolve({
        tileId: tile.id,
        copyCounts: Int32Array.from(tile.neurons, (_, index) => (index < misses ? 0 : 1)),
        copyRows: new Int32Array(0),
        masks: new Uint8Array(0),
        misses: new Int32Array(0),
      });
    },
  };
  const [view] = layerViews({ inputShape: [1], inputSteps: [], layers: [denseLayer(1, 8)] });
  if (view === undefined) throw new Error('a network has a layer');
  const choice = chooseBlock({
    setting: { solver, seed: 1n, gridBits: 8, rule: 'fewest', exact: true, index: 0 },
    view,
    blocksPerWeight: 1,
    epsilon: 0,
    sizes: Array.from({ length: 32 }, (_, k) => 9 + k),
    specOf: ({ blockSize }) => ({ blockSize, weightUnit: 1, tolerance: 0, sampleShift: 0, univariate: null }),
  });
  return Object.assign(choice, { sizes });
}

describe('the choice of a block size', () => {
  it('goes on behind a size that is good by luck where the next ones are hopeless and better ones follow', async () => {
    const { blockSize } = await chosen((size) => (size === 9 ? 0.96 : size < 14 ? 0.99 : 0.1));
    expect(blockSize).toBe(14);
  });

  it('ends three sizes behind one whose rows mostly succeed', async () => {
    const choice = chosen((size) => (size < 12 ? 0.8 : 0.1));
    expect((await choice).blockSize).toBe(12);
    expect(choice.sizes).toEqual([9, 10, 11, 12, 13, 14, 15, 12]);
  });

  it('takes the least bad of sizes that are all poor, and none where all are hopeless', async () => {
    expect((await chosen((size) => (size === 20 ? 0.8 : 0.95))).blockSize).toBe(20);
    await expect(chosen(() => 0.999)).rejects.toThrow(/too few rows would become copies at exact mode/);
  });
});
