/** What is evaluated, and what that showed. */
import type { Network } from '../../src/core/network/network.ts';
import type { Ticket } from '../../src/core/ticket/ticket.ts';
import type { OutputComparison } from './compare.ts';

/** A ticket, its target and the inputs to run both over. */
export interface EvaluationSubject {
  readonly ticket: Ticket;
  readonly network: Network;
  /** Shape [count, ...inputShape], channels first. */
  readonly inputs: Float32Array;
  readonly count: number;
  /** Shape [count]: the true classes, or null where there are none. */
  readonly labels: Int32Array | null;
}

/** What came out. Errors are NaN where an output is. */
export interface Evaluation extends OutputComparison {
  readonly images: number;
  readonly backend: 'tensorflow' | 'wasm';
  /** Images that the float64 reference passes ran over too. */
  readonly referenceImages: number;
  /** Largest difference of a pass from its reference, in shares of the target's output scale over these images. */
  readonly referenceMaxDifference: number;
  /** Numbers in the inputs that lie outside the ticket's declared range, or are none. */
  readonly outsideRange: number;
  /** Exact mode: the largest |ticket − quantised target|, for the ticket claims to equal that one. Else null. */
  readonly quantised: { readonly maxAbsError: number } | null;
  /** Why the figures cannot be trusted; null when they can. */
  readonly fault: string | null;
}
