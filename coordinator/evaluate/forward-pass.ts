/**
 * A network's forward pass over many inputs in TensorFlow.js, whatever its weights come from.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { evaluationBatchBytesMax, evaluationWeightBytesMax } from '../../src/core/limits.ts';
import type { Step } from '../../src/core/network/network.ts';
import { elementCount, type Shape, stepShape } from '../../src/core/network/shapes.ts';
import type { TensorFlow } from './backend.ts';
import { batchedPass, batchSizeFor } from './batched-pass.ts';
import { applyTensorSteps, type Batch } from './tensor-steps.ts';

/** A linear map over batches. */
export interface LinearPass {
  /** Returns the shape behind it, channels first. */
  shape(input: Shape): Shape;
  /** Returns the batch behind it, with at most so many bytes of weights at a time; keeps the given one. */
  apply(tf: TensorFlow, batch: Batch, weightBytesMax: number): Batch;
}

/** A chain of linear maps and steps. */
export interface PassNetwork {
  readonly inputShape: Shape;
  readonly inputSteps: readonly Step[];
  readonly layers: readonly { readonly linear: LinearPass; readonly steps: readonly Step[] }[];
}

/** Bounds of a pass. The result does not depend on them, up to float32 rounding. */
export interface PassBounds {
  /** Bytes of the largest tensor of a batch. */
  readonly batchBytesMax: number;
  /** Bytes of weights at a time. */
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
  network: PassNetwork,
  data: { readonly inputs: Float32Array; readonly count: number },
  bounds: PassBounds,
): Promise<Float32Array> {
  const { elementsMax, outputs } = extent(network);
  const batchSize = batchSizeFor(elementsMax, data.count, bounds.batchBytesMax);
  return batchedPass(tf, { ...data, inputShape: network.inputShape }, { batchSize, outputs }, (batch) =>
    runLayers(tf, network, batch, bounds),
  );
}

function runLayers(tf: TensorFlow, network: PassNetwork, input: Batch, bounds: PassBounds): Tensor {
  let batch = applyTensorSteps(tf, input, network.inputSteps);
  for (const { linear, steps } of network.layers) {
    const before = batch.tensor;
    batch = linear.apply(tf, batch, bounds.weightBytesMax);
    before.dispose();
    batch = applyTensorSteps(tf, batch, steps);
  }
  return applyTensorSteps(tf, batch, [{ kind: 'flatten' }]).tensor;
}

/** Returns the elements of the largest tensor and of the output, for one input. */
function extent(network: PassNetwork): { elementsMax: number; outputs: number } {
  let shape: Shape = network.inputShape;
  let elementsMax = elementCount(shape);
  const visit = (next: Shape): void => {
    shape = next;
    elementsMax = Math.max(elementsMax, elementCount(next));
  };
  for (const step of network.inputSteps) visit(stepShape(shape, step, 'the input'));
  for (const { linear, steps } of network.layers) {
    visit(linear.shape(shape));
    for (const step of steps) visit(stepShape(shape, step, 'the network'));
  }
  return { elementsMax, outputs: elementCount(shape) };
}
