import { describe, expect, it } from 'vitest';
import { importOnnx } from '../../src/core/format/onnx/import-onnx.ts';
import type { Network, Step } from '../../src/core/network/network.ts';
import { expectAgreement, randomNumbers } from '../support/onnx-oracle.ts';
import { integers, type NodeSpec, node, type TensorSpec, tensor, writeOnnx } from '../support/onnx-writer.ts';

function random(name: string, dims: readonly number[], seed = 3): TensorSpec {
  const count = dims.reduce((product, size) => product * size, 1);
  return tensor(name, dims, randomNumbers(count, seed));
}

function stepsOf(network: Network): string[] {
  return [network.inputSteps, ...network.layers.map(({ steps }) => steps)]
    .flat()
    .map((step: Step) => step.kind);
}

/** A model on [N, 3]: a 3 → 4 layer, then the nodes, which read `h` and end in `y`. */
function behindDense(
  nodes: readonly NodeSpec[],
  tensors: readonly TensorSpec[] = [],
  opset = 17,
): Uint8Array {
  return writeOnnx({
    opset,
    input: ['batch', 3],
    nodes: [node('Gemm', ['x', 'w', 'b'], 'h', { transB: 1 }), ...nodes],
    tensors: [random('w', [4, 3]), random('b', [4], 5), ...tensors],
  });
}

/** A model on [N, 2, 7, 6]: the nodes read `x` and end in `y`. */
function onImage(nodes: readonly NodeSpec[], tensors: readonly TensorSpec[] = [], opset = 17): Uint8Array {
  return writeOnnx({
    opset,
    input: ['batch', 2, 7, 6],
    nodes,
    tensors: [random('k', [3, 2, 3, 2]), random('b', [3], 5), ...tensors],
  });
}

const image = [2, 7, 6];

describe('dense layers', () => {
  it.each([
    { transB: 1 },
    { transB: 0 },
    { transB: 1, alpha: { float: 0.3 }, beta: { float: -1.7 } },
    { transB: 0, alpha: { float: -2 } },
  ])('Gemm agrees with onnxruntime: %o', async (attributes) => {
    const dims = attributes.transB === 1 ? [5, 4] : [4, 5];
    for (const bias of [[5], [1, 5], [1], []])
      await expectAgreement(
        writeOnnx({
          input: ['N', 4],
          nodes: [node('Gemm', ['x', 'w', 'b'], 'y', attributes)],
          tensors: [random('w', dims), random('b', bias)],
        }),
        [4],
      );
    await expectAgreement(
      writeOnnx({
        input: [1, 4],
        nodes: [node('Gemm', ['x', 'w'], 'y', attributes)],
        tensors: [random('w', dims)],
      }),
      [4],
    );
  });

  it.each([
    ['tensor first', ['m', 'b']],
    ['bias first', ['b', 'm']],
  ])('MatMul and Add make one layer, %s', async (_, inputs) => {
    for (const outputs of [5, 1]) {
      const tensors = [random('w', [4, outputs]), random('b', [outputs])];
      const nodes = [node('MatMul', ['x', 'w'], 'm'), node('Add', inputs, 'a'), node('Relu', ['a'], 'y')];
      const network = await expectAgreement(writeOnnx({ input: ['N', 4], nodes, tensors }), [4]);
      expect(network.layers.map(({ steps }) => steps.length)).toEqual([1]);
    }
  });

  it('folds scalings, shifts and transposed weights into the layer', async () => {
    const nodes = [
      node('Transpose', ['w'], 'wt', { perm: [1, 0] }),
      node('MatMul', ['x', 'wt'], 'm'),
      node('Sub', ['m', 'b'], 'c'),
      node('Div', ['c', 'd'], 'e'),
      node('Sub', ['d', 'e'], 'f'),
      node('Mul', ['f', 'two'], 'g'),
      node('Tanh', ['g'], 'y'),
    ];
    const tensors = [
      random('w', [5, 4]),
      random('b', [5], 8),
      tensor('d', [5], [1, 2, -3, 4, 0.5]),
      tensor('two', [], [2]),
    ];
    const network = await expectAgreement(writeOnnx({ input: ['N', 4], nodes, tensors }), [4]);
    expect(network.layers).toHaveLength(1);
    expect(stepsOf(network)).toEqual(['activation']);
  });

  it('names layers after their PyTorch modules, else after their nodes', async () => {
    const tensors = [random('fc.1.weight', [4, 4]), random('w', [4, 4])];
    const nodes = [
      node('Gemm', ['x', 'fc.1.weight'], 'a', { transB: 1 }),
      node('Gemm', ['a', 'fc.1.weight'], 'b', { transB: 1 }),
      node('MatMul', ['b', 'w'], 'y', {}, '/last/MatMul'),
    ];
    const network = await expectAgreement(writeOnnx({ input: ['N', 4], nodes, tensors }), [4]);
    expect(network.layers.map(({ name }) => name)).toEqual(['fc.1', 'fc.1.shared1', '/last/MatMul']);
  });
});

