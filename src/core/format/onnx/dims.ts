/**
 * What the reshaping operators of ONNX do to a shape. All shapes here are ONNX's own, batch dimension included.
 * None of these operators moves an element in row-major order, so they change nothing but the shape.
 */
import { onnxRankMax } from '../../limits.ts';
import { integerAttribute, integersAttribute, refusal } from './attributes.ts';
import type { OnnxNode } from './model.ts';
import type { Constant } from './tensor.ts';

/** Operators that {@link reshapedDims} knows. */
export const reshapingOperators: ReadonlySet<string> = new Set([
  'Flatten',
  'Reshape',
  'Squeeze',
  'Unsqueeze',
  'Identity',
  'Dropout',
]);

/**
 * Returns the shape behind a reshaping node.
 * @param parameter its second input (the target shape or the axes), where it has one.
 * @throws TombolaError (failure) when the node does not fit the shape.
 */
export function reshapedDims(
  node: OnnxNode,
  dims: readonly number[],
  parameter: Constant | undefined,
): readonly number[] {
  switch (node.operator) {
    case 'Flatten':
      return flattened(node, dims);
    case 'Reshape':
      return reshaped(node, dims, parameter);
    case 'Squeeze':
      return squeezed(node, dims, parameter);
    case 'Unsqueeze':
      return unsqueezed(node, dims, parameter);
    default:
      return dims;
  }
}

/** Returns the axes of a node, from its second input or its attribute, as given (possibly negative). */
export function axesOf(node: OnnxNode, parameter: Constant | undefined): readonly number[] | undefined {
  if (parameter === undefined) return integersAttribute(node, 'axes');
  return integersOf(node, parameter, 'axes');
}

/** Returns a short constant as a list of integers. @throws TombolaError (failure) when it is none. */
export function integersOf(node: OnnxNode, constant: Constant, what: string): readonly number[] {
  const list = constant.values.length <= 2 * onnxRankMax ? Array.from(constant.values) : [];
  if (list.length !== constant.values.length || !list.every(Number.isSafeInteger))
    throw refusal(node, `its ${what} are not a short list of integers`, `constant ${what}`);
  return list;
}

/** Returns `axis` counted from the front. @throws TombolaError (failure) when it is outside [-rank, rank). */
export function axisFromFront(node: OnnxNode, axis: number, rank: number): number {
  if (!(axis >= -rank && axis < rank))
    throw refusal(node, `axis ${axis} of a tensor with ${rank} dimensions`, 'an axis it has');
  return axis < 0 ? axis + rank : axis;
}

function flattened(node: OnnxNode, dims: readonly number[]): number[] {
  const axis = integerAttribute(node, 'axis', 1);
  const front = axis === dims.length ? axis : axisFromFront(node, axis, dims.length);
  return [product(dims.slice(0, front)), product(dims.slice(front))];
}

function reshaped(node: OnnxNode, dims: readonly number[], parameter: Constant | undefined): number[] {
  const wanted =
    parameter === undefined ? integersAttribute(node, 'shape') : integersOf(node, parameter, 'shape');
  if (wanted === undefined) throw refusal(node, 'it has no shape', 'a constant shape');
  const copiesZero = integerAttribute(node, 'allowzero', 0) === 0;
  const sizes = wanted.map((size, axis) => (size === 0 && copiesZero ? (dims[axis] ?? 0) : size));
  const known = product(sizes.filter((size) => size !== -1));
  const free = sizes.filter((size) => size === -1).length;
  const filled = sizes.map((size) => (size === -1 ? product(dims) / known : size));
  const fits = free <= 1 && filled.every((size) => Number.isSafeInteger(size) && size >= 0);
  if (!fits || product(filled) !== product(dims))
    throw refusal(
      node,
      `it turns shape [${dims.join(', ')}] into [${wanted.join(', ')}]`,
      'a shape of as many elements',
    );
  return filled;
}

function squeezed(node: OnnxNode, dims: readonly number[], parameter: Constant | undefined): number[] {
  const axes = axesOf(node, parameter)?.map((axis) => axisFromFront(node, axis, dims.length));
  if (axes?.some((axis) => dims[axis] !== 1))
    throw refusal(node, `axes [${axes.join(', ')}] of shape [${dims.join(', ')}]`, 'axes of size 1');
  return dims.filter((size, axis) => (axes === undefined ? size !== 1 || axis === 0 : !axes.includes(axis)));
}

function unsqueezed(node: OnnxNode, dims: readonly number[], parameter: Constant | undefined): number[] {
  const axes = axesOf(node, parameter) ?? [];
  const rank = dims.length + axes.length;
  if (rank > onnxRankMax)
    throw refusal(node, `it makes a tensor of ${rank} dimensions`, `at most ${onnxRankMax}`);
  const fresh = new Set(axes.map((axis) => axisFromFront(node, axis, rank)));
  if (fresh.size !== axes.length) throw refusal(node, `axes [${axes.join(', ')}]`, 'distinct axes');
  const rest = [...dims];
  return Array.from({ length: rank }, (_, axis) => (fresh.has(axis) ? 1 : (rest.shift() ?? 1)));
}

function product(sizes: readonly number[]): number {
  return sizes.reduce((result, size) => result * size, 1);
}
