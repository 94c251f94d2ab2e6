/**
 * The steps and activations of a network in TensorFlow.js, over a batch.
 *
 * A flat tensor is [batch, features]. A spatial one is [batch, height, width, channels], the only layout the WebAssembly
 * backend convolves in; flatten goes back to channels first. Padding is made with `pad`, so that every backend agrees.
 */
import type { Tensor, Tensor4D } from '@tensorflow/tfjs-core';
import type { Activation } from '../../src/core/network/activation.ts';
import type { Padding, PoolWindow, Step } from '../../src/core/network/network.ts';
import { elementCount, type Shape, stepShape, windowPositions } from '../../src/core/network/shapes.ts';
import type { TensorFlow } from './backend.ts';

/** A batch of tensors with the channels-first shape of one of them. */
export interface Batch {
  readonly tensor: Tensor;
  /** [features] or [channels, height, width]. */
  readonly shape: Shape;
}

/** Returns inputs [size, ...shape], channels first, as a batch. */
export function inputBatch(tf: TensorFlow, values: Float32Array, shape: Shape, size: number): Batch {
  if (shape.length !== 3) return { tensor: tf.tensor(values, [size, ...shape], 'float32'), shape };
  const tensor = tf.tidy(() => tf.transpose(tf.tensor(values, [size, ...shape], 'float32'), [0, 2, 3, 1]));
  return { tensor, shape };
}

/** Returns the batch behind the steps and disposes of the given one (and of all between). */
export function applyTensorSteps(tf: TensorFlow, batch: Batch, steps: readonly Step[]): Batch {
  let current = batch;
  for (const step of steps) {
    const { tensor, shape } = current;
    const next = tf.tidy(() => applyTensorStep(tf, current, step));
    if (next !== tensor) tensor.dispose();
    current = { tensor: next, shape: stepShape(shape, step, 'the network') };
  }
  return current;
}

function applyTensorStep(tf: TensorFlow, { tensor, shape }: Batch, step: Step): Tensor {
  const size = tensor.shape[0] ?? 0;
  if (tensor.size === 0) return tf.zeros(batchShape(size, stepShape(shape, step, 'the network')));
  switch (step.kind) {
    case 'activation':
      return activateTensor(tf, tensor, step.activation);
    case 'flatten':
      return tf.reshape(shape.length === 3 ? tf.transpose(tensor, [0, 3, 1, 2]) : tensor, [
        size,
        elementCount(shape),
      ]);
    case 'globalAveragePool':
      return tf.mean(tensor, [1, 2], true);
    case 'maxPool':
      return maxPool(tf, padSpatial(tf, tensor as Tensor4D, step.padding, Number.NEGATIVE_INFINITY), step);
    case 'averagePool': {
      const mean = averagePool(tf, padSpatial(tf, tensor as Tensor4D, step.padding, 0), step);
      return step.countPadding ? mean : tf.mul(mean, paddingCorrection(tf, shape, step));
    }
  }
}

/** Returns the tensor's shape for a batch of that size: [size, features] or [size, height, width, channels]. */
function batchShape(size: number, shape: Shape): number[] {
  const [channels, ...spatial] = shape;
  return shape.length === 3 && channels !== undefined ? [size, ...spatial, channels] : [size, ...shape];
}

/** Returns [batch, height, width, channels] with a border of `value`. */
export function padSpatial(tf: TensorFlow, tensor: Tensor4D, padding: Padding, value: number): Tensor4D {
  const [top, left, bottom, right] = padding;
  if (padding.every((width) => width === 0)) return tensor;
  const border: [number, number][] = [
    [0, 0],
    [top, bottom],
    [left, right],
    [0, 0],
  ];
  return tf.pad(tensor, border, value) as Tensor4D;
}

function maxPool(tf: TensorFlow, tensor: Tensor4D, window: PoolWindow): Tensor {
  if (isSinglePixel(window)) return everyNth(tf, tensor, window);
  return tf.maxPool(tensor, [...window.kernel], [...window.strides], 'valid');
}

