/**
 * The nodes of a ticket's ONNX graph (operators of ONNX's own domain; attribute and field numbers as in onnx.proto3).
 */
import { joined } from '../format/joined.ts';
import { floatField, integerField, messageField, textField } from '../format/onnx/protobuf-writer.ts';
import type { Activation } from '../network/activation.ts';
import type { PoolWindow, Step } from '../network/network.ts';
import type { ExportLayer } from './export-layers.ts';

/** A chain of nodes, each reading what the one before it gives. */
export class OnnxChain {
  readonly nodes: Uint8Array[] = [];
  /** The first operator set that has all operators used: GELU and Mish came late. */
  opset = 17;
  /** The tensor that the next node reads. */
  tensor: string;

  /** @param tensor the graph's input. */
  constructor(tensor: string) {
    this.tensor = tensor;
  }

  /** Adds a layer whose weights and bias are initializers of these names. */
  linear(layer: ExportLayer, [weight, bias]: readonly [string, string]): void {
    if (layer.kind === 'dense') this.add('Gemm', [weight, bias], [integer('transB', 1)]);
    else
      this.add(
        'Conv',
        [weight, bias],
        [
          integers('kernel_shape', layer.kernel),
          integers('strides', layer.strides),
          integers('dilations', layer.dilations),
          integers('pads', layer.padding),
        ],
      );
  }

  /** Adds a step without parameters. */
  step(step: Step): void {
    switch (step.kind) {
      case 'activation':
        this.activation(step.activation);
        return;
      case 'flatten':
        this.add('Flatten', [], [integer('axis', 1)]);
        return;
      case 'globalAveragePool':
        this.add('GlobalAveragePool');
        return;
      case 'maxPool':
        this.add('MaxPool', [], windowOf(step));
        return;
      case 'averagePool':
        this.add(
          'AveragePool',
          [],
          [...windowOf(step), integer('count_include_pad', step.countPadding ? 1 : 0)],
        );
    }
  }

  /** Adds the choice of columns that an int64 initializer names. */
  gather(columns: string): void {
    this.add('Gather', [columns], [integer('axis', 1)]);
  }

  /** Gives the last tensor its name. */
  end(name: string): void {
    this.add('Identity', [], [], name);
  }

  private activation(activation: Activation): void {
    if (activation.kind === 'identity') return;
    const input = this.tensor;
    const { operator, attributes = [], opset = this.opset } = activationNode(activation);
    this.opset = Math.max(this.opset, opset);
    this.add(operator, [], attributes);
    if (activation.kind === 'silu') this.add('Mul', [input]);
  }

  private add(
    operator: string,
    more: readonly string[] = [],
    attributes: readonly Uint8Array[] = [],
    output = `t${this.nodes.length + 1}`,
  ): void {
    const name = `${operator}_${this.nodes.length + 1}`;
    this.nodes.push(
      joined([
        ...[this.tensor, ...more].map((input) => textField(1, input)),
        textField(2, output),
        textField(3, name),
        textField(4, operator),
        ...attributes.map((attribute) => messageField(5, attribute)),
      ]),
    );
    this.tensor = output;
  }
}

interface ActivationNode {
  readonly operator: string;
  readonly attributes?: readonly Uint8Array[];
  /** The first operator set that has the operator, where it is not an old one. */
  readonly opset?: number;
}

/** SiLU, z·sigmoid(z), is a sigmoid here and takes a product behind it. */
function activationNode(activation: Exclude<Activation, { kind: 'identity' }>): ActivationNode {
  switch (activation.kind) {
    case 'relu':
      return { operator: 'Relu' };
    case 'leakyRelu':
      return { operator: 'LeakyRelu', attributes: [float('alpha', activation.slope)] };
    case 'elu':
      return { operator: 'Elu', attributes: [float('alpha', activation.alpha)] };
    case 'selu':
      return {
        operator: 'Selu',
        attributes: [float('alpha', activation.alpha), float('gamma', activation.gamma)],
      };
    case 'tanh':
      return { operator: 'Tanh' };
    case 'sigmoid':
    case 'silu':
      return { operator: 'Sigmoid' };
    case 'softplus':
      return { operator: 'Softplus' };
    case 'softsign':
      return { operator: 'Softsign' };
    case 'gelu': {
      const form = activation.form === 'erf' ? 'none' : 'tanh';
      return { operator: 'Gelu', attributes: [text('approximate', form)], opset: 20 };
    }
    case 'hardSwish':
      return { operator: 'HardSwish' };
    case 'mish':
      return { operator: 'Mish', opset: 18 };
  }
}

function windowOf({ kernel, strides, padding }: PoolWindow): Uint8Array[] {
  return [integers('kernel_shape', kernel), integers('strides', strides), integers('pads', padding)];
}

function float(name: string, value: number): Uint8Array {
  return joined([textField(1, name), floatField(2, value), integerField(20, 1)]);
}

function integer(name: string, value: number): Uint8Array {
  return joined([textField(1, name), integerField(3, value), integerField(20, 2)]);
}

function text(name: string, value: string): Uint8Array {
  return joined([textField(1, name), textField(4, value), integerField(20, 3)]);
}

function integers(name: string, values: readonly number[]): Uint8Array {
  return joined([textField(1, name), ...values.map((value) => integerField(8, value)), integerField(20, 7)]);
}
