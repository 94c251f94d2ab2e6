/** How far a ticket is from its target, in float64. */
import { forward } from '../../src/core/network/forward.ts';
import type { Network } from '../../src/core/network/network.ts';
import { elementCount } from '../../src/core/network/shapes.ts';
import { materialise } from '../../src/core/ticket/materialise.ts';
import { sparseForward } from '../../src/core/ticket/sparse-forward.ts';
import type { Ticket } from '../../src/core/ticket/ticket.ts';
import { referenceNetwork } from '../../src/core/verify/quantise.ts';
import { randomFrom } from './random-network.ts';

/** Largest |ticket − reference| over random inputs of the declared range, both in float64 with real activations. */
export function measuredError(
  network: Network,
  searched: { readonly ticket: Ticket },
  options: { seed: number; inputs: number },
): number {
  const random = randomFrom(options.seed);
  const reference = referenceNetwork(network, searched.ticket);
  const sparse = materialise(searched.ticket, network);
  const [low, high] = searched.ticket.inputRange;
  let error = 0;
  for (let k = 0; k < options.inputs; k++) {
    const corner = k % 4 === 0;
    const input = Float64Array.from({ length: elementCount(network.inputShape) }, () =>
      corner ? (random() < 0.5 ? low : high) : low + (high - low) * random(),
    );
    const expected = forward(reference, input);
    sparseForward(sparse, input).forEach((value, index) => {
      error = Math.max(error, Math.abs(value - (expected[index] ?? Number.NaN)));
    });
  }
  return error;
}
