/** Small targets and their tickets, found in about a second by the kernel. */
import { construct } from '../../coordinator/construct.ts';
import { memoryEngine } from '../../coordinator/engine/memory-engine.ts';
import { tileStoreOf } from '../../coordinator/engine/tile-store.ts';
import { networkDigest } from '../../src/core/format/network-file.ts';
import type { Network } from '../../src/core/network/network.ts';
import { makePlan, type PlanOptions } from '../../src/core/plan/make-plan.ts';
import type { Solver } from '../../src/core/plan/tile.ts';
import type { Ticket } from '../../src/core/ticket/ticket.ts';
import { loadKernel } from '../../worker/kernel/kernel.ts';
import { activationStep, convolutionLayer, denseLayer } from './evaluation-networks.ts';

/** A ticket and what it was made for. */
export interface SmallTicket {
  readonly network: Network;
  readonly sha256: string;
  readonly ticket: Ticket;
}

const relu = activationStep({ kind: 'relu' });
const tanh = activationStep({ kind: 'tanh' });

/** 12 → 7 → 5 → 3 with ReLU. */
export const denseTarget: Network = {
  inputShape: [12],
  inputSteps: [],
  layers: [denseLayer(12, 7, [relu]), denseLayer(7, 5, [relu]), denseLayer(5, 3)],
};

/** [2, 6, 6] → two convolutions with padding and pooling → flatten → 3, with tanh. */
export const spatialTarget: Network = {
  inputShape: [2, 6, 6],
  inputSteps: [],
  layers: [
    convolutionLayer({ inputs: 2, outputs: 3, padding: [1, 1, 1, 1] }, [
      tanh,
      { kind: 'averagePool', kernel: [2, 2], strides: [2, 2], padding: [0, 0, 0, 0], countPadding: true },
    ]),
    convolutionLayer({ inputs: 3, outputs: 3, kernel: [2, 2] }, [tanh, { kind: 'flatten' }]),
    denseLayer(12, 3),
  ],
};

/** Returns the ticket that a search finds; inputs from −1 to 1 for tanh, from 0 to 1 for ReLU unless told otherwise. */
export async function smallTicket(
  network: Network,
  options: Partial<PlanOptions> = {},
): Promise<SmallTicket> {
  const kernel = await loadKernel();
  const solver: Solver = {
    concurrency: 1,
    solve: (problem, tile) => Promise.resolve(kernel.solveTile(problem, tile)),
  };
  const plan = await makePlan(
    network,
    {
      mode: 'tolerance',
      epsilon: 0.02,
      rule: 'fewest',
      seed: 5n,
      gridBits: 24,
      copies: 'auto',
      biasInit: 'uniform',
      failureProbability: 1e-3,
      inputRange: [0, 1],
      ...options,
    },
    solver,
  );
  const sha256 = networkDigest(network);
  const { ticket } = await construct(plan, network, {
    solver,
    store: tileStoreOf(memoryEngine(), 'test'),
    targetSha256: sha256,
    checkOneIn: 1,
    onEvent: () => undefined,
    signal: new AbortController().signal,
  });
  return { network, sha256, ticket };
}
