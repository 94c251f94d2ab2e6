import { describe, expect, it } from 'vitest';
import { misuse, TombolaError } from '../../src/core/errors.ts';
import { importOnnx } from '../../src/core/format/onnx/import-onnx.ts';
import { noExternal, randomNumbers } from '../support/onnx-oracle.ts';
import {
  type ElementType,
  integers,
  type ModelSpec,
  type NodeSpec,
  node,
  rawBytes,
  type Storage,
  type TensorSpec,
  tensor,
  writeOnnx,
} from '../support/onnx-writer.ts';

function refusalOf(bytes: Uint8Array, readExternal = noExternal): TombolaError {
  try {
    importOnnx(bytes, readExternal);
  } catch (error) {
    if (!(error instanceof TombolaError)) throw error;
    expect(error.message).not.toMatch(/\n/);
    return error;
  }
  throw new Error('The model was imported, a refusal was expected');
}

const tensors: readonly TensorSpec[] = [
  tensor('w', [3, 3], randomNumbers(9)),
  tensor('k', [2, 2, 3, 3], randomNumbers(36)),
  tensor('k1', [2, 2, 3], randomNumbers(12)),
  tensor('grouped', [2, 1, 3, 3], randomNumbers(18)),
  tensor('two', [2], [0.5, 2]),
  tensor('scalar', [], [2]),
  integers('pads', [0, 0, 1, 1, 0, 0, 1, 1]),
];

function dense(nodes: readonly NodeSpec[], more: Partial<ModelSpec> = {}): Uint8Array {
  return writeOnnx({ input: ['N', 3], nodes, tensors, ...more });
}

function image(nodes: readonly NodeSpec[], more: Partial<ModelSpec> = {}): Uint8Array {
  return writeOnnx({ input: ['N', 2, 6, 6], nodes, tensors, ...more });
}

const gemm = (input: string, output: string): NodeSpec => node('Gemm', [input, 'w'], output);
const conv = (input: string, output: string, attributes = {}): NodeSpec =>
  node('Conv', [input, 'k'], output, attributes);
const window = { kernel_shape: [2, 2] };

