/**
 * Tickets are the same today and tomorrow: digests of the tickets of one small network, made of whole numbers. Whoever changes a
 * digest changes what every published ticket means, or how sources are planned; that must be deliberate and stand in the
 * changelog. ReLU alone is used: no transcendental function enters a number of the ticket
 * (the planner's logarithms and exponentials only choose whole numbers of rows).
 */
import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Layer, Network } from '../../src/core/network/network.ts';
import type { PlanOptions } from '../../src/core/plan/make-plan.ts';
import type { Solver } from '../../src/core/plan/tile.ts';
import { kernelSolver, searchInProcess } from '../support/in-process-search.ts';

let solver: Solver;
beforeAll(async () => {
  solver = await kernelSolver();
});

/** Sixty-fourths from −31/64 to 31/64, spread by multiplication modulo a prime. */
function numbers(count: number, start: number): Float64Array {
  return Float64Array.from(
    { length: count },
    (_, k) => ((((start + k + 1) * 7919) % 8191) % 63) / 64 - 31 / 64,
  );
}

function dense(inputs: number, outputs: number, isLast = false): Layer {
  return {
    name: `dense ${inputs}`,
    linear: {
      kind: 'dense',
      inputs,
      outputs,
      weights: numbers(inputs * outputs, inputs),
      bias: numbers(outputs, 1000 + inputs),
    },
    steps: isLast ? [] : [{ kind: 'activation', activation: { kind: 'relu' } }],
  };
}

const network: Network = {
  inputShape: [7],
  inputSteps: [],
  layers: [dense(7, 5), dense(5, 4), dense(4, 3, true)],
};

const golden: readonly (readonly [string, Partial<PlanOptions>, string])[] = [
  ['ε = 0.01', {}, 'a2a92c595d1fa87b91dcb658a5f61ff15da65f3fc128ef46ca09d569d8db23c9'],
  [
    'sign groups, the closest subsets',
    { inputRange: [-1, 1], rule: 'closest', epsilon: 0.02, seed: 0xfedcba9876543210n },
    '209512e0da194db8ae5a0642e5275c2bc9bae91de9ae260a512d6625231ea26d',
  ],
  [
    'exactly, on 8 bits',
    { mode: 'exact', gridBits: 8, seed: 7n },
    'e8a87d57aa5fc88325be6c1c6e1fb5d8a1f06b732c44e18fe0e0a3fc06eff8e3',
  ],
  [
    'zero biases, 16 bits',
    { biasInit: 'zero', gridBits: 16, epsilon: 0.03, seed: 3n },
    '74f2b96ea50497f56d5843c8df9d5c06fe19df774d3574ebf682228f2dfcffa3',
  ],
];

describe('the ticket of a fixed network', () => {
  it.each(golden)('has the digest it always had: %s', async (_, options, digest) => {
    const { bytes, verdict } = await searchInProcess(network, options, solver);
    expect(verdict.fault).toBeNull();
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(digest);
  });
});
