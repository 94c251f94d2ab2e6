/**
 * Windows that slide over images, and what they read of the ONNX operator reference:
 *
 *     MaxPool, AveragePool           2-D; kernel_shape, strides, pads or auto_pad, count_include_pad; ceil_mode 0, dilations 1
 *     GlobalAveragePool, GlobalMaxPool, and ReduceMean over the axes of height and width
 *     Pad                            mode constant, value 0, height and width only; it becomes padding of the next window
 *
 * pads are [top, left, bottom, right], as in network/network.ts.
 */
import { windowSizeMax } from '../../limits.ts';
import type { Padding, Pair } from '../../network/network.ts';
import { integerAttribute, integersAttribute, pairAttribute, refusal, textAttribute } from './attributes.ts';
import { type Chain, expectImage, headSignal, pushStep, type Signal, settle } from './chain.ts';
import { axesOf, axisFromFront, integersOf } from './dims.ts';
import type { OnnxNode } from './model.ts';
import type { Constant } from './tensor.ts';

/** Zero padding that a Pad node put around an image before the operator that reads it. */
export type ImagePadding = Padding;

/** No padding. */
export const noPadding: Padding = [0, 0, 0, 0];

interface Window {
  readonly kernel: Pair;
  readonly strides: Pair;
  readonly dilations: Pair;
}

/**
 * Returns a node's own padding, with auto_pad resolved for an image of size [height, width] inside the padding `outer`.
 * SAME: ⌈size/stride⌉ positions; the odd row or column goes to the end (UPPER) or the start (LOWER).
 */
export function paddingOf(node: OnnxNode, window: Window, image: Pair, outer: Padding): Padding {
  checkWindow(node, window);
  const mode = textAttribute(node, 'auto_pad', 'NOTSET');
  if (mode === 'VALID') return noPadding;
  if (mode === 'SAME_UPPER' || mode === 'SAME_LOWER') {
    const along = (axis: 0 | 1): readonly [number, number] => {
      const size = image[axis] + outer[axis] + outer[axis === 0 ? 2 : 3];
      const span = (window.kernel[axis] - 1) * window.dilations[axis] + 1;
      const total = Math.max(
        0,
        (Math.ceil(size / window.strides[axis]) - 1) * window.strides[axis] + span - size,
      );
      const less = Math.floor(total / 2);
      return mode === 'SAME_UPPER' ? [less, total - less] : [total - less, less];
    };
    const [[top, bottom], [left, right]] = [along(0), along(1)];
    return [top, left, bottom, right];
  }
  if (mode !== 'NOTSET' && mode !== '')
    throw refusal(node, 'its auto_pad is unknown', 'NOTSET, VALID, SAME_UPPER or SAME_LOWER');
  return asPadding(node, integersAttribute(node, 'pads') ?? noPadding);
}

/** Returns the sum of two paddings. */
export function addPadding(inner: Padding, outer: Padding): Padding {
  return [inner[0] + outer[0], inner[1] + outer[1], inner[2] + outer[2], inner[3] + outer[3]];
}

function asPadding(node: OnnxNode, pads: readonly number[]): Padding {
  const [top = 0, left = 0, bottom = 0, right = 0] = pads;
  if (pads.length !== 4 || pads.some((size) => !(size >= 0 && size <= windowSizeMax)))
    throw refusal(node, `pads are [${pads.slice(0, 16).join(', ')}]`, `4 entries from 0 to ${windowSizeMax}`);
  return [top, left, bottom, right];
}

function checkWindow(node: OnnxNode, window: Window): void {
  const sizes = [...window.kernel, ...window.strides, ...window.dilations];
  if (sizes.some((size) => size > windowSizeMax))
    throw refusal(node, `a window of sizes [${sizes.join(', ')}]`, `at most ${windowSizeMax} each`);
}

