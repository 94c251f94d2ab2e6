/**
 * Typed access to the attributes of one ONNX node, and the messages that refuse it.
 */
import { failure, type TombolaError } from '../../errors.ts';
import type { Pair } from '../../network/network.ts';
import { type OnnxNode, quoted } from './model.ts';

/** Returns how a node is called in messages: operator and name, or its 0-based position where it has no name. */
export function nodeLabel(node: OnnxNode): string {
  const domain = node.domain === '' || node.domain === 'ai.onnx' ? '' : `${node.domain}::`;
  const where = node.name === '' ? `at position ${node.position}` : quoted(node.name);
  return `the ${quoted(domain + node.operator).slice(1, -1)} node ${where}`;
}

/** Returns the error that refuses a node: what is wrong, then what is expected instead. */
export function refusal(node: OnnxNode, why: string, expected: string): TombolaError {
  return failure(`Cannot import ${nodeLabel(node)}: ${why}, expected ${expected}`);
}

/** Returns an integer attribute. @throws TombolaError (failure) when it is no safe integer. */
export function integerAttribute(node: OnnxNode, name: string, fallback: number): number {
  const value = node.attributes.get(name)?.integer ?? fallback;
  if (!Number.isSafeInteger(value)) throw refusal(node, `${name} is ${value}`, 'a 53-bit integer');
  return value;
}

/** Returns a float attribute. @throws TombolaError (failure) when it is not finite. */
export function floatAttribute(node: OnnxNode, name: string, fallback: number): number {
  const value = node.attributes.get(name)?.float ?? fallback;
  if (!Number.isFinite(value)) throw refusal(node, `${name} is ${value}`, 'a finite number');
  return value;
}

/** Returns a text attribute. */
export function textAttribute(node: OnnxNode, name: string, fallback: string): string {
  return node.attributes.get(name)?.text ?? fallback;
}

/** Returns an attribute that lists integers, undefined where the node has none or an empty one. */
export function integersAttribute(node: OnnxNode, name: string): readonly number[] | undefined {
  const list = node.attributes.get(name)?.integers;
  if (list === undefined || list.length === 0) return undefined;
  if (!list.every(Number.isSafeInteger)) throw refusal(node, `${name} holds a number beyond 2^53`, 'sizes');
  return list;
}

/**
 * Returns an attribute [height, width].
 * @throws TombolaError (failure) when it has another length (1-D and 3-D operators) or an entry below 1.
 */
export function pairAttribute(node: OnnxNode, name: string, fallback: Pair): Pair {
  const list = integersAttribute(node, name);
  if (list === undefined) return fallback;
  const [height = 0, width = 0] = list;
  if (list.length !== 2)
    throw refusal(
      node,
      `${name} has ${list.length} entries`,
      '2: only 2-D images are supported (reshape [N, C, L] to [N, C, 1, L])',
    );
  if (height < 1 || width < 1)
    throw refusal(node, `${name} is [${list.join(', ')}]`, 'entries of at least 1');
  return [height, width];
}
