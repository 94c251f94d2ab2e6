/**
 * Runs a pass over many inputs, batch by batch, so that memory does not grow with their number.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { invariant } from '../../src/core/errors.ts';
import { elementCount, type Shape } from '../../src/core/network/shapes.ts';
import type { TensorFlow } from './backend.ts';
import { imagesPerGroup } from './edges/edge-kernel.ts';
import { type Batch, inputBatch } from './tensor-steps.ts';

/** What a batched pass runs over. */
interface PassInputs {
  /** Shape [count, ...inputShape], channels first. */
  readonly inputs: Float32Array;
  readonly inputShape: Shape;
  readonly count: number;
}

/**
 * Returns the outputs [count, outputs] of `pass`, which gets one batch, owns it and returns a tensor [size, outputs].
 * All tensors made on the way are disposed of. Between batches the event loop runs.
 */
export async function batchedPass(
  tf: TensorFlow,
  { inputs, inputShape, count }: PassInputs,
  options: { readonly batchSize: number; readonly outputs: number },
  pass: (batch: Batch) => Tensor,
): Promise<Float32Array> {
  const length = elementCount(inputShape);
  invariant(inputs.length === count * length, 'a pass gets count × inputShape numbers');
  const results = new Float32Array(count * options.outputs);
  for (let start = 0; start < count; start += options.batchSize) {
    const size = Math.min(options.batchSize, count - start);
    const values = inputs.subarray(start * length, (start + size) * length);
    const output = tf.tidy(() => pass(inputBatch(tf, values, inputShape, size)));
    try {
      results.set((await output.data()) as Float32Array, start * options.outputs);
    } finally {
      output.dispose();
    }
  }
  return results;
}

/**
 * Returns how many inputs make one batch: as many as keep the largest tensor (elements for one input) within the bytes, in whole groups
 * of the edge kernel if it can be.
 */
export function batchSizeFor(elementsMax: number, count: number, bytesMax: number): number {
  const most = Math.max(1, Math.floor(bytesMax / 4 / Math.max(1, elementsMax)));
  return Math.max(1, Math.min(count, most < imagesPerGroup ? most : most - (most % imagesPerGroup)));
}
