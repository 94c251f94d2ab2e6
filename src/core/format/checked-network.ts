/**
 * What every importer promises about the network that it returns, checked in one place.
 */
import { failure } from '../errors.ts';
import { layerCountMax, weightCountMax } from '../limits.ts';
import type { Network } from '../network/network.ts';
import { networkShapes } from '../network/shapes.ts';

/**
 * Returns the network itself when its parts fit, every number is finite and it is within the limits.
 * @throws TombolaError (failure) otherwise, naming the layer.
 */
export function checkNetwork(network: Network): Network {
  const { layers } = network;
  if (layers.length === 0 || layers.length > layerCountMax)
    throw failure(
      `Cannot use the network: ${layers.length} layers with weights, expected 1 to ${layerCountMax}`,
    );
  networkShapes(network);
  for (const { name, linear } of layers) {
    if (linear.weights.length === 0 || linear.weights.length > weightCountMax)
      throw failure(
        `Cannot use layer ${name}: ${linear.weights.length} weights, expected 1 to ${weightCountMax}`,
      );
    checkFinite(linear.weights, `weight`, name);
    checkFinite(linear.bias, `bias`, name);
  }
  return network;
}

function checkFinite(values: Float64Array, what: string, layer: string): void {
  const bad = values.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0)
    throw failure(
      `Cannot use layer ${layer}: ${what} ${bad} is ${values[bad]}, expected finite numbers; train it again`,
    );
}
