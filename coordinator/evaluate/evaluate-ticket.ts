/** Compares a ticket with its target over data, on threads. */
import { availableParallelism } from 'node:os';
import { misuse } from '../../src/core/errors.ts';
import type { Interval } from '../../src/core/network/activation.ts';
import { elementCount } from '../../src/core/network/shapes.ts';
import { withSharedArrays } from '../shared-arrays.ts';
import { compareOutputs, largestDifference } from './compare.ts';
import type { Evaluation, EvaluationSubject } from './evaluation.ts';
import { passOnThread } from './pass-thread.ts';
import type { PassOutputs } from './run-passes.ts';

/** Images that the readable float64 passes run over too: about 40 ms each for a ticket of 7 million edges. */
const referenceImagesMax = 16;
/** Largest difference of a float32 pass from its reference, in shares of the output scale; rounding makes about 1e-5. */
const referenceTolerance = 1e-3;
/** A thread of its own pays from so many images on: each makes the ticket's weights anew. */
const imagesPerThreadMin = 256;
/** Bytes of masks of tickets whose weights, some ten times as many bytes, are made on more than one thread. */
const sharedMaskBytesMax = 1 << 26;

/** What to evaluate, and how. */
export interface EvaluationOptions extends EvaluationSubject {
  /** Threads at most; default: one a core. */
  readonly threads?: number;
  readonly signal?: AbortSignal;
}

/**
 * Returns how far the ticket is from its target over the inputs, and whether the fast passes agree with the readable ones.
 * The inputs are copied once.
 * @throws TombolaError (misuse) when inputs or labels are not as many as `count` says, (failure) when a pass cannot be run.
 * @throws the signal's reason when it aborts; the threads are ended then.
 */
export async function evaluateTicket(options: EvaluationOptions): Promise<Evaluation> {
  const { signal, threads = availableParallelism(), ...subject } = options;
  signal?.throwIfAborted();
  checkCounts(subject);
  const { labels: _, ...shared } = withSharedArrays(subject);
  const { inputs, count } = shared;
  const length = inputs.length / count;
  const sizes = partSizes(subject, threads);
  const referenceImages = Math.min(count, referenceImagesMax);
  // When one part fails, the others need not go on.
  const ending = new AbortController();
  const stop = signal === undefined ? ending.signal : AbortSignal.any([signal, ending.signal]);
  try {
    let first = 0;
    const parts = sizes.map((size, index) => {
      const part = inputs.subarray(first * length, (first + size) * length);
      first += size;
      return passOnThread(
        { ...shared, inputs: part, count: size, referenceImages: index === 0 ? referenceImages : 0 },
        stop,
      );
    });
    return evaluationOf(subject, { parts: await Promise.all(parts), referenceImages });
  } finally {
    ending.abort(new Error('the evaluation has ended'));
  }
}

function partSizes({ ticket, count }: EvaluationSubject, threads: number): number[] {
  const maskBytes = ticket.layers.reduce((sum, { masks }) => sum + masks.length, 0);
  const most = maskBytes > sharedMaskBytesMax ? 1 : Math.min(threads, Math.floor(count / imagesPerThreadMin));
  const parts = Math.max(1, most);
  return Array.from(
    { length: parts },
    (_, part) => Math.floor(((part + 1) * count) / parts) - Math.floor((part * count) / parts),
  );
}

function evaluationOf(
  subject: EvaluationSubject,
  { parts, referenceImages }: { readonly parts: readonly PassOutputs[]; readonly referenceImages: number },
): Evaluation {
  const { ticket: proof, inputs, count, labels } = subject;
  const target = joined(parts.map((part) => part.target));
  const ticket = joined(parts.map((part) => part.ticket));
  const quantised = proof.mode === 'exact' ? joined(parts.map((part) => part.quantised ?? noOutputs)) : null;
  const referenceMaxDifference = parts.reduce((max, part) => Math.max(max, part.referenceMaxDifference), 0);
  const outsideRange = countOutside(inputs, proof.inputRange);
  const allFinite = [ticket, target, quantised ?? noOutputs].every((values) => values.every(Number.isFinite));
  return {
    ...compareOutputs({ target, ticket, count, outputs: target.length / count, labels }),
    images: count,
    backend: parts[0]?.backend ?? 'wasm',
    referenceImages,
    referenceMaxDifference,
    outsideRange,
    quantised: quantised === null ? null : { maxAbsError: largestDifference(ticket, quantised) },
    fault: faultOf(subject, { allFinite, outsideRange, referenceMaxDifference }),
  };
}

const noOutputs = new Float32Array(0);

function joined(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let place = 0;
  for (const part of parts) {
    all.set(part, place);
    place += part.length;
  }
  return all;
}

function faultOf(
  { ticket, inputs }: EvaluationSubject,
  checks: { allFinite: boolean; outsideRange: number; referenceMaxDifference: number },
): string | null {
  const { allFinite, outsideRange, referenceMaxDifference } = checks;
  if (outsideRange > 0)
    return `${outsideRange} of ${inputs.length} input values lie outside the ticket's range [${ticket.inputRange.join(', ')}], expected none`;
  if (!allFinite) return 'an output of the target or the ticket is not a finite number';
  if (!(referenceMaxDifference <= referenceTolerance))
    return `the TensorFlow.js passes differ from the reference passes by ${referenceMaxDifference} of the output scale, expected at most ${referenceTolerance}`;
  return null;
}

/** NaN lies outside every range. */
function countOutside(values: Float32Array, [low, high]: Interval): number {
  let outside = 0;
  for (let k = 0; k < values.length; k++) {
    const value = values[k] as number;
    if (!(value >= low && value <= high)) outside++;
  }
  return outside;
}

function checkCounts({ network, inputs, count, labels }: EvaluationSubject): void {
  const length = elementCount(network.inputShape);
  if (inputs.length !== count * length || count < 1)
    throw misuse(
      `Cannot evaluate over ${count} inputs: they have ${inputs.length} values in all, expected ${length} each (shape [${network.inputShape.join(', ')}]) and at least one input`,
    );
  if (labels !== null && labels.length !== count)
    throw misuse(
      `Cannot evaluate over ${count} inputs: there are ${labels.length} labels, expected one each`,
    );
}
