/**
 * Constant folding: the value of an ONNX node all of whose inputs are constants.
 *
 * Only what exporters put around weights and shapes: casts, transposes, reshapes, and the arithmetic on sizes that PyTorch's
 * `x.view(x.size(0), -1)` leaves behind (Shape, Gather, Slice, Concat, ReduceProd, Add, Sub, Mul, Div).
 */
import { onnxRankMax } from '../../limits.ts';
import { floatAttribute, integerAttribute, integersAttribute, refusal } from './attributes.ts';
import { axesOf, axisFromFront, integersOf, reshapedDims, reshapingOperators } from './dims.ts';
import type { OnnxNode } from './model.ts';
import { type Constant, type ElementBudget, isFloatType, spendElements } from './tensor.ts';

/**
 * Returns the value of a node over constants; inputs left out are undefined.
 * @throws TombolaError (failure) for an operator that is not folded, or inputs that do not fit it.
 */
export function foldConstant(
  node: OnnxNode,
  inputs: readonly (Constant | undefined)[],
  budget: ElementBudget,
): Constant {
  const [first, second] = inputs;
  if (node.operator === 'Concat') return concatenated(node, inputs);
  if (first === undefined) throw refusal(node, 'it has no input', 'an input');
  if (reshapingOperators.has(node.operator))
    return { ...first, shape: reshapedDims(node, first.shape, second) };
  switch (node.operator) {
    case 'Cast':
      return cast(node, first, budget);
    case 'Shape':
      return integerList(first.name, shapeSlice(node, first.shape));
    case 'Transpose':
      return transposed(node, first, budget);
    case 'Gather':
      return gathered(node, first, second, budget);
    case 'Slice':
      return sliced(node, first, inputs);
    case 'ReduceProd':
      return productOfAll(node, first, second);
    case 'Neg':
      return mapped(first, (value) => -value, budget);
    case 'Sqrt':
      return mapped(first, Math.sqrt, budget);
    default:
      return arithmetic(node, first, second, budget);
  }
}

/** Returns the value of a Constant node that states numbers; its tensor form is decoded elsewhere. */
export function constantFromAttributes(node: OnnxNode): Constant {
  const name = node.outputs[0] ?? '';
  if (node.attributes.has('value_float'))
    return {
      name,
      type: 'float',
      shape: [],
      values: Float64Array.of(floatAttribute(node, 'value_float', 0)),
    };
  if (node.attributes.has('value_int'))
    return {
      name,
      type: 'integer',
      shape: [],
      values: Float64Array.of(integerAttribute(node, 'value_int', 0)),
    };
  if (node.attributes.has('value_ints'))
    return integerList(name, integersAttribute(node, 'value_ints') ?? []);
  const floats = node.attributes.get('value_floats')?.floats;
  if (floats === undefined)
    throw refusal(node, 'its value is of an unsupported kind', 'a dense tensor or numbers');
  const values = floats.flatMap((chunk) => {
    const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.length);
    return Array.from({ length: chunk.length / 4 }, (_, index) => view.getFloat32(4 * index, true));
  });
  return { name, type: 'float', shape: [values.length], values: Float64Array.from(values) };
}

/** Returns a shape as Shape gives it: from attribute `start` to before `end`. */
export function shapeSlice(node: OnnxNode, shape: readonly number[]): readonly number[] {
  return shape.slice(integerAttribute(node, 'start', 0), integerAttribute(node, 'end', shape.length));
}

/** Returns a 1-D constant of integers. */
export function integerList(name: string, list: readonly number[]): Constant {
  return { name, type: 'integer', shape: [list.length], values: Float64Array.from(list) };
}

/** Returns row-major strides of a shape. */
function stridesOf(shape: readonly number[]): number[] {
  const strides = shape.map(() => 1);
  for (let axis = shape.length - 2; axis >= 0; axis--)
    strides[axis] = (strides[axis + 1] ?? 1) * (shape[axis + 1] ?? 1);
  return strides;
}