describe('convolutions', () => {
  it.each([
    {},
    { strides: [2, 1] },
    { pads: [1, 0, 2, 1] },
    { dilations: [2, 3] },
    { strides: [3, 2], pads: [2, 1, 1, 2], dilations: [1, 2], kernel_shape: [3, 2], group: 1 },
    { auto_pad: 'SAME_UPPER', strides: [2, 2] },
    { auto_pad: 'SAME_LOWER', strides: [2, 2] },
    { auto_pad: 'SAME_UPPER' },
    { auto_pad: 'SAME_LOWER' },
    { auto_pad: 'VALID', strides: [2, 3] },
  ])('Conv agrees with onnxruntime: %o', async (attributes) => {
    await expectAgreement(onImage([node('Conv', ['x', 'k', 'b'], 'y', attributes)]), image);
    await expectAgreement(onImage([node('Conv', ['x', 'k'], 'y', attributes)]), image);
  });

  it('a Pad with zeros before a Conv becomes its padding', async () => {
    const tensors = [integers('pads', [0, 0, 1, 2, 0, 0, 0, 1])];
    const network = await expectAgreement(
      onImage(
        [
          node('Relu', ['x'], 'r'),
          node('Pad', ['r', 'pads'], 'p'),
          node('Conv', ['p', 'k'], 'y', { pads: [1, 1, 1, 1] }),
        ],
        tensors,
      ),
      image,
    );
    expect(network.layers[0]?.linear).toMatchObject({ padding: [2, 3, 1, 2] });
    await expectAgreement(
      onImage(
        [
          node('Pad', ['x', 'pads'], 'p'),
          node('Conv', ['p', 'k'], 'y', { auto_pad: 'SAME_UPPER', strides: [2, 2] }),
        ],
        tensors,
      ),
      image,
    );
  });

  it('folds batch normalisation behind Conv, Gemm and MatMul with Add', async () => {
    const statistics = (size: number): TensorSpec[] => [
      random('gamma', [size], 11),
      random('beta', [size], 12),
      random('mean', [size], 13),
      tensor(
        'variance',
        [size],
        randomNumbers(size, 14).map((value) => Math.fround(Math.abs(value) + 0.1)),
      ),
    ];
    const normalise = (input: string): NodeSpec =>
      node('BatchNormalization', [input, 'gamma', 'beta', 'mean', 'variance'], 'n', {
        epsilon: { float: 0.01 },
      });
    const convolution = onImage(
      [node('Conv', ['x', 'k', 'b'], 'c'), normalise('c'), node('Relu', ['n'], 'y')],
      statistics(3),
    );
    expect((await expectAgreement(convolution, image)).layers).toHaveLength(1);
    const gemm = behindDense([normalise('h'), node('Elu', ['n'], 'y')], statistics(4));
    expect((await expectAgreement(gemm, [3])).layers).toHaveLength(1);
    const nodes = [node('MatMul', ['x', 'w'], 'm'), node('Add', ['m', 'b'], 'a'), normalise('a')];
    const tensors = [random('w', [3, 4]), random('b', [4], 5), ...statistics(4)];
    expect((await expectAgreement(writeOnnx({ input: ['N', 3], nodes, tensors }), [3])).layers).toHaveLength(
      1,
    );
  });

  it('folds a shift per channel behind a Conv', async () => {
    const nodes = [node('Conv', ['x', 'k'], 'c'), node('Add', ['c', 's'], 'a'), node('Mul', ['t', 'a'], 'y')];
    const network = await expectAgreement(
      onImage(nodes, [random('s', [3, 1, 1]), random('t', [1, 3, 1, 1], 6)]),
      image,
    );
    expect(network.layers).toHaveLength(1);
  });
});

