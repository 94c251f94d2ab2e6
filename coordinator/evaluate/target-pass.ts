/**
 * The target's forward pass over data.
 */
import type { Linear, Network } from '../../src/core/network/network.ts';
import { networkShapes, tapCount } from '../../src/core/network/shapes.ts';
import type { TensorFlow } from './backend.ts';
import { defaultPassBounds, forwardPass, type PassBounds, type PassNetwork } from './forward-pass.ts';
import { type ChunkedLinear, denseLinear } from './tensor-linear.ts';

/**
 * Returns the target's outputs [count, outputs] in float32 for inputs [count, ...inputShape], channels first.
 * @throws TombolaError (failure) when the network's parts do not fit.
 */
export async function targetPass(
  tf: TensorFlow,
  network: Network,
  inputs: Float32Array,
  count: number,
  bounds: PassBounds = defaultPassBounds,
): Promise<Float32Array> {
  networkShapes(network);
  return forwardPass(tf, chunkedTarget(network), { inputs, count }, bounds);
}

function chunkedTarget(network: Network): PassNetwork {
  return {
    inputShape: network.inputShape,
    inputSteps: network.inputSteps,
    layers: network.layers.map(({ linear, steps }) => ({
      linear: denseLinear(chunkedLinear(linear)),
      steps,
    })),
  };
}

function chunkedLinear(linear: Linear): ChunkedLinear {
  const window =
    linear.kind === 'convolution'
      ? linear
      : ({ kernel: [1, 1], strides: [1, 1], dilations: [1, 1], padding: [0, 0, 0, 0] } as const);
  return {
    kind: linear.kind,
    rows: linear.outputs,
    cols: linear.inputs,
    taps: tapCount(linear),
    bias: Float32Array.from(linear.bias),
    kernel: window.kernel,
    strides: window.strides,
    dilations: window.dilations,
    padding: window.padding,
    weights: linear.weights,
  };
}
