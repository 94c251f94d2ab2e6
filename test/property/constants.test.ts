/** A constant edge adds the same amount at every position: checked by running the pruned network, not by the planner's own maps. */
import { beforeAll, describe, expect, it } from 'vitest';
import type { Network, Step } from '../../src/core/network/network.ts';
import type { PlanOptions } from '../../src/core/plan/make-plan.ts';
import type { Solver } from '../../src/core/plan/tile.ts';
import { materialise } from '../../src/core/ticket/materialise.ts';
import { sparseForward } from '../../src/core/ticket/sparse-forward.ts';
import type { SparseLayer } from '../../src/core/ticket/sparse-layer.ts';
import type { Ticket } from '../../src/core/ticket/ticket.ts';
import { edgesInto, ticketContext } from '../../src/core/verify/layer-context.ts';
import { activationStep, convolutionLayer, denseLayer, uniform } from '../support/evaluation-networks.ts';
import { kernelSolver, searchInProcess } from '../support/in-process-search.ts';

let solver: Solver;
beforeAll(async () => {
  solver = await kernelSolver();
});

const flatten: Step = { kind: 'flatten' };
const counted: Step = {
  kind: 'averagePool',
  kernel: [2, 2],
  strides: [1, 2],
  padding: [1, 1, 0, 0],
  countPadding: true,
};

function network(kind: 'relu' | 'sigmoid'): Network {
  const phi = activationStep({ kind });
  return {
    inputShape: [1, 6, 5],
    inputSteps: [],
    layers: [
      convolutionLayer({ inputs: 1, outputs: 2, padding: [1, 0, 1, 1], kernel: [2, 2] }, [phi, counted]),
      convolutionLayer({ inputs: 2, outputs: 2, padding: [0, 0, 1, 0], kernel: [3, 2] }, [phi, flatten]),
      denseLayer(24, 2),
    ],
  };
}

/** Where the constant rows of source layer `index` + 1 (1-based) stand among its active rows. */
function firstConstantPlace(
  ticket: Ticket,
  index: number,
  active: number,
): { row: number; place: number; count: number } {
  const rows = ticket.source.layers[index]?.rows ?? 0;
  const count =
    index === 0 ? ticket.univariate.constantRows : (ticket.layers[index - 1]?.constantElements.length ?? 0);
  return { row: rows - count, place: active - count, count };
}

/** What a row of target layer `index` that keeps one edge of weight 1 gives, for one random input. */
function outputOf(
  ticket: Ticket,
  target: Network,
  edge: { index: number; column: number; tap: number; stream: number },
): Float64Array {
  const sparse = materialise(ticket, target);
  const layer = sparse.layers[edge.index + 1];
  if (layer === undefined) throw new Error('no such layer');
  const probe: SparseLayer = {
    ...layer,
    rows: 1,
    rowOffsets: Int32Array.of(0, 1),
    elements: Int32Array.of(edge.column * layer.taps + edge.tap),
    values: Float64Array.of(1),
    bias: Float64Array.of(0),
    steps: [],
  };
  const layers = [...sparse.layers.slice(0, edge.index + 1), probe];
  return sparseForward({ ...sparse, layers }, uniform(30, edge.stream));
}

const cases: readonly (readonly [string, 'relu' | 'sigmoid', Partial<PlanOptions>])[] = [
  ['ReLU with uniform biases', 'relu', { inputRange: [-1, 1] }],
  ['sigmoid with uniform biases', 'sigmoid', { inputRange: [-1, 1] }],
  ['sigmoid with zero biases', 'sigmoid', { inputRange: [-1, 1], biasInit: 'zero' }],
  ['ReLU with zero biases', 'relu', { inputRange: [0, 1], biasInit: 'zero', epsilon: 0.05 }],
];

describe.each(cases)('the constants of a padded convolution: %s', (_, kind, options) => {
  it('add the same at every position exactly where the planner says so', async () => {
    const target = network(kind);
    const { ticket, verdict } = await searchInProcess(target, options, solver);
    expect(verdict.fault).toBeNull();
    const context = ticketContext(ticket, target);
    const sparse = materialise(ticket, target);
    let uneven = 0;
    for (const index of [0, 1, 2]) {
      const edges = new Map(edgesInto(context, index).map(({ element, value }) => [element, value]));
      const largest = Math.max(0, ...[...edges.values()].map(Math.abs));
      const taps = sparse.layers[index + 1]?.taps ?? 1;
      const { row, place, count } = firstConstantPlace(ticket, index, sparse.layers[index]?.rows ?? 0);
      expect(edges.size).toBeGreaterThan(0);
      for (let k = 0; k < Math.min(count, 4); k++)
        for (let tap = 0; tap < taps; tap++) {
          const outputs = [
            ...outputOf(ticket, target, { index, column: place + k, tap, stream: 50 }),
            ...outputOf(ticket, target, { index, column: place + k, tap, stream: 51 }),
          ];
          const value = edges.get((row + k) * taps + tap);
          if (value === undefined) {
            if (outputs.every((output) => output === outputs[0]))
              expect(Math.abs(outputs[0] ?? 0)).toBeLessThan(largest / 4 + 1e-12);
            else uneven++;
          } else for (const output of outputs) expect(output).toBeCloseTo(value, 12);
        }
    }
    expect(uneven).toBeGreaterThan(0);
  });
});
