import { describe, expect, it } from 'vitest';
import { compareOutputs } from '../../coordinator/evaluate/compare.ts';

describe('compare outputs', () => {
  it('reports errors, scale, agreement and accuracy', () => {
    const target = Float32Array.of(1, 0, 0, -8, 3, 4);
    const ticket = Float32Array.of(1, 0.5, 2, -8, 4.5, 4);
    const labels = Uint8Array.of(0, 1, 0);
    expect(compareOutputs({ target, ticket, count: 3, outputs: 2, labels })).toEqual({
      maxAbsError: 2,
      meanAbsError: 4 / 6,
      outputScale: 8,
      agreement: 2 / 3,
      accuracy: { target: 1 / 3, ticket: 2 / 3 },
    });
  });

  it('takes the first of equal outputs', () => {
    const target = Float32Array.of(5, 5, 1);
    const ticket = Float32Array.of(5, 4, 1);
    expect(compareOutputs({ target, ticket, count: 1, outputs: 3, labels: null }).agreement).toBe(1);
  });

  it('lets a NaN agree with nothing', () => {
    const outputs = Float32Array.of(Number.NaN, 2);
    const found = compareOutputs({ target: outputs, ticket: outputs, count: 1, outputs: 2, labels: [0] });
    expect(found.maxAbsError).toBeNaN();
    expect(found.agreement).toBe(0);
    expect(found.accuracy).toEqual({ target: 0, ticket: 0 });
  });

  it('refuses outputs or labels of another length', () => {
    const target = Float32Array.of(1, 2);
    const pair = { target, ticket: target, count: 1, outputs: 2, labels: null };
    expect(() => compareOutputs({ ...pair, ticket: Float32Array.of(1) })).toThrow('shape');
    expect(() => compareOutputs({ ...pair, labels: [0, 1] })).toThrow('label');
  });

  it('has no accuracy without labels', () => {
    const outputs = Float32Array.of(1, 2);
    expect(
      compareOutputs({ target: outputs, ticket: outputs, count: 1, outputs: 2, labels: null }).accuracy,
    ).toBeNull();
  });
});