function averagePool(tf: TensorFlow, tensor: Tensor4D, window: PoolWindow): Tensor {
  if (isSinglePixel(window)) return everyNth(tf, tensor, window);
  return tf.avgPool(tensor, [...window.kernel], [...window.strides], 'valid');
}

/** The WebAssembly kernels refuse a window of one pixel. */
function isSinglePixel({ kernel }: PoolWindow): boolean {
  return kernel[0] === 1 && kernel[1] === 1;
}

function everyNth(tf: TensorFlow, tensor: Tensor4D, { strides }: PoolWindow): Tensor {
  return tf.stridedSlice(tensor, [0, 0, 0, 0], [...tensor.shape], [1, ...strides, 1]);
}

/** Returns [1, rows, columns, 1]: pixels of the window over those of them that lie inside the image; 0 where none does. */
function paddingCorrection(tf: TensorFlow, shape: Shape, window: PoolWindow): Tensor {
  const [, height = 0, width = 0] = shape;
  const [rows, columns] = windowPositions([height, width], window);
  const down = pixelsInside(rows, height, window, 0);
  const across = pixelsInside(columns, width, window, 1);
  const size = window.kernel[0] * window.kernel[1];
  const values = down.flatMap((y) => across.map((x) => (y * x === 0 ? 0 : size / (y * x))));
  return tf.tensor(values, [1, rows, columns, 1], 'float32');
}

function pixelsInside(positions: number, size: number, window: PoolWindow, axis: 0 | 1): number[] {
  return Array.from({ length: positions }, (_, position) => {
    const start = position * window.strides[axis] - window.padding[axis];
    return Math.max(0, Math.min(size, start + window.kernel[axis]) - Math.max(0, start));
  });
}

/** Returns φ of every element, in float32. */
function activateTensor(tf: TensorFlow, z: Tensor, activation: Activation): Tensor {
  switch (activation.kind) {
    case 'identity':
      return z;
    case 'relu':
      return tf.relu(z);
    case 'leakyRelu':
      return tf.leakyRelu(z, activation.slope);
    case 'elu':
      return scaledElu(tf, z, activation.alpha);
    case 'selu':
      return tf.mul(scaledElu(tf, z, activation.alpha), activation.gamma);
    case 'tanh':
      return tf.tanh(z);
    case 'sigmoid':
      return tf.sigmoid(z);
    case 'softplus':
      return tf.softplus(z);
    case 'softsign':
      return tf.div(z, tf.add(tf.abs(z), 1));
    case 'gelu':
      return tf.mul(z, activation.form === 'erf' ? geluErfGate(tf, z) : geluTanhGate(tf, z));
    case 'hardSwish':
      return tf.mul(z, tf.clipByValue(tf.add(tf.mul(z, 1 / 6), 0.5), 0, 1));
    case 'mish':
      return tf.mul(z, tf.tanh(tf.softplus(z)));
    case 'silu':
      return tf.mul(z, tf.sigmoid(z));
  }
}

/** TensorFlow.js fixes the constants of ELU and SELU; the positive and the negative part put together are ELU(α). */
function scaledElu(tf: TensorFlow, z: Tensor, alpha: number): Tensor {
  if (alpha === 1) return tf.elu(z);
  return tf.add(tf.relu(z), tf.mul(tf.elu(tf.minimum(z, 0)), alpha));
}

function geluErfGate(tf: TensorFlow, z: Tensor): Tensor {
  return tf.mul(tf.add(tf.erf(tf.mul(z, Math.SQRT1_2)), 1), 0.5);
}

function geluTanhGate(tf: TensorFlow, z: Tensor): Tensor {
  const cubic = tf.add(z, tf.mul(tf.mul(tf.square(z), z), 0.044715));
  return tf.mul(tf.add(tf.tanh(tf.mul(cubic, Math.sqrt(2 / Math.PI))), 1), 0.5);
}
