/**
 * A network's forward pass over many inputs in TensorFlow.js, whatever its weights come from.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { evaluationBatchBytesMax, evaluationWeightBytesMax } from '../../src/core/limits.ts';
import type { Step } from '../../src/core/network/network.ts';
import { elementCount, type Shape, stepShape } from '../../src/core/network/shapes.ts';
import type { TensorFlow } from './backend.ts';
import { batchedPass, batchSizeFor } from './batched-pass.ts';
import { applyChunkedLinear, type ChunkedLinear, linearShape } from './tensor-linear.ts';
import { applyTensorSteps, type Batch } from './tensor-steps.ts';

/** A chain of linear maps and steps. */
export interface ChunkedNetwork {
  readonly inputShape: Shape;
  readonly inputSteps: readonly Step[];
  readonly layers: readonly { readonly linear: ChunkedLinear; readonly steps: readonly Step[] }[];
}

/** Bounds of a pass. The result does not depend on them, up to float32 rounding. */
export interface PassBounds {
  /** Bytes of the largest tensor of a batch. */
  readonly batchBytesMax: number;
  /** Bytes of the dense weights at a time. */
  readonly weightBytesMax: number;
}

/** The bounds of limits.ts. */
export const defaultPassBounds: PassBounds = {
  batchBytesMax: evaluationBatchBytesMax,
  weightBytesMax: evaluationWeightBytesMax,
};

/** Returns the outputs [count, outputs] for inputs [count, ...inputShape], channels first. */
export async function forwardPass(
  tf: TensorFlow,
  network: ChunkedNetwork,
  data: { readonly inputs: Float32Array; readonly count: number },
  bounds: PassBounds,
): Promise<Float32Array> {
  const { elementsMax, outputs } = extent(network);
  const batchSize = batchSizeFor(elementsMax, data.count, bounds.batchBytesMax);
  return batchedPass(tf, { ...data, inputShape: network.inputShape }, { batchSize, outputs }, (batch) =>
    runLayers(tf, network, batch, bounds),
  );
}

function runLayers(tf: TensorFlow, network: ChunkedNetwork, input: Batch, bounds: PassBounds): Tensor {
  let batch = applyTensorSteps(tf, input, network.inputSteps);
  for (const { linear, steps } of network.layers) {
    const before = batch.tensor;
    batch = applyChunkedLinear(tf, batch, linear, bounds.weightBytesMax);
    before.dispose();
    batch = applyTensorSteps(tf, batch, steps);
  }
  return applyTensorSteps(tf, batch, [{ kind: 'flatten' }]).tensor;
}

/** Returns the elements of the largest tensor and of the output, for one input. */
function extent(network: ChunkedNetwork): { elementsMax: number; outputs: number } {
  let shape: Shape = network.inputShape;
  let elementsMax = elementCount(shape);
  const visit = (next: Shape): void => {
    shape = next;
    elementsMax = Math.max(elementsMax, elementCount(next));
  };
  for (const step of network.inputSteps) visit(stepShape(shape, step, 'the input'));
  for (const { linear, steps } of network.layers) {
    visit(linearShape(shape, linear));
    for (const step of steps) visit(stepShape(shape, step, 'the network'));
  }
  return { elementsMax, outputs: elementCount(shape) };
}
