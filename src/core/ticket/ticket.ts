/**
 * A ticket: the source's description and a mask. With the target it is a proof that anyone can recheck.
 */
import type { Interval } from '../network/activation.ts';
import type { Mode, SignGroups } from '../plan/plan.ts';
import type { SourceNetwork } from '../source/source-network.ts';
import type { Rule } from '../subset-sum/problem.ts';

/** What is kept of source layer 1, or of another univariate source layer. */
export interface UnivariateTicket {
  /** The one input each row keeps, as col·taps + tap, −1 for none; shape [rows]. */
  readonly inputs: Int32Array;
  /** The last rows are constants: they keep their bias, or (extended input) their edge to the input that is 1. */
  readonly constantRows: number;
  readonly extendedInput: boolean;
  readonly signGroups: SignGroups;
}

/** What is kept of the source layer that stands for one target layer. */
export interface TicketLayer {
  /** Copies of each target neuron; shape [neurons]. */
  readonly copyCounts: Int32Array;
  /** Their rows, neuron by neuron, ascending; shape [Σ copyCounts]. */
  readonly copyRows: Int32Array;
  /** Mask bits of each copy, in the order of plan/tile.ts; shape [Σ copyCounts, bytes]. */
  readonly masks: Uint8Array;
  /** The constants' edges (col·taps + tap) that the bias block's bits stand for. */
  readonly biasElements: Int32Array;
  /** One more bit stands for the row's own bias. */
  readonly ownBias: boolean;
  /** The last rows are constants: each keeps its bias and the edge at this element, −1 for none; shape [constant rows]. */
  readonly constantElements: Int32Array;
  /** Exact mode: the quantum of the quantised target's weights; else 0. */
  readonly weightQuantum: number;
  /** Exact mode with quantised biases: their quantum; else 0. */
  readonly biasQuantum: number;
  /** Largest |residual| of a bias, in the target's units. */
  readonly biasTolerance: number;
}

/**
 * A whole ticket. layers[ℓ−1] stands for target layer ℓ and masks source layer ℓ+1, in the 2L construction source layer 2ℓ
 * (plan/stage.ts).
 */
export interface Ticket {
  readonly mode: Mode;
  readonly epsilon: number;
  readonly rule: Rule;
  /** Declared range of every element of the network's input. */
  readonly inputRange: Interval;
  /** Digest of the target (format/network-file.ts). */
  readonly targetSha256: string;
  readonly source: SourceNetwork;
  readonly univariate: UnivariateTicket;
  /** In the 2L construction source layers 3, 5, …; none in the L+1 construction. */
  readonly deeperUnivariates: readonly UnivariateTicket[];
  readonly layers: readonly TicketLayer[];
}
