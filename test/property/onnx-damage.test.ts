import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TombolaError } from '../../src/core/errors.ts';
import { importOnnx } from '../../src/core/format/onnx/import-onnx.ts';
import type { Network } from '../../src/core/network/network.ts';
import { networkShapes } from '../../src/core/network/shapes.ts';
import { randomNumbers } from '../support/onnx-oracle.ts';
import { integers, node, tensor, writeOnnx } from '../support/onnx-writer.ts';

const external = new Uint8Array(4 * 12);

const model = writeOnnx({
  input: ['N', 1, 6, 6],
  nodes: [
    node('Conv', ['x', 'k', 'c'], 'h', { strides: [1, 1], pads: [1, 1, 1, 1], dilations: [1, 1], group: 1 }),
    node('BatchNormalization', ['h', 'c', 'c', 'c', 'v'], 'n', { epsilon: { float: 1e-5 } }),
    node('Sigmoid', ['n'], 's'),
    node('Mul', ['n', 's'], 'm'),
    node('AveragePool', ['m'], 'p', { kernel_shape: [2, 2], strides: [2, 2] }),
    node('Shape', ['p'], 'shape'),
    node('Gather', ['shape', 'zero'], 'batch'),
    node('Concat', ['batch', 'rest'], 'to', { axis: 0 }),
    node('Reshape', ['p', 'to'], 'f'),
    node('Gemm', ['f', 'w', 'b'], 'g', { transB: 1, alpha: { float: 0.5 } }),
    node('Relu', ['g'], 'r'),
    node('MatMul', ['r', 'e'], 'y'),
  ],
  tensors: [
    tensor('k', [2, 1, 3, 3], randomNumbers(18)),
    tensor('c', [2], [0.5, 0.25]),
    tensor('v', [2], [1, 2]),
    integers('zero', [0]),
    integers('rest', [-1]),
    { name: 'w', dims: [4, 18], values: randomNumbers(72), storage: 'typed' },
    { name: 'b', dims: [4], values: [1, 2, 3, 4], type: 'double' },
    { name: 'e', dims: [4, 3], values: [], storage: { location: 'e.bin', offset: 0, length: 48 } },
  ],
});

/** Imports bytes of unknown health: a network that passes its own checks, or a refusal; anything else fails the test. */
function importOrRefuse(bytes: Uint8Array): Network | undefined {
  try {
    const network = importOnnx(bytes, (name) => {
      if (name !== 'e.bin') throw new Error(`no file ${name}`);
      return external;
    });
    networkShapes(network);
    return network;
  } catch (error) {
    if (!(error instanceof TombolaError)) throw error;
    expect(error.kind).toBe('failure');
    return undefined;
  }
}

describe('damaged ONNX files', () => {
  it('the undamaged model imports', () => {
    expect(importOrRefuse(model)?.layers).toHaveLength(3);
  });

  it('a model truncated at any byte is refused', () => {
    for (let length = 0; length < model.length; length++)
      expect(importOrRefuse(model.subarray(0, length)), `${length} bytes`).toBeUndefined();
  });

  it('flipped bits give a network or a refusal, never another error', () => {
    const flip = fc.tuple(fc.nat(model.length - 1), fc.nat(7));
    fc.assert(
      fc.property(fc.array(flip, { minLength: 1, maxLength: 4 }), (flips) => {
        const damaged = model.slice();
        for (const [byte, bit] of flips) damaged[byte] = (damaged[byte] ?? 0) ^ (1 << bit);
        importOrRefuse(damaged);
      }),
      { seed: 20221128, numRuns: 4000 },
    );
  });

  it('pieces cut out, doubled or overwritten give a network or a refusal, never another error', () => {
    const cut = fc.record({
      from: fc.nat(model.length),
      size: fc.nat(40),
      to: fc.nat(model.length),
      bytes: fc.uint8Array({ maxLength: 12 }),
    });
    fc.assert(
      fc.property(cut, ({ from, size, to, bytes }) => {
        const piece = model.subarray(from, from + size);
        importOrRefuse(
          Uint8Array.from([...model.subarray(0, to), ...piece, ...bytes, ...model.subarray(to)]),
        );
        importOrRefuse(
          Uint8Array.from([...model.subarray(0, from), ...bytes, ...model.subarray(from + size)]),
        );
      }),
      { seed: 20221129, numRuns: 1500 },
    );
  });

  it('random bytes are refused', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(importOrRefuse(bytes)).toBeUndefined();
      }),
      { seed: 20221130, numRuns: 1000 },
    );
  });
});
