/** Small networks and options that between them use every part of a ticket, and their tickets. */
import { fileURLToPath } from 'node:url';
import type { Network } from '../../src/core/network/network.ts';
import type { PlanOptions } from '../../src/core/plan/make-plan.ts';
import type { Ticket, TicketLayer } from '../../src/core/ticket/ticket.ts';
import { kernelSolver, type Searched, searchInProcess } from './in-process-search.ts';
import { type NetworkRecipe, networkOf } from './random-network.ts';

/** A target, its options, and what a search found. */
export interface TicketSample extends Searched {
  readonly name: string;
  readonly network: Network;
}

const dense: NetworkRecipe = {
  seed: 3,
  activations: [{ kind: 'relu' }, { kind: 'relu' }],
  convolutional: false,
  pooling: 'none',
  sparsity: 0.2,
  biased: true,
  padded: true,
};
const smooth = { ...dense, activations: [{ kind: 'sigmoid' }, { kind: 'tanh' }] } as const;
const spatial = { ...dense, convolutional: true, sparsity: 0 } as const;

const cases: readonly (readonly [string, NetworkRecipe, Partial<PlanOptions>])[] = [
  ['dense ReLU', dense, {}],
  ['dense ReLU with sign groups', dense, { inputRange: [-1, 1], rule: 'closest' }],
  ['sigmoid with intercepts', smooth, { inputRange: [-1, 1] }],
  ['padded convolution', { ...spatial, pooling: 'averagePadded' }, { gridBits: 16 }],
  ['padded convolution with sign groups', { ...spatial, pooling: 'max' }, { inputRange: [-1, 1] }],
  ['exact dense', dense, { mode: 'exact', gridBits: 8 }],
  ['exact convolution', spatial, { mode: 'exact', gridBits: 6, inputRange: [-1, 1] }],
  ['zero biases, extended input', dense, { biasInit: 'zero' }],
  ['zero biases with intercepts', smooth, { biasInit: 'zero', inputRange: [-1, 1] }],
];

/** Names of all samples, in order. */
export const sampleNames = cases.map(([name]) => name);

/** Returns every sample. About a second in all. */
export async function ticketSamples(): Promise<readonly TicketSample[]> {
  const solver = await kernelSolver();
  const samples: TicketSample[] = [];
  for (const [name, recipe, options] of cases) {
    const network = networkOf(recipe);
    samples.push({ name, network, ...(await searchInProcess(network, options, solver)) });
  }
  return samples;
}

/** Returns the sample of a name. */
export function sampleOf(samples: readonly TicketSample[], name: string): TicketSample {
  const found = samples.find((sample) => sample.name === name);
  if (found === undefined) throw new Error(`there is no sample ${name}`);
  return found;
}

/** Returns the ticket with one layer changed. */
export function withLayer(
  ticket: Ticket,
  index: number,
  change: (layer: TicketLayer) => Partial<TicketLayer>,
): Ticket {
  return {
    ...ticket,
    layers: ticket.layers.map((layer, k) => (k === index ? { ...layer, ...change(layer) } : layer)),
  };
}

/** Returns a copy of an array with some places set. */
export function withValues<Values extends Int32Array | Uint8Array>(
  values: Values,
  places: Record<number, number>,
): Values {
  const copy = values.slice() as Values;
  for (const [place, value] of Object.entries(places)) copy[Number(place)] = value;
  return copy;
}

/** Path of a file beside the tests. */
export function testFile(path: string): string {
  return fileURLToPath(new URL(`../${path}`, import.meta.url));
}
