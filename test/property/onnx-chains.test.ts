import fc from 'fast-check';
import { describe, it } from 'vitest';
import { expectAgreement, randomNumbers } from '../support/onnx-oracle.ts';
import { integers, type NodeSpec, node, type TensorSpec, tensor, writeOnnx } from '../support/onnx-writer.ts';

const activations = [
  'Relu',
  'LeakyRelu',
  'Elu',
  'Selu',
  'Tanh',
  'Sigmoid',
  'Softplus',
  'Softsign',
  'Gelu',
  'HardSwish',
  'Mish',
];
const activation = fc.constantFrom(...activations);

/** One stage of a random network over images. */
const stage = fc.record({
  channels: fc.integer({ min: 1, max: 4 }),
  kernel: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
  strides: fc.tuple(fc.integer({ min: 1, max: 2 }), fc.integer({ min: 1, max: 2 })),
  pads: fc.array(fc.integer({ min: 0, max: 1 }), { minLength: 4, maxLength: 4 }),
  hasBias: fc.boolean(),
  hasNormalisation: fc.boolean(),
  activation,
  pooling: fc.constantFrom('none', 'MaxPool', 'AveragePool'),
});

const network = fc.record({
  channels: fc.integer({ min: 1, max: 3 }),
  height: fc.integer({ min: 24, max: 27 }),
  width: fc.integer({ min: 24, max: 27 }),
  stages: fc.array(stage, { minLength: 0, maxLength: 2 }),
  flatten: fc.constantFrom('Flatten', 'Reshape', 'GlobalAveragePool'),
  hidden: fc.integer({ min: 1, max: 6 }),
  dense: fc.constantFrom('Gemm', 'MatMul'),
  activation,
  seed: fc.nat(1e6),
});

type Shape = [number, number, number];

/** Writes a model while following its shapes with formulas of its own. */
class Writer {
  readonly nodes: NodeSpec[] = [];
  readonly tensors: TensorSpec[] = [];
  current = 'x';
  private readonly seed: number;

  constructor(seed: number) {
    this.seed = seed;
  }

  add(operator: string, more: readonly string[] = [], attributes: NodeSpec['attributes'] = {}): void {
    const output = `t${this.nodes.length}`;
    this.nodes.push(node(operator, [this.current, ...more], output, attributes));
    this.current = output;
  }

  weights(dims: readonly number[], change: (value: number) => number = (value) => value): string {
    const name = `w${this.tensors.length}`;
    const count = dims.reduce((product, size) => product * size, 1);
    this.tensors.push(tensor(name, dims, randomNumbers(count, this.seed + this.tensors.length).map(change)));
    return name;
  }
}

function addStage(
  writer: Writer,
  [channels, height, width]: Shape,
  spec: typeof stage extends fc.Arbitrary<infer T> ? T : never,
): Shape {
  const [rows, columns] = spec.kernel;
  const [top = 0, left = 0, bottom = 0, right = 0] = spec.pads;
  const bias = spec.hasBias ? [writer.weights([spec.channels])] : [];
  writer.add('Conv', [writer.weights([spec.channels, channels, rows, columns]), ...bias], {
    strides: [...spec.strides],
    pads: spec.pads,
  });
  if (spec.hasNormalisation) {
    const parameters = [0, 1, 2].map(() => writer.weights([spec.channels]));
    writer.add('BatchNormalization', [
      ...parameters,
      writer.weights([spec.channels], (value) => Math.fround(Math.abs(value) + 0.2)),
    ]);
  }
  writer.add(spec.activation);
  const shape: Shape = [
    spec.channels,
    Math.floor((height + top + bottom - rows) / spec.strides[0]) + 1,
    Math.floor((width + left + right - columns) / spec.strides[1]) + 1,
  ];
  if (spec.pooling === 'none') return shape;
  writer.add(spec.pooling, [], { kernel_shape: [2, 2], strides: [1, 2], pads: [1, 0, 0, 0] });
  return [spec.channels, shape[1], Math.floor((shape[2] - 2) / 2) + 1];
}

describe('random networks', () => {
  it('agree with onnxruntime once imported', async () => {
    await fc.assert(
      fc.asyncProperty(network, async (spec) => {
        const writer = new Writer(spec.seed);
        const input: Shape = [spec.channels, spec.height, spec.width];
        const image = spec.stages.reduce((shape, current) => addStage(writer, shape, current), input);
        if (spec.flatten === 'GlobalAveragePool') writer.add('GlobalAveragePool');
        if (spec.flatten === 'Reshape') writer.add('Reshape', ['flat']);
        else writer.add('Flatten');
        const features = spec.flatten === 'GlobalAveragePool' ? image[0] : image[0] * image[1] * image[2];
        const weights = writer.weights([features, spec.hidden], (value) =>
          Math.fround(value / Math.sqrt(features)),
        );
        writer.add(spec.dense, [weights]);
        if (spec.dense === 'MatMul') writer.add('Add', [writer.weights([spec.hidden])]);
        writer.add(spec.activation);
        writer.add('Gemm', [writer.weights([3, spec.hidden]), writer.weights([3])], { transB: 1 });
        const tensors =
          spec.flatten === 'Reshape' ? [...writer.tensors, integers('flat', [0, -1])] : writer.tensors;
        const bytes = writeOnnx({ opset: 20, input: ['N', ...input], nodes: writer.nodes, tensors });
        await expectAgreement(bytes, input, { count: 1, floor: 1 });
      }),
      { seed: 20221127, numRuns: 150 },
    );
  });
});
