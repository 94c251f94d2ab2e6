/**
 * The quantised target of an exact ticket: what such a ticket equals (mathematics.md §9).
 */
import type { Linear, Network } from '../network/network.ts';
import type { Ticket } from '../ticket/ticket.ts';

/** Returns the network that an exact ticket claims to equal; for a tolerance ticket, the network itself. */
export function referenceNetwork(network: Network, ticket: Ticket): Network {
  if (ticket.mode === 'tolerance') return network;
  const layers = network.layers.map((layer, index) => {
    const { weightQuantum = 0, biasQuantum = 0 } = ticket.layers[index] ?? {};
    const linear: Linear = {
      ...layer.linear,
      weights: roundTo(layer.linear.weights, weightQuantum),
      bias: roundTo(layer.linear.bias, biasQuantum),
    };
    return { ...layer, linear };
  });
  return { ...network, layers };
}

/**
 * Returns the quantum that spans a layer of the target with b-bit integers: scale / (2^(b−1) − 1), 1 where there is nothing to span.
 * @param scale of the layer before it is quantised (plan/layer-view.ts).
 */
export function weightQuantum(scale: number, gridBits: number): number {
  return scale === 0 ? 1 : scale / (2 ** (gridBits - 1) - 1);
}

function roundTo(values: Float64Array, quantum: number): Float64Array {
  return quantum === 0 ? values : values.map((value) => Math.round(value / quantum) * quantum);
}
