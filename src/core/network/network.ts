/**
 * The target network as data: a chain of layers with parameters, each followed by steps without parameters.
 *
 *     input ─ inputSteps ─ linear¹ ─ steps¹ ─ linear² ─ steps² ─ … ─ linearᴸ ─ stepsᴸ ─ output
 *
 * Every step works on each channel by itself (activation, pooling, flatten), so a channel of a ticket that is a copy of a
 * target channel before a step is a copy of it after the step.
 * Layout: row-major, channels first. A spatial tensor has shape [channels, height, width], a flat one [features];
 * the batch dimension is never part of a shape.
 */
import type { Activation } from './activation.ts';

/** A pair [height, width]. */
export type Pair = readonly [number, number];

/** Zero padding, in elements: [top, left, bottom, right]. */
export type Padding = readonly [number, number, number, number];

/** A fully connected layer: z = weights · x + bias. */
export interface Dense {
  readonly kind: 'dense';
  readonly outputs: number;
  readonly inputs: number;
  /** Shape [outputs, inputs]. */
  readonly weights: Float64Array;
  /** Shape [outputs]. */
  readonly bias: Float64Array;
}

/** A 2-D convolution (cross-correlation, one group), zero padded. */
export interface Convolution {
  readonly kind: 'convolution';
  /** Output channels. */
  readonly outputs: number;
  /** Input channels. */
  readonly inputs: number;
  readonly kernel: Pair;
  readonly strides: Pair;
  readonly dilations: Pair;
  readonly padding: Padding;
  /** Shape [outputs, inputs, kernel height, kernel width]. */
  readonly weights: Float64Array;
  /** Shape [outputs]. */
  readonly bias: Float64Array;
}

/** A layer's linear map. */
export type Linear = Dense | Convolution;

/** The window of a pooling step, over [channels, height, width]. The output size rounds down; ceil mode is refused at import. */
export interface PoolWindow {
  readonly kernel: Pair;
  readonly strides: Pair;
  readonly padding: Padding;
}

/** A step without parameters; each works on every channel alone. */
export type Step =
  | { readonly kind: 'activation'; readonly activation: Activation }
  | ({ readonly kind: 'maxPool' } & PoolWindow)
  /** `countPadding`: padded zeros count in the mean (ONNX count_include_pad). */
  | ({ readonly kind: 'averagePool'; readonly countPadding: boolean } & PoolWindow)
  /** [channels, height, width] → [channels, 1, 1]. */
  | { readonly kind: 'globalAveragePool' }
  /** Any shape → [product of the shape], channels first. */
  | { readonly kind: 'flatten' };

/** One layer with parameters and the steps behind it. */
export interface Layer {
  /** The name it has in the file it came from, for messages. */
  readonly name: string;
  readonly linear: Linear;
  readonly steps: readonly Step[];
}

/** A target network. `networkShapes` (shapes.ts) checks that the shapes of its parts fit. */
export interface Network {
  /** Shape of one input: [features] or [channels, height, width]. */
  readonly inputShape: readonly number[];
  readonly inputSteps: readonly Step[];
  readonly layers: readonly Layer[];
}
