import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { TombolaError } from '../../src/core/errors.ts';
import { encodeNetwork, networkDigest } from '../../src/core/format/network-file.ts';
import { writeSafetensors } from '../../src/core/format/safetensors.ts';
import { importTarget } from '../../src/core/format/target-file.ts';
import { float32Tensor } from '../../src/core/format/tensor.ts';
import { stateDictFile } from '../support/pickle-writer.ts';

const targets = new URL('../../../shared/targets/', import.meta.url);
const hasTargets = existsSync(targets);
if (!hasTargets) console.warn('Skipped: tests against trained networks need ../shared/targets');

const relu = { kind: 'relu' } as const;
const readSibling = (): undefined => undefined;
const stateDict = stateDictFile([
  ['a.weight', [2, 1], [1, 2]],
  ['b.weight', [1, 2], [3, 4]],
]);
const plain = writeSafetensors(new Map([['w', float32Tensor([1, 1], Float32Array.of(2))]]));

describe('importTarget', () => {
  it.skipIf(!hasTargets)('gives the same network from PyTorch, from ONNX and from our own file', () => {
    const read = (name: string) =>
      importTarget({
        name,
        bytes: readFileSync(new URL(name, targets)),
        readSibling,
        activation: name.endsWith('.pt') ? relu : undefined,
      });
    const torch = read('mlp-300-100-relu.pt');
    const onnx = read('mlp-300-100-relu.onnx');
    expect(torch.layers.map(({ name, linear }) => [name, linear.outputs, linear.inputs])).toEqual([
      ['1', 300, 784],
      ['3', 100, 300],
      ['5', 10, 100],
    ]);
    for (const [index, { linear, steps }] of torch.layers.entries()) {
      const other = onnx.layers[index]?.linear.weights ?? new Float64Array();
      expect(linear.weights).toHaveLength(other.length);
      expect(linear.weights.findIndex((weight, position) => weight !== other[position])).toBe(-1);
      expect(linear.bias).toEqual(onnx.layers[index]?.linear.bias);
      expect(steps).toEqual(onnx.layers[index]?.steps);
    }
    expect(networkDigest(torch)).toBe(networkDigest(onnx));
    const own = importTarget({ name: 'x.safetensors', bytes: encodeNetwork(torch), readSibling });
    expect(networkDigest(own)).toBe(networkDigest(torch));
    expect(networkDigest(read('mlp-300-100-tanh.onnx'))).not.toBe(networkDigest(onnx));
  });

  it('finds the format by the contents where the name says nothing', () => {
    expect(
      importTarget({ name: 'model', bytes: stateDict, readSibling, activation: relu }).layers,
    ).toHaveLength(2);
    const own = encodeNetwork(
      importTarget({ name: 'a.PTH', bytes: stateDict, readSibling, activation: relu }),
    );
    expect(importTarget({ name: 'network.bin', bytes: own, readSibling }).layers).toHaveLength(2);
  });

  it('reads the description beside a plain safetensors file', () => {
    const json = Buffer.from('{"inputShape":[1],"layers":[{"kind":"dense","weights":"w"}]}');
    const asked: string[] = [];
    const network = importTarget({
      name: 'my.model.safetensors',
      bytes: plain,
      readSibling: (name) => {
        asked.push(name);
        return new Uint8Array(json);
      },
    });
    expect(asked).toEqual(['my.model.json']);
    expect([...(network.layers[0]?.linear.weights ?? [])]).toEqual([2]);
  });

  const infinite = stateDictFile([['a\nb.weight', [1, 2], [1, Number.POSITIVE_INFINITY]]]);
  it.each([
    ['nothing', 'x.onnx', new Uint8Array(0), 'failure', /the file is empty \(in x\.onnx\)/],
    [
      'an unknown format',
      'x.h5',
      new Uint8Array(20),
      'failure',
      /expected \.onnx, \.pt or \.pth .* or \.safetensors \(in x\.h5\)/,
    ],
    ['no description', 'x.safetensors', plain, 'misuse', /expected a description/],
    ['no activation', 'x.pt', stateDict, 'misuse', /--activation relu/],
    [
      'a weight that is not finite, on one line',
      'x.pt',
      infinite,
      'failure',
      /^Cannot use layer a b: weight 1 is Infinity.*\(in x\.pt\)$/,
    ],
    ['a damaged model', 'x.onnx', new Uint8Array([0xff, 0xff, 0xff]), 'failure', /\(in x\.onnx\)/],
    ['another format under .pt', 'x.pt', plain, 'failure', /does not begin like a zip/],
  ])('refuses %s', (_, name, bytes, kind, message) => {
    const read = (): unknown => importTarget({ name, bytes, readSibling });
    expect(read).toThrow(TombolaError);
    expect(read).toThrow(expect.objectContaining({ kind, message: expect.stringMatching(message) }));
  });

  it('refuses an activation that the file has already', () => {
    const bytes = encodeNetwork(
      importTarget({ name: 'a.pt', bytes: stateDict, readSibling, activation: relu }),
    );
    const read = (): unknown => importTarget({ name: 'a.safetensors', bytes, readSibling, activation: relu });
    expect(read).toThrow(/^Cannot use --activation for this target: .*leave it out \(in a\.safetensors\)$/);
  });

  it('refuses a description that is no UTF-8', () => {
    const read = (): unknown =>
      importTarget({ name: 'x.safetensors', bytes: plain, readSibling: () => Uint8Array.of(0xff) });
    expect(read).toThrow(/x\.json: it is no UTF-8/);
  });
});
