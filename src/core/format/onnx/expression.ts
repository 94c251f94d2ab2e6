/**
 * Elementwise expressions over one tensor: what the ONNX nodes between two layers compute for each element.
 *
 * An exporter may write one activation as many nodes (GELU as Div, Erf, Add, Mul, Mul). They are gathered here into an
 * expression of the variable z, and patterns.ts then finds which activations it is.
 */
import { type Activation, activate, errorFunction, seluDefaults } from '../../network/activation.ts';
import { floatAttribute, refusal, textAttribute } from './attributes.ts';
import type { OnnxNode } from './model.ts';

/** A function of the variable z. `size` counts its operators, a shared part once for each use. */
export type Expression =
  | { readonly kind: 'variable'; readonly size: 0 }
  | { readonly kind: 'number'; readonly value: number; readonly size: 0 }
  | {
      readonly kind: 'apply';
      readonly size: number;
      readonly operands: readonly Expression[];
      /** Returns the value of the operator for the values of its operands. */
      readonly evaluate: (...operands: number[]) => number;
      /** The activation that the operator itself is, with its parameters. */
      readonly activation?: Activation;
    };

/** The variable z itself. */
export const variable: Expression = { kind: 'variable', size: 0 };

/** Returns an expression for a number. */
export function numberExpression(value: number): Expression {
  return { kind: 'number', value, size: 0 };
}

/** Returns whether z occurs in the expression other than inside `hidden`. */
export function dependsOnVariable(expression: Expression, hidden?: Expression): boolean {
  if (expression === hidden || expression.kind === 'number') return false;
  return (
    expression.kind === 'variable' ||
    expression.operands.some((operand) => dependsOnVariable(operand, hidden))
  );
}

/** Returns the value of the expression where its part `unknown` has the value `z`. */
export function evaluateExpression(expression: Expression, unknown: Expression, z: number): number {
  if (expression === unknown) return z;
  if (expression.kind === 'variable') return Number.NaN;
  if (expression.kind === 'number') return expression.value;
  return expression.evaluate(
    ...expression.operands.map((operand) => evaluateExpression(operand, unknown, z)),
  );
}

/**
 * Returns the expression of an elementwise node over its operands, undefined when the operator is not elementwise.
 * @throws TombolaError (failure) when the operator has parameters or operands that are not supported.
 */
export function elementwiseExpression(
  node: OnnxNode,
  operands: readonly (Expression | undefined)[],
): Expression | undefined {
  const given = operands.filter((operand) => operand !== undefined);
  const size = given.reduce((sum, operand) => sum + operand.size, 1);
  const activation = activationOf(node, operands);
  const [first] = given;
  if (activation !== undefined && first !== undefined)
    return {
      kind: 'apply',
      size,
      operands: [first],
      evaluate: (z = 0) => activate(activation, z),
      activation,
    };
  if (node.operator === 'Clip') return clip(node, operands, size);
  const evaluate = functionOf(node, given.length);
  return evaluate === undefined ? undefined : { kind: 'apply', size, operands: given, evaluate };
}

/** The activation that an operator is on its own, by the defaults of the ONNX operator reference. */
function activationOf(node: OnnxNode, operands: readonly (Expression | undefined)[]): Activation | undefined {
  switch (node.operator) {
    case 'Relu':
      return { kind: 'relu' };
    case 'LeakyRelu':
      return { kind: 'leakyRelu', slope: floatAttribute(node, 'alpha', Math.fround(0.01)) };
    case 'PRelu':
      return { kind: 'leakyRelu', slope: scalarSlope(node, operands[1]) };
    case 'Elu':
      return { kind: 'elu', alpha: nonNegative(node, 'alpha', 1) };
    case 'Celu':
      return floatAttribute(node, 'alpha', 1) === 1 ? { kind: 'elu', alpha: 1 } : undefined;
    case 'Selu':
      return {
        kind: 'selu',
        alpha: nonNegative(node, 'alpha', seluDefaults.alpha),
        gamma: nonNegative(node, 'gamma', seluDefaults.gamma),
      };
    case 'Tanh':
      return { kind: 'tanh' };
    case 'Sigmoid':
      return { kind: 'sigmoid' };
    case 'Softplus':
      return { kind: 'softplus' };
    case 'Softsign':
      return { kind: 'softsign' };
    case 'Gelu':
      return { kind: 'gelu', form: textAttribute(node, 'approximate', 'none') === 'tanh' ? 'tanh' : 'erf' };
    case 'HardSwish':
      return { kind: 'hardSwish' };
    case 'Mish':
      return { kind: 'mish' };
    case 'Swish':
      return floatAttribute(node, 'alpha', 1) === 1 ? { kind: 'silu' } : undefined;
    default:
      return undefined;
  }
}

