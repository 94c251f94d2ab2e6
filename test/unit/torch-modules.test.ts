import { describe, expect, it } from 'vitest';
import type { ExportLayer, ExportNetwork } from '../../src/core/export/export-layers.ts';
import { torchSequential } from '../../src/core/export/torch-modules.ts';
import type { Padding, Step } from '../../src/core/network/network.ts';

const layer: ExportLayer = {
  kind: 'convolution',
  shape: [8, 3, 5, 4],
  sourceRows: new Int32Array(8),
  weights: () => undefined,
  keptWeights: () => undefined,
  mask: () => undefined,
  bias: new Float32Array(8),
  biasMask: new Uint8Array(8),
  kernel: [5, 4],
  strides: [2, 2],
  dilations: [1, 3],
  padding: [1, 2, 1, 2],
  steps: [],
};

function networkWith(change: Partial<ExportLayer>, inputSteps: readonly Step[] = []): ExportNetwork {
  return {
    form: 'pruned',
    inputShape: [3, 20, 20],
    inputSteps,
    layers: [{ ...layer, ...change }],
    outputShape: [8],
    outputs: null,
  };
}

function average(padding: Padding, countPadding: boolean): Step {
  return { kind: 'averagePool', kernel: [2, 4], strides: [2, 1], padding, countPadding };
}

describe('a ticket as nn.Sequential', () => {
  it('spells out what a convolution has, and leaves out what PyTorch assumes', () => {
    expect(torchSequential(networkWith({})).line).toBe(
      'nn.Sequential(nn.Conv2d(3, 8, (5, 4), stride=2, padding=(1, 2), dilation=(1, 3)))',
    );
    const plain = { strides: [1, 1], dilations: [1, 1], padding: [0, 0, 0, 0] } as const;
    expect(torchSequential(networkWith(plain)).line).toBe('nn.Sequential(nn.Conv2d(3, 8, (5, 4)))');
  });

  it('pads in a module of its own where PyTorch cannot, and counts it when it names the tensors', () => {
    const { line, indices } = torchSequential(
      networkWith({ padding: [1, 2, 3, 4] }, [average([1, 0, 0, 0], true)]),
    );
    expect(line).toMatch(
      /^nn\.Sequential\(nn\.ConstantPad2d\(\(0, 0, 1, 0\), 0\.0\), nn\.AvgPool2d\(\(2, 4\), stride=\(2, 1\)\), nn\.ConstantPad2d\(\(2, 4, 1, 3\), 0\.0\), nn\.Conv2d/,
    );
    expect(indices).toEqual([3]);
  });

  it('refuses what PyTorch has no module for, and says what to use', () => {
    const refusal = /^Cannot export to PyTorch: .*use --format onnx or npz$/;
    const selu: Step = { kind: 'activation', activation: { kind: 'selu', alpha: 1, gamma: 2 } };
    expect(() => torchSequential(networkWith({ steps: [selu] }))).toThrow(refusal);
    expect(() => torchSequential(networkWith({ steps: [average([0, 1, 0, 0], false)] }))).toThrow(refusal);
    expect(() => torchSequential(networkWith({ steps: [average([1, 1, 1, 1], false)] }))).not.toThrow();
    expect(() => torchSequential(networkWith({ steps: [average([2, 2, 2, 2], false)] }))).toThrow(refusal);
  });
});
