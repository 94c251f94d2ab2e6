/** What one layer's biases are planned to be, and what is said where they cannot be. */
import { describe, expect, it } from 'vitest';
import { type BiasQuestion, biasRounding, planBias } from '../../src/core/plan/bias-plan.ts';
import { type LayerView, layerViews } from '../../src/core/plan/layer-view.ts';
import { activationStep, denseLayer } from '../support/evaluation-networks.ts';

function viewOf(): LayerView {
  const layers = [denseLayer(3, 4, [activationStep({ kind: 'relu' })])];
  const [view] = layerViews({ inputShape: [3], inputSteps: [], layers });
  if (view === undefined) throw new Error('a network has a layer');
  return view;
}

describe('the plan of biases', () => {
  const question = (change: Partial<BiasQuestion>): BiasQuestion => ({
    view: viewOf(),
    index: 0,
    exact: false,
    gridBits: 24,
    biasInit: 'uniform',
    gain: 1,
    tolerance: 0.01,
    before: null,
    activations: [{ kind: 'sigmoid' }],
    interceptSpread: 0,
    unbiasedMax: 1,
    ...change,
  });

  it('uses blocks that are solved exactly, or long ones for large intercepts, and none in between', () => {
    const sizes = Array.from(
      { length: 60 },
      (_, k) => planBias(question({ interceptSpread: 0.1 * k })).biasBlockSize,
    );
    expect(sizes[0]).toBeLessThanOrEqual(32);
    expect(Math.max(...sizes)).toBeGreaterThan(100);
    expect(sizes).toEqual([...sizes].sort((a, b) => a - b));
    for (const size of sizes) expect(size <= 32 || size >= 56).toBe(true);
  });

  it('has constants enough for its blocks, and rounding and tolerance together within what was asked', () => {
    for (const interceptSpread of [0, 1, 5]) {
      const { biasUnit, biasTolerance, biasBlockSize, constantRows } = planBias(
        question({ interceptSpread }),
      );
      expect((biasTolerance + biasRounding(biasBlockSize)) * biasUnit).toBeLessThanOrEqual(0.01);
      expect(constantRows).toBeGreaterThanOrEqual(biasBlockSize);
      expect(Number.isInteger(biasTolerance)).toBe(true);
    }
  });

  it('says so when a block would need more constants than a long block may have, or rounding alone exceeds the tolerance', () => {
    expect(() => planBias(question({ interceptSpread: 1e4 }))).toThrow(
      /^Cannot plan the biases of layer dense: \d+ constants needed, expected at most 4096/,
    );
    expect(() => planBias(question({ tolerance: 1e-7 }))).toThrow(
      /^Cannot plan the biases of layer dense: rounding \d+ samples costs/,
    );
  });

  it('names as ways out only what is not set already', () => {
    const refusal = (change: Partial<BiasQuestion>): string => {
      try {
        planBias(question(change));
      } catch (error) {
        return error instanceof Error ? error.message : '';
      }
      return 'it was planned';
    };
    const few = { interceptSpread: 1e4 };
    expect(refusal(few)).toMatch(/; use a target with smaller biases or fewer inputs$/);
    expect(refusal({ ...few, biasInit: 'zero' })).toMatch(
      /; use --bias-init uniform or a target with smaller/,
    );
    const coarse = { tolerance: 1e-7 };
    expect(refusal(coarse)).toMatch(/; expected a larger --epsilon$/);
    expect(refusal({ ...coarse, exact: true })).toMatch(/; expected --epsilon instead of --exact$/);
    expect(refusal({ ...coarse, biasInit: 'zero' })).toMatch(/--epsilon or --bias-init uniform$/);
  });

  it('keeps no bias edge where there is nothing to add', () => {
    const still = { ...viewOf(), biasMax: 0 };
    expect(planBias(question({ view: still }))).toMatchObject({
      constantRows: 0,
      biasBlockSize: 0,
      ownBias: false,
    });
  });
});