function cast(node: OnnxNode, constant: Constant, budget: ElementBudget): Constant {
  if (isFloatType(integerAttribute(node, 'to', 1))) return { ...constant, type: 'float' };
  return { ...mapped(constant, Math.trunc, budget), type: 'integer' };
}

/** Returns the permutation of a Transpose node. @throws TombolaError (failure) when it is none of that rank. */
export function permutationOf(node: OnnxNode, rank: number): readonly number[] {
  const given = integersAttribute(node, 'perm');
  const permutation = given ?? Array.from({ length: rank }, (_, axis) => rank - 1 - axis);
  const isPermutation = permutation.length === rank && new Set(permutation).size === rank;
  if (!isPermutation || !permutation.every((axis) => axis >= 0 && axis < rank))
    throw refusal(node, `perm is [${permutation.slice(0, 10).join(', ')}]`, `a permutation of ${rank} axes`);
  return permutation;
}

function transposed(node: OnnxNode, constant: Constant, budget: ElementBudget): Constant {
  const permutation = permutationOf(node, constant.shape.length);
  const shape = permutation.map((axis) => constant.shape[axis] ?? 1);
  const strides = stridesOf(constant.shape);
  const steps = permutation.map((axis) => strides[axis] ?? 1);
  return { ...constant, shape, values: strided(constant.values, shape, steps, budget) };
}

/** Reads an array in the order of `shape`, moving `steps[axis]` elements per index of an axis; a step of 0 repeats. */
function strided(
  values: Float64Array,
  shape: readonly number[],
  steps: readonly number[],
  budget: ElementBudget,
): Float64Array {
  const count = shape.reduce((product, size) => product * size, 1);
  spendElements(budget, count);
  const result = new Float64Array(count);
  const index = shape.map(() => 0);
  let from = 0;
  for (let to = 0; to < count; to++) {
    result[to] = values[from] ?? 0;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const next = (index[axis] ?? 0) + 1;
      from += steps[axis] ?? 0;
      index[axis] = next;
      if (next < (shape[axis] ?? 0)) break;
      from -= next * (steps[axis] ?? 0);
      index[axis] = 0;
    }
  }
  return result;
}

/** Joins lists of sizes. They are short, so that repeated doubling cannot make a small file a large tensor. */
function concatenated(node: OnnxNode, inputs: readonly (Constant | undefined)[]): Constant {
  const parts = inputs.filter((part) => part !== undefined);
  const [first] = parts;
  const count = parts.reduce((sum, part) => sum + part.values.length, 0);
  if (first === undefined || count > 2 * onnxRankMax || parts.some((part) => part.shape.length !== 1))
    throw refusal(node, `it joins constants of ${count} elements`, 'short lists of sizes');
  const values = Float64Array.from(parts.flatMap((part) => Array.from(part.values)));
  return { name: first.name, type: first.type, shape: [count], values };
}

function gathered(
  node: OnnxNode,
  data: Constant,
  indices: Constant | undefined,
  budget: ElementBudget,
): Constant {
  const axis = integerAttribute(node, 'axis', 0);
  if (indices === undefined || data.shape.length !== 1 || axis > 0 || indices.shape.length > 1)
    throw refusal(node, 'it gathers from a tensor of several dimensions', 'a list of sizes');
  spendElements(budget, indices.values.length);
  const values = indices.values.map((index) => {
    const value = data.values[index < 0 ? index + data.values.length : index];
    if (value === undefined)
      throw refusal(node, `index ${index} of ${data.values.length} entries`, 'an index inside');
    return value;
  });
  return { name: data.name, type: data.type, shape: indices.shape, values };
}

