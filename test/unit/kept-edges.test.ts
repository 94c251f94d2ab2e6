import { describe, expect, it } from 'vitest';
import { materialise } from '../../src/core/ticket/materialise.ts';
import { kernelSolver, searchInProcess } from '../support/in-process-search.ts';
import { networkOf } from '../support/random-network.ts';

describe('the count of kept edges', () => {
  it.each(['uniform', 'zero'] as const)(
    'holds the constants that a bias reaches through other constants, with %s biases',
    async (biasInit) => {
      const network = networkOf({
        seed: 5,
        activations: [{ kind: 'relu' }, { kind: 'relu' }],
        convolutional: false,
        pooling: 'none',
        sparsity: 0,
        biased: true,
        padded: false,
      });
      const { ticket, verdict } = await searchInProcess(network, { biasInit }, await kernelSolver());
      const layers = materialise(ticket, network).layers;
      // Copies and univariate rows stay; of the constants (the last rows) only those that some row in use reads.
      let count = 0;
      let used: Set<number> | null = null;
      for (let index = layers.length - 1; index >= 0; index--) {
        const layer = layers[index];
        if (layer === undefined) throw new Error('no such layer');
        const constants =
          index === 0
            ? ticket.univariate.constantRows
            : (ticket.layers[index - 1]?.constantElements.length ?? 0);
        const read = new Set<number>();
        for (let row = 0; row < layer.rows; row++) {
          if (row >= layer.rows - constants && used !== null && !used.has(row)) continue;
          const [from, to] = [layer.rowOffsets[row] ?? 0, layer.rowOffsets[row + 1] ?? 0];
          count += to - from + (layer.bias[row] === 0 ? 0 : 1);
          for (const element of layer.elements.subarray(from, to)) read.add(Math.floor(element / layer.taps));
        }
        // What the bias block may read is kept for it, whether or not some mask bit picks it.
        const before = (layers[index - 1]?.rows ?? 0) - (ticket.source.layers[index - 1]?.rows ?? 0);
        for (const element of ticket.layers[index - 1]?.biasElements ?? [])
          read.add(before + Math.floor(element / layer.taps));
        used = read;
      }
      expect(verdict.keptEdges).toBe(count);
    },
  );
});
