/** Runs target and ticket over data in this thread and says what came of it. */

import type { Interval } from '../../src/core/network/activation.ts';
import { forward } from '../../src/core/network/forward.ts';
import { elementCount } from '../../src/core/network/shapes.ts';
import { materialise } from '../../src/core/ticket/materialise.ts';
import { sparseForward } from '../../src/core/ticket/sparse-forward.ts';
import { referenceNetwork } from '../../src/core/verify/quantise.ts';
import { loadTensorFlow } from './backend.ts';
import { compareOutputs } from './compare.ts';
import type { Evaluation, EvaluationSubject } from './evaluation.ts';
import { targetPass } from './target-pass.ts';
import { sparsePass } from './ticket-pass.ts';

/** Images that the readable float64 passes run over too: about 40 ms each for a ticket of 7 million edges. */
const referenceImagesMax = 16;
/** Largest difference of a float32 pass from its reference, in shares of the output scale; rounding makes about 1e-5. */
const referenceTolerance = 1e-3;

/** Returns how far the ticket is from its target over the inputs, and whether the fast passes agree with the readable ones. */
export async function evaluateInputs(subject: EvaluationSubject): Promise<Evaluation> {
  const { ticket, network, inputs, count, labels } = subject;
  const { tf, backend } = await loadTensorFlow();
  const sparse = materialise(ticket, network);
  const ticketOutputs = await sparsePass(tf, sparse, inputs, count);
  const targetOutputs = await targetPass(tf, network, inputs, count);
  const outputs = count === 0 ? 0 : targetOutputs.length / count;
  const comparison = compareOutputs({ target: targetOutputs, ticket: ticketOutputs, count, outputs, labels });
  const exact = ticket.mode === 'exact';
  const quantisedOutputs = exact
    ? await targetPass(tf, referenceNetwork(network, ticket), inputs, count)
    : targetOutputs;
  const referenceImages = Math.min(count, referenceImagesMax);
  const references = [
    { found: targetOutputs, run: (input: Float64Array) => forward(network, input) },
    { found: ticketOutputs, run: (input: Float64Array) => sparseForward(sparse, input) },
  ].map((pass) => referenceDifference(subject, { ...pass, images: referenceImages }));
  const checks = {
    allFinite: [ticketOutputs, targetOutputs, quantisedOutputs].every((values) =>
      values.every(Number.isFinite),
    ),
    outsideRange: countOutside(inputs, ticket.inputRange),
    referenceMaxDifference: references.reduce((max, difference) => Math.max(max, difference), 0),
  };
  return {
    ...comparison,
    images: count,
    backend,
    referenceImages,
    referenceMaxDifference: checks.referenceMaxDifference,
    outsideRange: checks.outsideRange,
    quantised: exact ? { maxAbsError: largestDifference(ticketOutputs, quantisedOutputs) } : null,
    fault: faultOf(subject, checks),
  };
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

/** Returns the largest |found − reference| in shares of the largest |reference|. */
function referenceDifference(
  { network, inputs }: EvaluationSubject,
  { found, run, images }: { found: Float32Array; run: (input: Float64Array) => Float64Array; images: number },
): number {
  const length = elementCount(network.inputShape);
  let difference = 0;
  let scale = 0;
  for (let image = 0; image < images; image++) {
    const expected = run(Float64Array.from(inputs.subarray(image * length, (image + 1) * length)));
    const first = image * expected.length;
    difference = Math.max(
      difference,
      largestDifference(found.subarray(first, first + expected.length), expected),
    );
    for (const value of expected) scale = Math.max(scale, Math.abs(value));
  }
  return difference === 0 ? 0 : difference / scale;
}

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let largest = 0;
  for (let k = 0; k < a.length; k++)
    largest = Math.max(largest, Math.abs((a[k] as number) - (b[k] as number)));
  return largest;
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