function sliced(node: OnnxNode, data: Constant, inputs: readonly (Constant | undefined)[]): Constant {
  const [, starts, ends, , steps] = inputs;
  const from = starts === undefined ? integersAttribute(node, 'starts') : integersOf(node, starts, 'starts');
  const to = ends === undefined ? integersAttribute(node, 'ends') : Array.from(ends.values);
  const step = steps?.values[0] ?? 1;
  if (data.shape.length !== 1 || from?.length !== 1 || to?.length !== 1 || step !== 1)
    throw refusal(node, 'it slices a tensor of several dimensions or in steps', 'a range of a list of sizes');
  const values = data.values.slice(from[0], to[0]);
  return { ...data, shape: [values.length], values };
}

function productOfAll(node: OnnxNode, data: Constant, parameter: Constant | undefined): Constant {
  const axes = axesOf(node, parameter)?.map((axis) => axisFromFront(node, axis, data.shape.length));
  if (data.shape.length !== 1 || (axes !== undefined && axes.length !== 1))
    throw refusal(node, 'it multiplies along an axis of a larger tensor', 'a list of sizes');
  const shape = integerAttribute(node, 'keepdims', 1) === 1 ? [1] : [];
  return {
    ...data,
    shape,
    values: Float64Array.of(data.values.reduce((result, value) => result * value, 1)),
  };
}

function mapped(constant: Constant, change: (value: number) => number, budget: ElementBudget): Constant {
  spendElements(budget, constant.values.length);
  return { ...constant, values: constant.values.map((value) => change(value)) };
}

function arithmetic(
  node: OnnxNode,
  left: Constant,
  right: Constant | undefined,
  budget: ElementBudget,
): Constant {
  const operation = binaryOperation(node.operator, left.type);
  if (operation === undefined || right === undefined)
    throw refusal(
      node,
      'it computes a constant in a way that is not supported',
      'its result as an initializer (run a constant-folding pass, such as onnxsim)',
    );
  const shape = broadcastShape(node, left.shape, right.shape);
  const count = shape.reduce((product, size) => product * size, 1);
  if (count > Math.max(left.values.length, right.values.length))
    throw refusal(
      node,
      `shapes [${left.shape.join(', ')}] and [${right.shape.join(', ')}]`,
      'one of them as large as the result',
    );
  const a = strided(left.values, shape, broadcastSteps(left.shape, shape), budget);
  const b = strided(right.values, shape, broadcastSteps(right.shape, shape), budget);
  return {
    name: left.name,
    type: left.type,
    shape,
    values: a.map((value, index) => operation(value, b[index] ?? 0)),
  };
}

function binaryOperation(
  operator: string,
  type: Constant['type'],
): ((a: number, b: number) => number) | undefined {
  switch (operator) {
    case 'Add':
      return (a, b) => a + b;
    case 'Sub':
      return (a, b) => a - b;
    case 'Mul':
      return (a, b) => a * b;
    case 'Div':
      return type === 'float' ? (a, b) => a / b : (a, b) => Math.trunc(a / b);
    case 'Pow':
      return (a, b) => a ** b;
    default:
      return undefined;
  }
}

function broadcastShape(node: OnnxNode, left: readonly number[], right: readonly number[]): number[] {
  const rank = Math.max(left.length, right.length);
  if (rank > onnxRankMax) throw refusal(node, `it has ${rank} dimensions`, `at most ${onnxRankMax}`);
  return Array.from({ length: rank }, (_, axis) => {
    const a = left[axis - rank + left.length] ?? 1;
    const b = right[axis - rank + right.length] ?? 1;
    if (a !== b && a !== 1 && b !== 1)
      throw refusal(node, `shapes [${left.join(', ')}] and [${right.join(', ')}]`, 'shapes that broadcast');
    return a === 1 ? b : a;
  });
}

function broadcastSteps(shape: readonly number[], to: readonly number[]): number[] {
  const strides = stridesOf(shape);
  return to.map((_, axis) => {
    const own = axis - to.length + shape.length;
    return own < 0 || shape[own] === 1 ? 0 : (strides[own] ?? 0);
  });
}
