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

/** Share of edges kept up to which a convolution runs edge by edge, see edge-convolution.ts. */
const defaultEdgeShareMax = 0.08;

/** Bounds of a ticket's pass. The result does not depend on them, up to float32 rounding. */
export interface TicketPassBounds extends PassBounds {
  /** Share of edges kept up to which a convolution runs edge by edge: 0 for never, 1 for always. */
  readonly edgeShareMax?: number;
}

/**
 * Returns the ticket's outputs [count, outputs] in float32 for inputs [count, ...inputShape], channels first.
 * @throws TombolaError (failure) when a step does not fit the shape before it.
 */
export async function sparsePass(
  tf: TensorFlow,
  network: SparseNetwork,
  inputs: Float32Array,
  count: number,
  { edgeShareMax = defaultEdgeShareMax, ...bounds }: TicketPassBounds = defaultPassBounds,
): Promise<Float32Array> {
  return forwardPass(tf, chunkedTicket(network, edgeShareMax), { inputs, count }, bounds);
}

function chunkedTicket(network: SparseNetwork, edgeShareMax: number): ChunkedNetwork {
  return {
    inputShape: network.inputShape,
    inputSteps: network.inputSteps,
    layers: network.layers.map((layer) => ({
      linear: {
        ...layer,
        bias: Float32Array.from(layer.bias),
        scatter: scatterSparse(layer),
        gather: singleEdges(layer),
        edges: isFastByEdges(layer, edgeShareMax) ? layer : null,
      },
      steps: layer.steps,
    })),
  };
}

function isFastByEdges({ kind, rows, cols, taps, elements }: SparseLayer, shareMax: number): boolean {
  return kind === 'convolution' && elements.length <= shareMax * rows * cols * taps;
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
