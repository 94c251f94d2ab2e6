/**
 * A data set: numbered items of one shape with optional labels, from IDX, .npy or .npz files.
 *
 * Items lie along the first axis, channels first ([n, features], [n, height, width] or [n, channels, height, width]).
 * In an .npz the images are the first of x, images, x_test, x_train that is there, the labels the first of y, labels,
 * y_test, y_train; labels that stand in a file of their own win.
 */
import { failure, misuse } from '../errors.ts';
import { classCountMax } from '../limits.ts';
import { isIdx, readIdx } from './idx.ts';
import { isGzip } from './inflate.ts';
import { isNpy, readNpy } from './npy.ts';
import { readNpz } from './npz.ts';
import { type Tensor, toFloat64Array, toInt32Array } from './tensor.ts';
import { isZip } from './zip.ts';

/** The files of a data set. */
export interface DataSetFiles {
  /** For messages. */
  readonly imagesName: string;
  readonly images: Uint8Array;
  readonly labelsName?: string;
  readonly labels?: Uint8Array;
  /** Labels must be below it; default classCountMax. */
  readonly classCount?: number;
}

/** Items and labels, checked: every value is finite, every label in range. */
export interface DataSet {
  readonly count: number;
  /** Shape of one item. */
  readonly shape: readonly number[];
  /** Raw numbers as in the file, shape [count, ...shape]. */
  readonly values: Uint8Array | Float32Array | Float64Array;
  /** Shape [count], from 0, or null where there are none. */
  readonly labels: Int32Array | null;
}

/** How raw numbers become inputs: ((raw / scale) − mean) / std; mean and std one number, or one per channel. */
export interface InputScaling {
  readonly scale: number;
  readonly mean: number | readonly number[];
  readonly std: number | readonly number[];
}

/**
 * Returns a data set.
 * @throws TombolaError (failure) when a file is damaged, a value is not finite, or labels and items do not fit.
 */
export function readDataSet(files: DataSetFiles): DataSet {
  const { imagesName } = files;
  const { images, labels } = readTensors(files);
  const [count, ...shape] = images.shape;
  if (count === undefined || count === 0 || images.data.length === 0)
    throw failure(
      `Cannot use data set ${imagesName}: shape [${images.shape.join(', ')}], expected at least one item`,
    );
  const values = rawValues(images);
  const bad = values.findIndex((value: number) => !Number.isFinite(value));
  if (bad >= 0)
    throw failure(
      `Cannot use data set ${imagesName}: item ${Math.floor(bad / (values.length / count))} holds ${values[bad]}, expected finite numbers`,
    );
  return { count, shape, values, labels: labels === undefined ? null : checkLabels(labels, count, files) };
}

/**
 * Returns input `index` of a data set as the network reads it, owned by the caller: ((raw / scale) − mean) / std.
 * @throws TombolaError (misuse) when the scaling does not fit, or there is no such item.
 */
export function toInput(dataSet: DataSet, scaling: InputScaling, index: number): Float64Array {
  const { count, shape, values } = dataSet;
  if (!Number.isInteger(index) || index < 0 || index >= count)
    throw misuse(`Cannot use item ${index}: the data set has ${count}, expected 0 to ${count - 1}`);
  if (!Number.isFinite(scaling.scale) || scaling.scale === 0)
    throw misuse(`Cannot scale the data set by ${scaling.scale}: expected a finite number other than 0`);
  const channels = shape.length === 3 ? (shape[0] ?? 1) : 1;
  const means = perChannel(scaling.mean, channels, 'mean');
  const deviations = perChannel(scaling.std, channels, 'std');
  if (deviations.includes(0))
    throw misuse('Cannot scale the data set: a std of 0, expected numbers other than 0');
  const size = values.length / count;
  const channelSize = size / channels;
  return Float64Array.from({ length: size }, (_, i) => {
    const channel = Math.floor(i / channelSize);
    return (
      ((values[index * size + i] ?? 0) / scaling.scale - (means[channel] ?? 0)) / (deviations[channel] ?? 1)
    );
  });
}

function perChannel(value: number | readonly number[], channels: number, what: string): readonly number[] {
  const list = typeof value === 'number' ? Array.from({ length: channels }, () => value) : value;
  if (list.length !== channels)
    throw misuse(
      `Cannot scale the data set: ${list.length} numbers for ${what}, expected 1${channels === 1 ? '' : ` or ${channels}, one per channel`}`,
    );
  if (!list.every(Number.isFinite))
    throw misuse(`Cannot scale the data set: ${what} ${list.join()}, expected finite numbers`);
  return list;
}

function readTensors(files: DataSetFiles): { images: Tensor; labels: Tensor | undefined } {
  const { imagesName, labelsName = 'the labels' } = files;
  const own = files.labels === undefined ? undefined : readNamed(files.labels, labelsName, labelNames);
  if (!isZip(files.images)) return { images: readNamed(files.images, imagesName, imageNames), labels: own };
  const arrays = readNpz(files.images, (name) => imageNames.includes(name) || labelNames.includes(name));
  return {
    images: pick(arrays, imageNames, imagesName),
    labels:
      own ?? (labelNames.some((name) => arrays.has(name)) ? pick(arrays, labelNames, imagesName) : undefined),
  };
}

const imageNames: readonly string[] = ['x', 'images', 'x_test', 'x_train'];
const labelNames: readonly string[] = ['y', 'labels', 'y_test', 'y_train'];

function readNamed(bytes: Uint8Array, fileName: string, names: readonly string[]): Tensor {
  if (isZip(bytes))
    return pick(
      readNpz(bytes, (name) => names.includes(name)),
      names,
      fileName,
    );
  if (isNpy(bytes)) return readNpy(bytes, fileName);
  if (isGzip(bytes) || isIdx(bytes)) return readIdx(bytes, fileName);
  throw failure(
    `Cannot read data file ${fileName}: unknown format, expected IDX (plain or .gz), .npy or .npz`,
  );
}

function pick(arrays: ReadonlyMap<string, Tensor>, names: readonly string[], fileName: string): Tensor {
  for (const name of names) {
    const array = arrays.get(name);
    if (array !== undefined) return array;
  }
  throw failure(
    `Cannot read data file ${fileName}: none of its arrays has a known name, expected one of ${names.join(', ')}`,
  );
}

/** Bytes stay a view; 16- and 32-bit floats fit float32 exactly; the rest becomes float64. */
function rawValues(tensor: Tensor): DataSet['values'] {
  if (tensor.dtype === 'U8') return tensor.data;
  const values = toFloat64Array(tensor);
  const isNarrow = tensor.dtype === 'F32' || tensor.dtype === 'F16' || tensor.dtype === 'BF16';
  return isNarrow ? Float32Array.from(values) : values;
}

function checkLabels(tensor: Tensor, count: number, files: DataSetFiles): Int32Array {
  const what = `the labels of data set ${files.imagesName}`;
  const classCount = files.classCount ?? classCountMax;
  const [length, ...rest] = tensor.shape;
  if (length !== count || rest.some((size) => size !== 1))
    throw failure(
      `Cannot use ${what}: shape [${tensor.shape.join(', ')}], expected [${count}], one label per item`,
    );
  const labels = toInt32Array(tensor, what);
  const bad = labels.findIndex((label) => label < 0 || label >= classCount);
  if (bad >= 0)
    throw failure(`Cannot use ${what}: label ${bad} is ${labels[bad]}, expected 0 to ${classCount - 1}`);
  return labels;
}