describe('pooling', () => {
  const window = { kernel_shape: [3, 2] };
  it.each([
    window,
    { ...window, strides: [2, 2] },
    { ...window, pads: [1, 0, 2, 1], strides: [2, 1] },
    { ...window, auto_pad: 'SAME_UPPER', strides: [2, 2] },
    { ...window, auto_pad: 'SAME_LOWER', strides: [2, 1] },
    { ...window, auto_pad: 'VALID', strides: [2, 2] },
  ])('MaxPool and AveragePool agree with onnxruntime: %o', async (attributes) => {
    const behind = [node('Conv', ['p', 'k1'], 'y')];
    const tensors = [random('k1', [3, 2, 1, 1])];
    await expectAgreement(onImage([node('MaxPool', ['x'], 'p', attributes), ...behind], tensors), image);
    await expectAgreement(onImage([node('AveragePool', ['x'], 'p', attributes), ...behind], tensors), image);
    await expectAgreement(
      onImage([node('AveragePool', ['x'], 'p', { ...attributes, count_include_pad: 1 }), ...behind], tensors),
      image,
    );
  });

  it('a padded average counts zeros only if it says so, and an unpadded one never', async () => {
    const pooled = async (attributes: Record<string, number | number[]>): Promise<Step | undefined> => {
      const nodes = [
        node('Conv', ['x', 'k'], 'c'),
        node('AveragePool', ['c'], 'y', { ...window, ...attributes }),
      ];
      return (await expectAgreement(onImage(nodes), image)).layers[0]?.steps[0];
    };
    expect(await pooled({ count_include_pad: 1 })).toMatchObject({ countPadding: false });
    expect(await pooled({ count_include_pad: 1, pads: [1, 1, 1, 1] })).toMatchObject({ countPadding: true });
    expect(await pooled({ pads: [1, 1, 1, 1] })).toMatchObject({ countPadding: false });
  });

  it('a Pad with zeros before an AveragePool counts, as PyTorch exports it', async () => {
    const nodes = [
      node('Conv', ['x', 'k'], 'c'),
      node('Tanh', ['c'], 't'),
      node('Pad', ['t', 'pads'], 'p', { mode: 'constant' }),
      node('AveragePool', ['p'], 'y', { ...window, ceil_mode: 0 }),
    ];
    const padded = await expectAgreement(onImage(nodes, [integers('pads', [0, 0, 1, 1, 0, 0, 1, 1])]), image);
    expect(padded.layers[0]?.steps[1]).toMatchObject({ countPadding: true, padding: [1, 1, 1, 1] });
    const plain = await expectAgreement(onImage(nodes, [integers('pads', [0, 0, 0, 0, 0, 0, 0, 0])]), image);
    expect(plain.layers[0]?.steps[1]).toMatchObject({ countPadding: false, padding: [0, 0, 0, 0] });
  });

  it.each([
    [node('GlobalAveragePool', ['c'], 'p'), 17],
    [node('GlobalMaxPool', ['c'], 'p'), 17],
    [node('ReduceMean', ['c'], 'p', { axes: [2, 3] }), 17],
    [node('ReduceMean', ['c'], 'p', { axes: [-1, -2] }), 17],
    [node('ReduceMean', ['c', 'axes'], 'p'), 18],
  ])('$operator over the image agrees with onnxruntime', async (pooling, opset) => {
    const nodes = [
      node('Conv', ['x', 'k', 'b'], 'c'),
      pooling,
      node('Flatten', ['p'], 'f'),
      node('Gemm', ['f', 'w'], 'y'),
    ];
    await expectAgreement(
      onImage(nodes, [random('w', [3, 4]), integers('axes', [2, 3])], opset as number),
      image,
    );
  });

  it('ReduceMean without kept dimensions feeds a dense layer', async () => {
    const nodes = [
      node('Conv', ['x', 'k'], 'c'),
      node('ReduceMean', ['c'], 'p', { axes: [2, 3], keepdims: 0 }),
      node('MatMul', ['p', 'w'], 'y'),
    ];
    const network = await expectAgreement(onImage(nodes, [random('w', [3, 4])]), image);
    expect(stepsOf(network)).toEqual(['globalAveragePool', 'flatten']);
  });
});

