import { describe, expect, it } from 'vitest';
import { TombolaError } from '../../src/core/errors.ts';
import { importOnnx } from '../../src/core/format/onnx/import-onnx.ts';
import { forward } from '../../src/core/network/forward.ts';
import type { Step } from '../../src/core/network/network.ts';
import {
  expectAgreement,
  expectClose,
  noExternal,
  randomNumbers,
  runOracle,
} from '../support/onnx-oracle.ts';
import {
  float16Bits,
  type NodeSpec,
  node,
  type TensorSpec,
  tensor,
  writeOnnx,
} from '../support/onnx-writer.ts';

const scalars: readonly TensorSpec[] = [
  ['half', 0.5],
  ['one', 1],
  ['two', 2],
  ['three', 3],
  ['six', 6],
  ['zero', 0],
  ['root2', Math.SQRT2],
  ['inverseRoot2', Math.SQRT1_2],
  ['cubic', 0.044715],
  ['rootTwoOverPi', Math.sqrt(2 / Math.PI)],
  ['sixth', 1 / 6],
].map(([name, value]) => tensor(String(name), [], [Number(value)]));

/** 3 → 8, then the nodes, which read `h` and end in `y`, then 8 → 2. */
function between(nodes: readonly NodeSpec[], opset = 20, more: readonly TensorSpec[] = []): Uint8Array {
  return writeOnnx({
    opset,
    input: ['N', 3],
    nodes: [node('Gemm', ['x', 'w', 'bias'], 'h'), ...nodes, node('MatMul', ['y', 'v'], 'out')],
    tensors: [
      tensor('w', [3, 8], randomNumbers(24, 2)),
      tensor('bias', [8], randomNumbers(8, 3)),
      tensor('v', [8, 2], randomNumbers(16, 4)),
      ...scalars,
      ...more,
    ],
  });
}

function activationsOf(bytes: Uint8Array): unknown[] {
  const steps: Step[] = importOnnx(bytes, noExternal).layers.flatMap((layer) => layer.steps);
  return steps.map((step) => (step.kind === 'activation' ? step.activation : step.kind));
}

describe('activation operators', () => {
  it.each<[string, Record<string, { float: number } | string>, unknown]>([
    ['Relu', {}, { kind: 'relu' }],
    ['LeakyRelu', {}, { kind: 'leakyRelu', slope: Math.fround(0.01) }],
    ['LeakyRelu', { alpha: { float: 0.25 } }, { kind: 'leakyRelu', slope: 0.25 }],
    ['Elu', {}, { kind: 'elu', alpha: 1 }],
    ['Elu', { alpha: { float: 1.5 } }, { kind: 'elu', alpha: 1.5 }],
    ['Selu', {}, { kind: 'selu', alpha: Math.fround(1.6732632), gamma: Math.fround(1.050701) }],
    ['Selu', { alpha: { float: 2 }, gamma: { float: 0.5 } }, { kind: 'selu', alpha: 2, gamma: 0.5 }],
    ['Tanh', {}, { kind: 'tanh' }],
    ['Sigmoid', {}, { kind: 'sigmoid' }],
    ['Softplus', {}, { kind: 'softplus' }],
    ['Softsign', {}, { kind: 'softsign' }],
    ['Gelu', {}, { kind: 'gelu', form: 'erf' }],
    ['Gelu', { approximate: 'tanh' }, { kind: 'gelu', form: 'tanh' }],
    ['HardSwish', {}, { kind: 'hardSwish' }],
    ['Mish', {}, { kind: 'mish' }],
  ])('%s %o agrees with onnxruntime', async (operator, attributes, expected) => {
    const bytes = between([node(operator, ['h'], 'y', attributes)]);
    expect(activationsOf(bytes)).toEqual([expected]);
    await expectAgreement(bytes, [3]);
    await expectAgreement(bytes, [3], { scale: 8 });
  });

  it('Swish with alpha 1 is SiLU', () => {
    expect(activationsOf(between([node('Swish', ['h'], 'y')], 24))).toEqual([{ kind: 'silu' }]);
  });

  it('PRelu with one slope is LeakyReLU', async () => {
    const bytes = between([node('PRelu', ['h', 'slope'], 'y')], 17, [tensor('slope', [1], [0.25])]);
    expect(activationsOf(bytes)).toEqual([{ kind: 'leakyRelu', slope: 0.25 }]);
    await expectAgreement(bytes, [3]);
  });

  it('an activation before the first layer is an input step', async () => {
    const nodes = [node('Tanh', ['x'], 't'), node('MatMul', ['t', 'w'], 'y')];
    const bytes = writeOnnx({ input: ['N', 3], nodes, tensors: [tensor('w', [3, 2], randomNumbers(6))] });
    expect((await expectAgreement(bytes, [3])).inputSteps).toEqual([
      { kind: 'activation', activation: { kind: 'tanh' } },
    ]);
  });
});

