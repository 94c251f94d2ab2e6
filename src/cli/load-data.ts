/**
 * Reads images and labels from disk and makes inputs of them.
 */
import { failure, misuse } from '../core/errors.ts';
import { type DataSet, type InputScaling, readDataSet, toInput } from '../core/format/data-set.ts';
import type { Network } from '../core/network/network.ts';
import { elementCount, networkShapes, type Shape } from '../core/network/shapes.ts';
import { readInputFile } from './read-input-file.ts';
import type { DataOptions, ScalingOptions } from './search-options.ts';

/** Inputs of a network, ready for a forward pass. */
export interface LoadedData {
  /** Shape [count, ...inputShape]. */
  readonly inputs: Float32Array;
  readonly count: number;
  /** Shape [count]. */
  readonly labels: Int32Array | null;
}

/**
 * Returns the inputs and labels that the options name.
 * @throws TombolaError when a file cannot be used, or its images do not fit the network.
 */
export function loadData(options: DataOptions, scaling: ScalingOptions, network: Network): LoadedData {
  const dataSet = readDataSet({
    imagesName: options.images,
    images: readInputFile(options.images, 'images'),
    classCount: elementCount(networkShapes(network).output),
    ...(options.labels === null
      ? {}
      : { labelsName: options.labels, labels: readInputFile(options.labels, 'labels') }),
  });
  checkShape(dataSet, network, options.images);
  const count = Math.min(dataSet.count - options.skip, options.limit ?? Number.POSITIVE_INFINITY);
  if (count < 1)
    throw misuse(
      `Cannot skip ${options.skip} images: ${options.images} holds ${dataSet.count}, expected a smaller --skip`,
    );
  const size = elementCount(network.inputShape);
  const inputs = new Float32Array(count * size);
  const inputScaling = scalingOf(scaling, dataSet);
  for (let index = 0; index < count; index++)
    inputs.set(toInput(dataSet, inputScaling, options.skip + index), index * size);
  return { inputs, count, labels: dataSet.labels?.slice(options.skip, options.skip + count) ?? null };
}

function scalingOf({ scale, mean, std }: ScalingOptions, { values }: DataSet): InputScaling {
  const single = (list: readonly number[]): number | readonly number[] =>
    list.length === 1 ? (list[0] ?? 0) : list;
  return { scale: scale ?? (values instanceof Uint8Array ? 255 : 1), mean: single(mean), std: single(std) };
}

/** Sizes of 1 do not count, and one of the two may be flat: [28, 28] fits [1, 28, 28] and [784]. */
function checkShape(dataSet: DataSet, network: Network, name: string): void {
  const withoutOnes = (shape: Shape): string => shape.filter((size) => size !== 1).join();
  const isFlat = dataSet.shape.length === 1 || network.inputShape.length === 1;
  const fits = isFlat
    ? elementCount(dataSet.shape) === elementCount(network.inputShape)
    : withoutOnes(dataSet.shape) === withoutOnes(network.inputShape);
  if (!fits)
    throw failure(
      `Cannot use images ${name}: each has shape [${dataSet.shape.join(', ')}], expected the network's input [${network.inputShape.join(', ')}]`,
    );
}
