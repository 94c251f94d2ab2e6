/** The ticket's forward pass over data: every kept edge of the source with its real weight, every layer with its real activation. */
import type { SparseNetwork } from '../../src/core/ticket/sparse-layer.ts';
import type { TensorFlow } from './backend.ts';
import { edgeLinear } from './edge-linear.ts';
import { defaultPassBounds, forwardPass, type PassBounds } from './forward-pass.ts';

/**
 * Returns the ticket's outputs [count, outputs] in float32 for inputs [count, ...inputShape], channels first.
 * @throws TombolaError (failure) when a step does not fit the shape before it.
 */
export async function sparsePass(
  tf: TensorFlow,
  network: SparseNetwork,
  inputs: Float32Array,
  count: number,
  bounds: PassBounds = defaultPassBounds,
): Promise<Float32Array> {
  const layers = network.layers.map((layer) => ({ linear: edgeLinear(layer), steps: layer.steps }));
  return forwardPass(tf, { ...network, layers }, { inputs, count }, bounds);
}