describe('shapes', () => {
  const dense = node('Gemm', ['f', 'w'], 'y');
  const viewNodes = [
    node('Shape', ['r'], 's'),
    node('Gather', ['s', 'zero'], 'g', { axis: 0 }),
    node('Unsqueeze', ['g', 'axes'], 'u'),
    node('Constant', [], 'rest', { value: { tensor: integers('', [-1]) } }),
    node('Concat', ['u', 'rest'], 'v', { axis: 0 }),
    node('Reshape', ['r', 'v'], 'f'),
  ];
  const zero: TensorSpec = { name: 'zero', dims: [], values: [0], type: 'int64' };
  it.each([
    ['Flatten', [node('Flatten', ['r'], 'f')], []],
    ['Flatten with a negative axis', [node('Flatten', ['r'], 'f', { axis: -3 })], []],
    ['Reshape to [-1, n]', [node('Reshape', ['r', 's'], 'f')], [integers('s', [-1, 84])]],
    ['Reshape to [0, -1]', [node('Reshape', ['r', 's'], 'f')], [integers('s', [0, -1])]],
    [
      'Reshape twice',
      [node('Reshape', ['r', 's'], 'q'), node('Reshape', ['q', 't'], 'f')],
      [integers('s', [0, 2, -1]), integers('t', [0, 84])],
    ],
    ['view(size(0), -1)', viewNodes, [zero, integers('axes', [0])]],
  ])('%s before a dense layer is a flatten', async (_, nodes, tensors) => {
    for (const batch of ['N', 1]) {
      const all = [node('Relu', ['x'], 'r'), ...nodes, dense];
      const bytes = writeOnnx({
        input: [batch, ...image],
        nodes: all,
        tensors: [random('w', [84, 5]), ...tensors],
      });
      const network = await expectAgreement(bytes, image);
      expect(stepsOf(network)).toEqual(['activation', 'flatten']);
    }
  });

  it('a model of a fixed batch of 64 imports like one of batch 1', async () => {
    const nodes = [node('Reshape', ['x', 's'], 'f'), dense];
    const build = (batch: number): Uint8Array =>
      writeOnnx({
        input: [batch, ...image],
        nodes,
        tensors: [random('w', [84, 5]), integers('s', [batch, 84])],
      });
    const single = await expectAgreement(build(1), image);
    expect(importOnnx(build(64), () => new Uint8Array())).toEqual(single);
  });

  it('Squeeze of a 1×1 image is a flatten', async () => {
    for (const axes of [
      [2, 3],
      [-1, -2],
    ]) {
      const nodes = [
        node('Conv', ['x', 'k'], 'c'),
        node('GlobalAveragePool', ['c'], 'g'),
        node('Squeeze', ['g', 'axes'], 'f'),
        dense,
      ];
      await expectAgreement(onImage(nodes, [random('w', [3, 2]), integers('axes', axes)]), image);
    }
  });

  it('an input that is reshaped to an image takes the image as its shape', async () => {
    const nodes = [node('Reshape', ['x', 's'], 'i'), node('Conv', ['i', 'k'], 'y')];
    const tensors = [integers('s', [-1, 2, 7, 6]), random('k', [3, 2, 3, 2])];
    const network = await expectAgreement(writeOnnx({ input: ['N', 84], nodes, tensors }), [84]);
    expect(network.inputShape).toEqual([2, 7, 6]);
    const unsqueeze = [node('Unsqueeze', ['x', 'one'], 'i'), node('Conv', ['i', 'k'], 'y')];
    const more = [integers('one', [1]), random('k', [3, 1, 3, 2])];
    expect(
      (await expectAgreement(writeOnnx({ input: ['N', 7, 6], nodes: unsqueeze, tensors: more }), [7, 6]))
        .inputShape,
    ).toEqual([1, 7, 6]);
  });

  it('a Transpose that moves no element (one channel last) is allowed', async () => {
    const nodes = [node('Transpose', ['x'], 't', { perm: [0, 3, 1, 2] }), node('Conv', ['t', 'k'], 'y')];
    const bytes = writeOnnx({ input: ['N', 7, 6, 1], nodes, tensors: [random('k', [3, 1, 3, 2])] });
    expect((await expectAgreement(bytes, [7, 6, 1])).inputShape).toEqual([1, 7, 6]);
  });

  it('leaves out Identity, Dropout, Cast and nodes nobody reads', async () => {
    const nodes: NodeSpec[] = [
      node('Identity', ['h'], 'i'),
      { operator: 'Dropout', inputs: ['i', 'ratio'], outputs: ['d', 'mask'] },
      node('Cast', ['d'], 'c', { to: 1 }),
      node('Det', ['h'], 'unused'),
      node('Relu', ['c'], 'y'),
    ];
    const bytes = behindDense(
      nodes.filter(({ operator }) => operator !== 'Det'),
      [tensor('ratio', [], [0.5])],
    );
    expect(stepsOf(await expectAgreement(bytes, [3]))).toEqual(['activation']);
    const dead = behindDense(nodes, [tensor('ratio', [], [0.5])]);
    expect(importOnnx(dead, () => new Uint8Array()).layers).toHaveLength(1);
  });

  it.each(['Softmax', 'LogSoftmax'])('leaves a final %s outside', (operator) => {
    const without = importOnnx(behindDense([]), () => new Uint8Array());
    expect(
      importOnnx(behindDense([node(operator, ['h'], 'y', { axis: 1 })]), () => new Uint8Array()),
    ).toEqual(without);
  });
});