describe('unsupported graphs are refused, naming the operator, the node and what to do', () => {
  it.each<[string, Uint8Array, RegExp]>([
    [
      'an unknown operator',
      dense([gemm('x', 'h'), node('Frobnicate', ['h'], 'y', {}, 'odd')]),
      /Frobnicate node "odd".*not supported/,
    ],
    [
      'a node without a name',
      dense([gemm('x', 'h'), node('Sin', ['h'], 'y', {}, '')]),
      /Sin node at position 1/,
    ],
    ['a custom domain', dense([{ ...gemm('x', 'y'), domain: 'com.acme' }]), /com\.acme::Gemm/],
    ['attention', dense([node('Attention', ['x', 'x', 'x'], 'y')]), /Attention/],
    [
      'a residual connection',
      dense([gemm('x', 'h'), gemm('h', 'g'), node('Add', ['g', 'h'], 'y', {}, 'skip')]),
      /Add node "skip".*residual/,
    ],
    [
      'a residual around an activation',
      dense([gemm('x', 'h'), node('Relu', ['h'], 'r'), node('Add', ['h', 'r'], 'y')]),
      /Add node "node-y"/,
    ],
    [
      'a branch',
      dense([gemm('x', 'h'), gemm('h', 'a'), gemm('h', 'b'), node('Add', ['a', 'b'], 'y')]),
      /Gemm node "node-b".*branches/,
    ],
    ['a product of two tensors', dense([gemm('x', 'h'), node('MatMul', ['h', 'h'], 'y')]), /MatMul/],
    ['a Concat', dense([gemm('x', 'h'), node('Concat', ['h', 'h'], 'y', { axis: 1 })]), /Concat/],
    ['two inputs', dense([gemm('x', 'y')], { moreInputs: ['z'] }), /2 inputs/],
    ['two outputs', dense([gemm('x', 'h'), gemm('h', 'y')], { outputs: ['h', 'y'] }), /2 outputs/],
    ['an old operator set', dense([gemm('x', 'y')], { opset: 6 }), /operator set 6/],
    ['an input without a batch dimension', dense([gemm('x', 'y')], { input: [3] }), /input "x".*\[batch/],
    ['an input of unknown size', dense([gemm('x', 'y')], { input: ['N', 'features'] }), /fixed input size/],
    ['no layer', dense([node('Relu', ['x'], 'y')]), /no layer/],
    ['an output that depends on nothing', dense([node('Identity', ['w'], 'y')]), /does not depend/],
    ['transA', dense([node('Gemm', ['x', 'w'], 'y', { transA: 1 })]), /transA/],
    ['weights on the left', dense([node('MatMul', ['w', 'x'], 'y')]), /MatMul.*first operand/],
    ['weights of another size', dense([node('Gemm', ['x', 'k1'], 'y')]), /matrix/],
    ['a tensor of another size', dense([gemm('x', 'y')], { input: ['N', 4] }), /3×3 weights/],
    ['a missing tensor', dense([node('Gemm', ['x', 'nothing'], 'y')]), /"nothing"/],
    ['nodes out of order', dense([gemm('h', 'y'), gemm('x', 'h')], { outputs: ['y'] }), /topological/],
    [
      'a tensor that is defined twice',
      dense([gemm('x', 'h'), node('Relu', ['h'], 'r'), node('Tanh', ['h'], 'r'), gemm('r', 'y')]),
      /exists already/,
    ],
    [
      'the second output of a Dropout',
      dense([{ ...node('Dropout', ['x'], 'd'), outputs: ['d', 'mask'] }, gemm('mask', 'y')]),
      /"mask"/,
    ],
    [
      'a Softmax in the middle',
      dense([gemm('x', 'h'), node('Softmax', ['h'], 's'), gemm('s', 'y')]),
      /follows a Softmax/,
    ],
    ['an ArgMax', dense([gemm('x', 'h'), node('ArgMax', ['h'], 'y')]), /ArgMax/],
    ['grouped convolution', image([node('Conv', ['x', 'grouped'], 'y', { group: 2 })]), /group is 2/],
    [
      '1-D convolution',
      writeOnnx({ input: ['N', 2, 6], nodes: [node('Conv', ['x', 'k1'], 'y')], tensors }),
      /2-D kernel/,
    ],
    ['ConvTranspose', image([node('ConvTranspose', ['x', 'k'], 'y')]), /ConvTranspose/],
    ['negative padding', image([conv('x', 'y', { pads: [-1, 0, 0, 0] })]), /pads/],
    ['a stride of 0', image([conv('x', 'y', { strides: [0, 1] })]), /strides/],
    [
      'a kernel larger than the image',
      image([conv('x', 'y', { dilations: [9, 9] })]),
      /larger than its padded input/,
    ],
    ['another number of channels', image([conv('x', 'y')], { input: ['N', 3, 6, 6] }), /channels/],
    [
      'ceil_mode',
      image([conv('x', 'c'), node('MaxPool', ['c'], 'y', { ...window, ceil_mode: 1 })]),
      /ceil_mode/,
    ],
    [
      'dilated pooling',
      image([conv('x', 'c'), node('MaxPool', ['c'], 'y', { ...window, dilations: [2, 1] })]),
      /dilations/,
    ],
    ['pooling without a kernel', image([conv('x', 'c'), node('MaxPool', ['c'], 'y')]), /kernel_shape/],
    [
      'pads as large as the window',
      image([conv('x', 'c'), node('MaxPool', ['c'], 'y', { ...window, pads: [2, 0, 0, 0] })]),
      /smaller than the window/,
    ],
    [
      'zeros padded before a maximum',
      image([conv('x', 'c'), node('Pad', ['c', 'pads'], 'p'), node('MaxPool', ['p'], 'y', window)]),
      /Pad node/,
    ],
    [
      'a Pad in another mode',
      image([node('Pad', ['x', 'pads'], 'p', { mode: 'reflect' }), conv('p', 'y')]),
      /reflect/,
    ],
    [
      'a Pad that is read by an activation',
      image([node('Pad', ['x', 'pads'], 'p'), node('Relu', ['p'], 'r'), conv('r', 'y')]),
      /Pad/,
    ],
    ['a Pad at the end', image([conv('x', 'c'), node('Pad', ['c', 'pads'], 'y')]), /Pad/],
    [
      'batch normalisation of the input',
      image([node('BatchNormalization', ['x', 'two', 'two', 'two', 'two'], 'n'), conv('n', 'y')]),
      /BatchNormalization.*directly before/,
    ],
    [
      'batch normalisation behind an activation',
      image([
        conv('x', 'c'),
        node('Relu', ['c'], 'r'),
        node('BatchNormalization', ['r', 'two', 'two', 'two', 'two'], 'y'),
      ]),
      /BatchNormalization.*directly before/,
    ],
    [
      'batch normalisation in training mode',
      image([
        conv('x', 'c'),
        node('BatchNormalization', ['c', 'two', 'two', 'two', 'two'], 'y', { training_mode: 1 }),
      ]),
      /training mode/,
    ],
    ['a scaled input', dense([node('Div', ['x', 'scalar'], 's'), gemm('s', 'y')]), /Div.*directly/],
    [
      'a dense layer on an image',
      image([node('MatMul', ['x', 'six'], 'y')], { tensors: [tensor('six', [6, 2], randomNumbers(12))] }),
      /Flatten before it/,
    ],
    [
      'a transposed image',
      image([conv('x', 'c'), node('Transpose', ['c'], 'y', { perm: [0, 2, 3, 1] })]),
      /channels-first/,
    ],
    [
      'a reshape that mixes the batch',
      image([conv('x', 'c'), node('Flatten', ['c'], 'y', { axis: 0 })]),
      /batch/,
    ],
    [
      'a mean over channels',
      image([conv('x', 'c'), node('ReduceMean', ['c'], 'y', { axes: [1] })]),
      /ReduceMean/,
    ],
    [
      'a negative ELU alpha',
      dense([gemm('x', 'h'), node('Elu', ['h'], 'y', { alpha: { float: -1 } })]),
      /alpha is -1/,
    ],
    [
      'an infinite slope',
      dense([gemm('x', 'h'), node('LeakyRelu', ['h'], 'y', { alpha: { float: Infinity } })]),
      /alpha is Infinity/,
    ],
  ])('%s', (_, bytes, message) => {
    const error = refusalOf(bytes);
    expect(error.kind).toBe('failure');
    expect(error.message).toMatch(message);
    expect(error.message).toMatch(/expected|^Cannot use layer/);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])('%s in a weight, naming the tensor', (bad) => {
    const values = randomNumbers(9).map((value, index) => (index === 5 ? bad : value));
    for (const nodes of [
      [node('Gemm', ['x', 'fc.weight'], 'y')],
      [gemm('x', 'h'), node('Gemm', ['h', 'w', 'fc.weight'], 'y')],
    ])
      expect(
        refusalOf(dense(nodes, { tensors: [...tensors, tensor('fc.weight', [3, 3], values)] })).message,
      ).toMatch(/Gemm.*"fc\.weight" holds|bias of shape/);
    const bias = tensor('fc.bias', [3], [1, bad, 2]);
    const withBias = dense([node('MatMul', ['x', 'w'], 'h'), node('Add', ['h', 'fc.bias'], 'y')], {
      tensors: [...tensors, bias],
    });
    expect(refusalOf(withBias).message).toMatch(/"fc\.bias" holds .* at position 1/);
  });

  it('weights that a normalisation makes infinite', () => {
    const parameters = [tensor('g', [2], [1, 1]), tensor('v', [2], [-1e-5, 1])];
    const nodes = [
      conv('x', 'c'),
      node('BatchNormalization', ['c', 'g', 'g', 'g', 'v'], 'y', { epsilon: { float: 1e-5 } }),
    ];
    expect(refusalOf(image(nodes, { tensors: [...tensors, ...parameters] })).message).toMatch(/infinite|NaN/);
  });

  it('a long list of elementwise operators, a shared subexpression that doubles each time among them', () => {
    const doubling = Array.from({ length: 2000 }, (_, index) =>
      node('Mul', [`h${index}`, `h${index}`], `h${index + 1}`),
    );
    expect(refusalOf(dense([gemm('x', 'h0'), ...doubling])).message).toMatch(/elementwise operators/);
    const concat = Array.from({ length: 2000 }, (_, index) =>
      node('Concat', [`c${index}`, `c${index}`], `c${index + 1}`, { axis: 0 }),
    );
    const bytes = dense([...concat, node('Gemm', ['x', 'c2000'], 'y')], {
      tensors: [tensor('c0', [3], [1, 2, 3])],
    });
    expect(refusalOf(bytes).message).toMatch(/Concat.*short lists/);
  });
});

describe('tensor storage', () => {
  const values = [1, -2, 0.5, 0.25, 3, -0.125];
  const build = (type: ElementType, storage: Storage): Uint8Array =>
    writeOnnx({
      input: ['N', 3],
      nodes: [node('Gemm', ['x', 'w'], 'y')],
      tensors: [{ name: 'w', dims: [3, 2], values, type, storage }],
    });

  it.each<ElementType>(['float', 'double', 'float16', 'bfloat16'])(
    '%s is read from raw, typed and external data alike',
    (type) => {
      const expected = Float64Array.of(1, 0.5, 3, -2, 0.25, -0.125);
      const file = Uint8Array.from([9, 9, 9, ...rawBytes(values, type), 9]);
      const external = { location: 'data/model.onnx.data', offset: 3, length: file.length - 4 };
      for (const storage of ['raw', 'typed', external] as const)
        expect(importOnnx(build(type, storage), () => file).layers[0]?.linear.weights).toEqual(expected);
    },
  );

  it('float16 keeps subnormal numbers, and its infinity is refused', () => {
    const half = (bits: number): Uint8Array => {
      const bytes = build('float16', 'raw');
      const at = bytes.findIndex((byte, index) => byte === 0x3c && bytes[index - 1] === 0);
      bytes.set([bits & 0xff, bits >> 8], at - 1);
      return bytes;
    };
    expect(importOnnx(half(0x8001), noExternal).layers[0]?.linear.weights[0]).toBe(-(2 ** -24));
    expect(refusalOf(half(0x7c00)).message).toMatch(/"w" holds Infinity/);
  });

  it('an external file is asked for once', () => {
    const asked: string[] = [];
    const storage = { location: 'w.bin', offset: 0, length: 36 };
    const weights = ['w1', 'w2'].map((name): TensorSpec => ({ name, dims: [3, 3], values: [], storage }));
    const nodes = [node('Gemm', ['x', 'w1'], 'h'), node('Gemm', ['h', 'w2'], 'y')];
    const network = importOnnx(writeOnnx({ input: ['N', 3], nodes, tensors: weights }), (name) => {
      asked.push(name);
      return Uint8Array.from(rawBytes(randomNumbers(9), 'float'));
    });
    expect(network.layers).toHaveLength(2);
    expect(asked).toEqual(['w.bin']);
  });

  it.each([
    '../weights.bin',
    'a/../../b',
    '..',
    '/etc/passwd',
    'C:\\weights',
    'a\\..\\b',
    'C:weights',
    '',
    'a\0b',
  ])('the external location %j is refused unread', (location) => {
    const error = refusalOf(build('float', { location }), () => {
      throw new Error('read');
    });
    expect(error.kind).toBe('failure');
    expect(error.message).toMatch(/"w".*expected a file in the folder/);
  });

  it('a missing external file is a failure, whatever the reader throws', () => {
    for (const cause of [new Error('ENOENT'), misuse('Cannot open w.bin: not found')]) {
      const error = refusalOf(build('float', { location: 'w.bin' }), () => {
        throw cause;
      });
      expect(error.kind).toBe('failure');
      expect(error.message).toMatch(/"w".*"w\.bin"/);
      expect(error.cause).toBe(cause);
    }
  });

  it.each([
    { location: 'w.bin', offset: 1 },
    { location: 'w.bin', offset: -4 },
    { location: 'w.bin', offset: 0, length: 28 },
    { location: 'w.bin', offset: 1e300 },
    { location: 'w.bin', offset: Number.NaN },
    { location: 'w.bin', offset: 8, length: 16 },
  ])('external data that does not fit its file or shape is refused: %o', (storage) => {
    expect(refusalOf(build('float', storage), () => new Uint8Array(24)).message).toMatch(/tensor "w"/);
  });

  it('data that does not fit the shape is refused, naming the tensor', () => {
    for (const storage of ['raw', 'typed'] as const)
      for (const dims of [[3, 3], [3, 1], [-3, -2], [2 ** 40, 2 ** 40], Array.from({ length: 9 }, () => 1)]) {
        const bytes = writeOnnx({
          input: ['N', 3],
          nodes: [node('Gemm', ['x', 'w'], 'y')],
          tensors: [{ name: 'w', dims, values, storage }],
        });
        expect(refusalOf(bytes).message).toMatch(/tensor "w"/);
      }
  });

  it('integers as weights of another type, strings and quantised tensors are refused', () => {
    const bytes = build('float', 'raw');
    const at = bytes.findIndex(
      (byte, index) => byte === 0x10 && bytes[index + 1] === 1 && bytes[index - 1] === 2,
    );
    for (const type of [0, 2, 3, 8, 14, 22, 99]) {
      bytes[at + 1] = type;
      expect(refusalOf(bytes).message).toMatch(/data type is number/);
    }
  });
});
