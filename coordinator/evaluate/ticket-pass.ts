/**
 * The ticket's forward pass over data: every kept edge of the source with its real weight, every layer with its real activation.
 *
 * 2,000 MNIST images through 784 → 15,680 (one edge a row) → 4,500 → 1,500 → 10 rows take about 9 s on one core with
 * WebAssembly. Layer 2 is nine tenths of it, and nearly all of that its products, 10·10⁹ a second; pixels that are dark in
 * every image of a batch are left out.
 */
import type { SparseLayer, SparseNetwork } from '../../src/core/ticket/sparse-layer.ts';
import type { TensorFlow } from './backend.ts';
import { type ChunkedNetwork, defaultPassBounds, forwardPass, type PassBounds } from './forward-pass.ts';
import type { ChunkedLinear, ScatterRows } from './tensor-linear.ts';

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
  return forwardPass(tf, chunkedTicket(network), { inputs, count }, bounds);
}

function chunkedTicket(network: SparseNetwork): ChunkedNetwork {
  return {
    inputShape: network.inputShape,
    inputSteps: network.inputSteps,
    layers: network.layers.map((layer) => ({
      linear: {
        ...layer,
        bias: Float32Array.from(layer.bias),
        scatter: scatterSparse(layer),
        gather: singleEdges(layer),
      },
      steps: layer.steps,
    })),
  };
}

function singleEdges(layer: SparseLayer): ChunkedLinear['gather'] {
  const elements = new Int32Array(layer.rows);
  const values = new Float32Array(layer.rows);
  for (let row = 0; row < layer.rows; row++) {
    const edge = layer.rowOffsets[row] as number;
    const edgeCount = (layer.rowOffsets[row + 1] as number) - edge;
    if (edgeCount > 1) return null;
    if (edgeCount === 0) continue;
    elements[row] = layer.elements[edge] as number;
    values[row] = layer.values[edge] as number;
  }
  return { elements, values };
}

function scatterSparse({ rowOffsets, elements, values }: SparseLayer): ScatterRows {
  return (chunk, { first, count }, places) => {
    for (let row = 0; row < count; row++) {
      const end = rowOffsets[first + row + 1] as number;
      for (let edge = rowOffsets[first + row] as number; edge < end; edge++) {
        const place = places[elements[edge] as number] as number;
        if (place >= 0) chunk[place * count + row] = values[edge] as number;
      }
    }
  };
}
