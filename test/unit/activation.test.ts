import { describe, expect, it } from 'vitest';
import {
  type Activation,
  activate,
  activationSlope,
  errorFunction,
  isPositivelyHomogeneous,
  linearisation,
  remainder,
  seluDefaults,
  slopeRange,
} from '../../src/core/network/activation.ts';
import { allActivations } from '../support/all-activations.ts';

/** Where the slope jumps or bends: difference quotients converge more slowly there. */
const kinks: Partial<Record<Activation['kind'], readonly number[]>> = {
  relu: [0],
  leakyRelu: [0],
  elu: [0],
  selu: [0],
  softsign: [0],
  hardSwish: [-3, 3],
};

describe('activations', () => {
  it.each(allActivations)('the slope of $kind is the limit of its difference quotients', (activation) => {
    const step = 1e-5;
    for (let z = -9; z <= 9; z += 0.0625) {
      const isAtKink = kinks[activation.kind]?.some((kink) => Math.abs(z - kink) < 2 * step) ?? false;
      const [low, high] = isAtKink ? [z, z + step] : [z - step, z + step];
      const quotient = (activate(activation, high) - activate(activation, low)) / (high - low);
      const slope = activationSlope(activation, z);
      expect(Math.abs(slope - quotient), `${activation.kind} at ${z}`).toBeLessThan(isAtKink ? 3e-5 : 1e-8);
    }
  });

  it.each(allActivations)('the linearisation of $kind touches it from both sides at 0', (activation) => {
    const { intercept, slopePositive, slopeNegative } = linearisation(activation);
    expect(intercept).toBe(activate(activation, 0));
    const step = 1e-7;
    expect((activate(activation, step) - intercept) / step).toBeCloseTo(slopePositive, 5);
    expect((intercept - activate(activation, -step)) / step).toBeCloseTo(slopeNegative, 5);
  });

  it.each(allActivations)('$kind and its slope stay finite far out', (activation) => {
    for (const z of [-1e30, -1e6, -750, 750, 1e6, 1e30]) {
      expect(Number.isFinite(activate(activation, z)), `${activation.kind} at ${z}`).toBe(true);
      expect(Number.isFinite(activationSlope(activation, z)), `slope of ${activation.kind} at ${z}`).toBe(
        true,
      );
    }
  });

  it('exactly ReLU, LeakyReLU and the identity scale with their argument, without remainder', () => {
    for (const activation of allActivations) {
      const scales = [-2.5, -0.3, 0.7, 4].every(
        (z) => Math.abs(activate(activation, 3 * z) - 3 * activate(activation, z)) < 1e-12,
      );
      expect(isPositivelyHomogeneous(activation)).toBe(scales);
      if (scales) expect(remainder(activation, -1.7)).toBe(0);
    }
  });

  it('takes the values of tables', () => {
    const value = (activation: Activation, z: number): number => activate(activation, z);
    expect(value({ kind: 'gelu', form: 'erf' }, 1)).toBeCloseTo(0.841344746068543, 14);
    expect(value({ kind: 'gelu', form: 'tanh' }, 1)).toBeCloseTo(0.841191990608276, 12);
    expect(value({ kind: 'mish' }, 1)).toBeCloseTo(0.86509838826731, 12);
    expect(value({ kind: 'silu' }, 1)).toBeCloseTo(0.731058578630005, 14);
    expect(value({ kind: 'softplus' }, 0)).toBeCloseTo(Math.LN2, 15);
    expect(value({ kind: 'selu', ...seluDefaults }, -1)).toBeCloseTo(-1.111330737812562, 7);
    expect(value({ kind: 'hardSwish' }, -1.5)).toBe(-0.375);
    expect(value({ kind: 'softsign' }, -3)).toBe(-0.75);
  });

  it('hard swish jumps from slope 0 to −1/2 at −3 and from 3/2 to 1 at 3, and a range that ends there holds both', () => {
    expect(slopeRange({ kind: 'hardSwish' }, [-3, -3])).toEqual([-0.5, 0]);
    expect(slopeRange({ kind: 'hardSwish' }, [3, 3])).toEqual([1, 1.5]);
  });
});

describe('the error function', () => {
  // Abramowitz and Stegun, Handbook of Mathematical Functions, table 7.1.
  it.each([
    [0, 0],
    [0.1, 0.1124629160182849],
    [0.5, 0.5204998778130465],
    [1, 0.8427007929497149],
    [1.5, 0.9661051464753108],
    [2, 0.9953222650189527],
    [3, 0.9999779095030014],
    [5, 0.9999999999984626],
    [6, 1],
    [40, 1],
  ])('erf(±%f) = ±%f', (x, expected) => {
    expect(Math.abs(errorFunction(x) - expected)).toBeLessThan(2e-15);
    expect(errorFunction(-x) + errorFunction(x)).toBe(0);
  });
});
