/** Runs target and ticket over a part of the data in this thread. */
import { forward } from '../../src/core/network/forward.ts';
import { elementCount } from '../../src/core/network/shapes.ts';
import { materialise } from '../../src/core/ticket/materialise.ts';
import { sparseForward } from '../../src/core/ticket/sparse-forward.ts';
import { referenceNetwork } from '../../src/core/verify/quantise.ts';
import { loadTensorFlow } from './backend.ts';
import { largestDifference } from './compare.ts';
import type { Evaluation, EvaluationSubject } from './evaluation.ts';
import { targetPass } from './target-pass.ts';
import { sparsePass } from './ticket-pass.ts';

/** Some of the inputs, and how many of the first of them the readable float64 passes run over too. */
export interface PassSubject extends Omit<EvaluationSubject, 'labels'> {
  readonly referenceImages: number;
}

/** Outputs of shape [count, outputs] for a part of the inputs. */
export interface PassOutputs {
  readonly target: Float32Array;
  readonly ticket: Float32Array;
  /** Exact mode: the quantised target's; else null. */
  readonly quantised: Float32Array | null;
  readonly backend: Evaluation['backend'];
  /** Largest difference of a float32 pass from its reference, in shares of the output scale. */
  readonly referenceMaxDifference: number;
}

/** Returns the outputs of target and ticket, and how far the fast passes are from the readable ones. */
export async function runPasses(subject: PassSubject): Promise<PassOutputs> {
  const { ticket, network, inputs, count, referenceImages } = subject;
  const { tf, backend } = await loadTensorFlow();
  const sparse = materialise(ticket, network);
  const ticketOutputs = await sparsePass(tf, sparse, inputs, count);
  const targetOutputs = await targetPass(tf, network, inputs, count);
  const quantised =
    ticket.mode === 'exact' ? await targetPass(tf, referenceNetwork(network, ticket), inputs, count) : null;
  const differences = [
    { found: targetOutputs, run: (input: Float64Array) => forward(network, input) },
    { found: ticketOutputs, run: (input: Float64Array) => sparseForward(sparse, input) },
  ].map((pass) => referenceDifference(subject, { ...pass, images: referenceImages }));
  return {
    target: targetOutputs,
    ticket: ticketOutputs,
    quantised,
    backend,
    referenceMaxDifference: differences.reduce((max, difference) => Math.max(max, difference), 0),
  };
}

/** Returns the largest |found − reference| in shares of the largest |reference|. */
function referenceDifference(
  { network, inputs }: PassSubject,
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
