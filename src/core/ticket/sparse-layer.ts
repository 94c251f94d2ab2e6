/**
 * A network whose layers are lists of edges: what a ticket is once everything pruned has been left out.
 * A source layer of 4,500 × 15,680 keeps about one edge in nine, and one of its first layer keeps one edge a row.
 */
import type { Padding, Pair, Step } from '../network/network.ts';

/** One pruned source layer; only rows that are used downstream exist ("active rows"). */
export interface SparseLayer {
  readonly kind: 'dense' | 'convolution';
  /** Active rows: output channels. */
  readonly rows: number;
  /** Channels of its input tensor. */
  readonly cols: number;
  /**
   * Kernel positions per channel: kernel height × width of a convolution; for a dense layer behind a flatten, the
   * height × width positions of each channel. Input element index = col·taps + tap, channels first.
   */
  readonly taps: number;
  /** Shape [rows + 1]: row r owns the edges rowOffsets[r] … rowOffsets[r+1] − 1. */
  readonly rowOffsets: Int32Array;
  /** Shape [edges]: col·taps + tap. */
  readonly elements: Int32Array;
  /** Shape [edges]: real weights. */
  readonly values: Float64Array;
  /** Shape [rows]. */
  readonly bias: Float64Array;
  /** Convolution only; [1, 1] for a dense layer. */
  readonly kernel: Pair;
  /** Convolution only; [1, 1] for a dense layer. */
  readonly strides: Pair;
  /** Convolution only; [1, 1] for a dense layer. */
  readonly dilations: Pair;
  /** Convolution only; [0, 0, 0, 0] for a dense layer. */
  readonly padding: Padding;
  readonly steps: readonly Step[];
}

/** A chain of sparse layers, laid out as a `Network` is. */
export interface SparseNetwork {
  /** Shape of one input: [features] or [channels, height, width]. */
  readonly inputShape: readonly number[];
  readonly inputSteps: readonly Step[];
  readonly layers: readonly SparseLayer[];
}