function nonNegative(node: OnnxNode, name: string, fallback: number): number {
  const value = floatAttribute(node, name, fallback);
  if (value < 0) throw refusal(node, `${name} is ${value}`, 'a number of at least 0');
  return value;
}

function scalarSlope(node: OnnxNode, slope: Expression | undefined): number {
  if (slope?.kind !== 'number' || !Number.isFinite(slope.value))
    throw refusal(node, 'its slope is not one number', 'one slope for the whole layer (num_parameters=1)');
  return slope.value;
}

function clip(node: OnnxNode, operands: readonly (Expression | undefined)[], size: number): Expression {
  const [value, low, high] = operands;
  const least =
    low?.kind === 'number' ? low.value : (node.attributes.get('min')?.float ?? Number.NEGATIVE_INFINITY);
  const most =
    high?.kind === 'number' ? high.value : (node.attributes.get('max')?.float ?? Number.POSITIVE_INFINITY);
  const isConstant = (bound: Expression | undefined): boolean =>
    bound === undefined || bound.kind === 'number';
  if (value === undefined || !isConstant(low) || !isConstant(high))
    throw refusal(node, 'its bounds are not constants', 'a tensor and constant bounds');
  return { kind: 'apply', size, operands: [value], evaluate: (z = 0) => Math.min(Math.max(z, least), most) };
}

/** Operators with a fixed number of operands. */
const unaryFunctions: ReadonlyMap<string, (z: number) => number> = new Map([
  ['Erf', errorFunction],
  ['Exp', Math.exp],
  ['Log', Math.log],
  ['Sqrt', Math.sqrt],
  ['Abs', Math.abs],
  ['Neg', (z: number) => -z],
  ['Reciprocal', (z: number) => 1 / z],
]);

const binaryFunctions: ReadonlyMap<string, (a: number, b: number) => number> = new Map([
  ['Add', (a: number, b: number) => a + b],
  ['Sub', (a: number, b: number) => a - b],
  ['Mul', (a: number, b: number) => a * b],
  ['Div', (a: number, b: number) => a / b],
  ['Pow', (a: number, b: number) => a ** b],
  ['Max', Math.max],
  ['Min', Math.min],
]);

/** Tells whether {@link elementwiseExpression} knows an operator of two operands of equal standing. */
export function isBinaryElementwise(operator: string): boolean {
  return binaryFunctions.has(operator);
}

function functionOf(node: OnnxNode, count: number): ((...operands: number[]) => number) | undefined {
  if (node.operator === 'HardSigmoid') {
    const alpha = floatAttribute(node, 'alpha', Math.fround(0.2));
    const beta = floatAttribute(node, 'beta', 0.5);
    return (z = 0) => Math.min(1, Math.max(0, alpha * z + beta));
  }
  if (node.operator === 'Swish') {
    const alpha = floatAttribute(node, 'alpha', 1);
    return (z = 0) => z / (1 + Math.exp(-alpha * z));
  }
  const unary = unaryFunctions.get(node.operator);
  if (unary !== undefined) return (z = 0) => unary(z);
  const binary = binaryFunctions.get(node.operator);
  if (binary === undefined) return undefined;
  if (count !== 2) throw refusal(node, `it has ${count} inputs`, 'two');
  return (a = 0, b = 0) => binary(a, b);
}