const gate = (input: string): NodeSpec[] => [node('Erf', [input], 'e'), node('Add', ['e', 'one'], 'g')];
const erf = { kind: 'gelu', form: 'erf' };
const cubicNodes = [
  node('Mul', ['h', 'h'], 'h2'),
  node('Mul', ['h', 'h2'], 'h3'),
  node('Mul', ['cubic', 'h3'], 'c'),
  node('Add', ['h', 'c'], 's'),
  node('Mul', ['s', 'rootTwoOverPi'], 'i'),
  node('Tanh', ['i'], 't'),
  node('Add', ['one', 't'], 'g'),
];

describe('activations written as several operators', () => {
  it.each<[string, NodeSpec[], unknown[]]>([
    [
      'GELU: x·(1+erf(x/√2))·0.5',
      [
        node('Div', ['h', 'root2'], 'd'),
        ...gate('d'),
        node('Mul', ['h', 'g'], 'm'),
        node('Mul', ['m', 'half'], 'y'),
      ],
      [erf],
    ],
    [
      'GELU: (0.5·x)·(erf(x·√½)+1)',
      [
        node('Mul', ['inverseRoot2', 'h'], 'd'),
        ...gate('d'),
        node('Mul', ['half', 'h'], 'm'),
        node('Mul', ['m', 'g'], 'y'),
      ],
      [erf],
    ],
    [
      'GELU: x·(0.5·(1+erf))',
      [
        node('Div', ['h', 'root2'], 'd'),
        ...gate('d'),
        node('Mul', ['g', 'half'], 'm'),
        node('Mul', ['h', 'm'], 'y'),
      ],
      [erf],
    ],
    [
      'GELU: x·(1+erf)/2',
      [
        node('Div', ['h', 'root2'], 'd'),
        ...gate('d'),
        node('Mul', ['g', 'h'], 'm'),
        node('Div', ['m', 'two'], 'y'),
      ],
      [erf],
    ],
    [
      'GELU, tanh form',
      [...cubicNodes, node('Mul', ['h', 'half'], 'm'), node('Mul', ['m', 'g'], 'y')],
      [{ kind: 'gelu', form: 'tanh' }],
    ],
    [
      'GELU, tanh form with Pow',
      [
        node('Pow', ['h', 'three'], 'h3'),
        ...cubicNodes.slice(2),
        node('Mul', ['h', 'g'], 'm'),
        node('Mul', ['m', 'half'], 'y'),
      ],
      [{ kind: 'gelu', form: 'tanh' }],
    ],
    ['SiLU', [node('Sigmoid', ['h'], 's'), node('Mul', ['h', 's'], 'y')], [{ kind: 'silu' }]],
    ['SiLU, gate first', [node('Sigmoid', ['h'], 's'), node('Mul', ['s', 'h'], 'y')], [{ kind: 'silu' }]],
    [
      'hard swish',
      [
        node('HardSigmoid', ['h'], 's', { alpha: { float: 1 / 6 }, beta: { float: 0.5 } }),
        node('Mul', ['h', 's'], 'y'),
      ],
      [{ kind: 'hardSwish' }],
    ],
    [
      'hard swish with Clip',
      [
        node('Add', ['h', 'three'], 'a'),
        node('Clip', ['a', 'zero', 'six'], 'c'),
        node('Mul', ['h', 'c'], 'm'),
        node('Div', ['m', 'six'], 'y'),
      ],
      [{ kind: 'hardSwish' }],
    ],
    [
      'Mish',
      [node('Softplus', ['h'], 's'), node('Tanh', ['s'], 't'), node('Mul', ['h', 't'], 'y')],
      [{ kind: 'mish' }],
    ],
    [
      'softsign',
      [node('Abs', ['h'], 'a'), node('Add', ['a', 'one'], 'b'), node('Div', ['h', 'b'], 'y')],
      [{ kind: 'softsign' }],
    ],
    [
      'softplus',
      [node('Exp', ['h'], 'a'), node('Add', ['a', 'one'], 'b'), node('Log', ['b'], 'y')],
      [{ kind: 'softplus' }],
    ],
    ['ReLU as Max', [node('Max', ['h', 'zero'], 'y')], [{ kind: 'relu' }]],
    ['ReLU as Clip', [node('Clip', ['h', 'zero'], 'y')], [{ kind: 'relu' }]],
    ['nothing, as Clip without bounds', [node('Clip', ['h'], 'y')], []],
    [
      'two activations in a row',
      [node('Relu', ['h'], 'r'), node('Tanh', ['r'], 'y')],
      [{ kind: 'relu' }, { kind: 'tanh' }],
    ],
    [
      'SiLU, then ELU',
      [node('Sigmoid', ['h'], 's'), node('Mul', ['h', 's'], 'm'), node('Elu', ['m'], 'y')],
      [{ kind: 'silu' }, { kind: 'elu', alpha: 1 }],
    ],
    [
      'a shift and a scaling, then SiLU',
      [
        node('Add', ['h', 'half'], 'a'),
        node('Mul', ['a', 'three'], 'b'),
        node('Sigmoid', ['b'], 's'),
        node('Mul', ['b', 's'], 'y'),
      ],
      [{ kind: 'silu' }],
    ],
  ])('%s is recognised and agrees with onnxruntime', async (_, nodes, expected) => {
    const bytes = between(nodes);
    expect(activationsOf(bytes)).toEqual(expected);
    await expectAgreement(bytes, [3]);
    await expectAgreement(bytes, [3], { scale: 6 });
  });

  it('GELU with constants rounded to float16 is still GELU', () => {
    const rounded: TensorSpec = { name: 'r', dims: [], values: [Math.SQRT2], type: 'float16' };
    expect(float16Bits(Math.SQRT2)).toBe(0x3da8);
    const nodes = [
      node('Div', ['h', 'r'], 'd'),
      ...gate('d'),
      node('Mul', ['h', 'g'], 'm'),
      node('Mul', ['m', 'half'], 'y'),
    ];
    expect(activationsOf(between(nodes, 20, [rounded]))).toEqual([erf]);
  });

  it.each<[string, NodeSpec[]]>([
    ['x·σ(2x)', [node('Mul', ['h', 'two'], 'd'), node('Sigmoid', ['d'], 's'), node('Mul', ['h', 's'], 'y')]],
    ['ReLU6', [node('Clip', ['h', 'zero', 'six'], 'y')]],
    ['hard sigmoid', [node('HardSigmoid', ['h'], 'y')]],
    ['x + relu(x), a residual', [node('Relu', ['h'], 'r'), node('Add', ['h', 'r'], 'y')]],
    ['x²', [node('Mul', ['h', 'h'], 'y')]],
    ['a scaling behind an activation', [node('Tanh', ['h'], 't'), node('Mul', ['t', 'two'], 'y')]],
    ['a Clip far out', [node('Clip', ['h', 'zero', 'far'], 'y')]],
  ])('%s is refused, naming the node', (_, nodes) => {
    const bytes = between(nodes, 20, [tensor('far', [], [1e5])]);
    expect(() => importOnnx(bytes, noExternal)).toThrow(TombolaError);
    expect(() => importOnnx(bytes, noExternal)).toThrow(/Cannot import the \w+ node "node-y"/);
  });

  it('the network that a float32 runtime computes is the one that forward computes on large inputs', async () => {
    const bytes = between([node('Sigmoid', ['h'], 's'), node('Mul', ['h', 's'], 'y')]);
    const input = Float32Array.of(50, -80, 60);
    const [expected] = await runOracle(bytes, [3], [input]);
    expectClose(
      forward(importOnnx(bytes, noExternal), Float64Array.from(input)),
      expected ?? new Float64Array(),
    );
  });
});
