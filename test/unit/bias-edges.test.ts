/** Constants that share a divisor reach no bias but its multiples: blocks and plans of exact searches avoid that. */
import { beforeAll, describe, expect, it } from 'vitest';
import type { Network } from '../../src/core/network/network.ts';
import { unevenBlock, unevenRows, wholeValues } from '../../src/core/plan/bias-edges.ts';
import type { Solver } from '../../src/core/plan/tile.ts';
import { activationStep } from '../support/evaluation-networks.ts';
import { kernelSolver, searchInProcess } from '../support/in-process-search.ts';
import { IndependentCheck } from '../support/independent-check.ts';

let solver: Solver;
beforeAll(async () => {
  solver = await kernelSolver();
});

const even = Array.from({ length: 30 }, (_, k) => 2 * k + 2);

describe('the block of a quantised bias', () => {
  it('is made of the first edges where their values share no divisor, or no others are there', () => {
    expect(unevenBlock([4, 6, 9, 5, 7], 3)).toEqual([0, 1, 2]);
    expect(unevenBlock([-4, 3, 1], 2)).toEqual([0, 1]);
    expect(unevenBlock(even, 28)).toEqual([...even.keys()].slice(0, 28));
    expect(unevenBlock([5], 28)).toEqual([0]);
    expect(unevenBlock([], 28)).toEqual([]);
  });

  it('has eight uneven edges in place of its last ones where the first are all even', () => {
    const values = [...even, ...Array.from({ length: 9 }, (_, k) => (k % 2 === 0 ? -1 : 1) * (2 * k + 1))];
    const block = unevenBlock(values, 28);
    expect(block).toEqual([...Array(20).keys(), 30, 31, 32, 33, 34, 35, 36, 37]);
    expect(new Set(block).size).toBe(28);
  });

  it('mends one divisor after another', () => {
    const values = [...even.map((value) => 3 * value), ...Array<number>(9).fill(3), 2, 4, 8];
    const block = unevenBlock(values, 28).map((index) => values[index] ?? 0);
    for (const prime of [2, 3]) expect(block.some((value) => value % prime !== 0)).toBe(true);
    expect(block.length).toBe(28);
  });

  it('knows only whole values', () => {
    const edges = [0.5, 0.25, -1, 0.1 + 0.2].map((value, element) => ({ element, value }));
    const found = wholeValues(edges, 10);
    expect(found.values).toEqual([5, -10, 3]);
    expect(found.edges.map(({ element }) => element)).toEqual([0, 2, 3]);
  });
});

describe('the rows of constants', () => {
  it('are as many as planned where their values share no divisor', () => {
    expect(unevenRows(3, () => [4, 9])).toBe(3);
    expect(unevenRows(3, () => [1])).toBe(3);
  });

  it('are more where they do, until enough do not', () => {
    const values = (rows: number): number[] => Array.from({ length: rows }, (_, k) => (k < 30 ? 6 : 5));
    expect(unevenRows(12, values)).toBe(44);
    const threes = (rows: number): number[] => Array.from({ length: rows }, (_, k) => (k < 12 ? 3 : 2));
    expect(unevenRows(12, threes)).toBe(20);
  });

  it('are more where there is no value at all, and an end is put to it', () => {
    expect(unevenRows(4, (rows) => (rows > 10 ? [7, 7, 7, 7, 7, 7, 7, 7, 2] : []))).toBe(12);
    expect(unevenRows(4, () => [])).toBe(4 + 256);
  });
});

/** A convolution with so few constants that those of seed 12 are all even. */
function evenConstants(): Network {
  let state = 777;
  const numbers = (count: number, size: number): Float64Array =>
    Float64Array.from({ length: count }, () => {
      state = (state * 1103515245 + 12345) % 2147483648;
      return size * ((2 * state) / 2147483648 - 1);
    });
  const none = [0, 0, 0, 0] as const;
  const [weights, bias] = [numbers(100, 0.3), numbers(4, 0.3 / 3)];
  return {
    inputShape: [1, 9, 9],
    inputSteps: [],
    layers: [
      {
        name: 'convolution',
        linear: {
          kind: 'convolution',
          outputs: 4,
          inputs: 1,
          kernel: [5, 5],
          strides: [1, 1],
          dilations: [1, 1],
          padding: none,
          weights,
          bias,
        },
        steps: [
          activationStep({ kind: 'relu' }),
          { kind: 'maxPool', kernel: [2, 2], strides: [2, 2], padding: none },
          { kind: 'flatten' },
        ],
      },
      {
        name: 'dense',
        linear: { kind: 'dense', outputs: 3, inputs: 16, weights: numbers(48, 1), bias: numbers(3, 1 / 3) },
        steps: [],
      },
    ],
  };
}

describe('an exact search whose planned constants are all even', () => {
  it('has constants enough to reach odd biases', async () => {
    const network = evenConstants();
    const { ticket, verdict, construction } = await searchInProcess(
      network,
      { mode: 'exact', gridBits: 8, seed: 12n, inputRange: [-1, 1] },
      solver,
    );
    expect(verdict.fault).toBeNull();
    expect(construction.missingCopies).toBe(0);
    expect(new IndependentCheck(ticket, network).fault()).toBeNull();
  });
});