/** Returns the padding that a Pad node puts around an image. @throws TombolaError (failure) for anything but zeros around. */
export function padOf(
  node: OnnxNode,
  signal: Signal,
  [pads, fill, axes]: readonly (Constant | undefined)[],
): ImagePadding {
  const mode = textAttribute(node, 'mode', 'constant');
  const value = fill?.values[0] ?? node.attributes.get('value')?.float ?? 0;
  if (mode !== 'constant' || value !== 0 || axes !== undefined)
    throw refusal(node, `it pads in mode ${mode} with ${value}`, 'zeros around height and width');
  const list = pads === undefined ? integersAttribute(node, 'pads') : integersOf(node, pads, 'pads');
  if (list?.every((size) => size === 0)) return noPadding;
  if (list?.length !== 8 || signal.dims.length !== 3 || [0, 1, 4, 5].some((axis) => list[axis] !== 0))
    throw refusal(
      node,
      `its pads are [${list?.join(', ') ?? ''}]`,
      'zeros around height and width of an image',
    );
  return asPadding(
    node,
    [list[2], list[3], list[6], list[7]].map((size) => size ?? 0),
  );
}

/** Appends the step of a pooling node. Padding before an average counts as zeros in it; before a maximum it is refused. */
export function applyPool(
  chain: Chain,
  node: OnnxNode,
  { signal, outer }: { readonly signal: Signal; readonly outer: ImagePadding },
): Signal {
  const isAverage = node.operator === 'AveragePool';
  if (integerAttribute(node, 'ceil_mode', 0) !== 0)
    throw refusal(node, 'ceil_mode is 1', 'ceil_mode = 0 (pad the input instead)');
  const dilations = pairAttribute(node, 'dilations', [1, 1]);
  if (dilations[0] !== 1 || dilations[1] !== 1)
    throw refusal(node, `dilations are [${dilations.join(', ')}]`, 'dilations of 1');
  if (!node.attributes.has('kernel_shape')) throw refusal(node, 'it has no kernel_shape', 'a kernel shape');
  const settled = settle(chain, signal, node);
  const image = expectImage(chain, settled, node);
  const window = {
    kernel: pairAttribute(node, 'kernel_shape', [1, 1]),
    strides: pairAttribute(node, 'strides', [1, 1]),
  };
  const own = paddingOf(node, { ...window, dilations }, [image[1], image[2]], outer);
  const padding = addPadding(own, outer);
  const ownIsZero = own.every((size) => size === 0);
  const outerIsZero = outer.every((size) => size === 0);
  const [rows, columns] = window.kernel;
  if (padding.some((size, side) => size >= (side % 2 === 0 ? rows : columns)))
    throw refusal(
      node,
      `pads [${padding.join(', ')}] around a window of ${rows}×${columns}`,
      'pads smaller than the window',
    );
  const countsOwn = integerAttribute(node, 'count_include_pad', 0) !== 0;
  if (!outerIsZero && !(isAverage && (ownIsZero || countsOwn)))
    throw refusal(node, 'a Pad node with zeros lies before it', 'the padding in the pooling operator itself');
  const countPadding = !outerIsZero || (!ownIsZero && countsOwn);
  pushStep(
    chain,
    isAverage
      ? { kind: 'averagePool', ...window, padding, countPadding }
      : { kind: 'maxPool', ...window, padding },
    node,
  );
  return headSignal(chain, chain.shape);
}

/** Appends the step of GlobalAveragePool or GlobalMaxPool. */
export function applyGlobalPool(chain: Chain, node: OnnxNode, signal: Signal): Signal {
  const [, height, width] = expectImage(chain, settle(chain, signal, node), node);
  const whole = { kernel: [height, width], strides: [1, 1], padding: noPadding } as const;
  pushStep(
    chain,
    node.operator === 'GlobalMaxPool' ? { kind: 'maxPool', ...whole } : { kind: 'globalAveragePool' },
    node,
  );
  return headSignal(chain, chain.shape);
}

/** Appends the step of a ReduceMean over height and width, which is a global average pool. */
export function applyReduceMean(
  chain: Chain,
  node: OnnxNode,
  signal: Signal,
  axes: Constant | undefined,
): Signal {
  const rank = signal.dims.length + 1;
  const reduced = axesOf(node, axes)
    ?.map((axis) => axisFromFront(node, axis, rank))
    .sort();
  if (rank !== 4 || reduced?.join() !== '2,3')
    throw refusal(
      node,
      `it averages over axes [${reduced?.join(', ') ?? 'all'}]`,
      'height and width of an image, axes [2, 3]',
    );
  const pooled = applyGlobalPool(chain, node, signal);
  return integerAttribute(node, 'keepdims', 1) === 1 ? pooled : headSignal(chain, pooled.dims.slice(0, 1));
}
