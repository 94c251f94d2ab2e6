/**
 * What the outputs of target and ticket have to do with each other.
 */
import { invariant } from '../../src/core/errors.ts';

/** Outputs of target and ticket for the same inputs, each of shape [count, outputs]. */
export interface OutputPair {
  readonly target: ArrayLike<number>;
  readonly ticket: ArrayLike<number>;
  readonly count: number;
  readonly outputs: number;
  /** Shape [count]: the true classes, or null where there are none. */
  readonly labels: ArrayLike<number> | null;
}

/** How far the ticket's outputs are from the target's. With `count` 0 errors are 0 and shares are NaN. */
export interface OutputComparison {
  readonly maxAbsError: number;
  readonly meanAbsError: number;
  /** Largest |target output|. */
  readonly outputScale: number;
  /** Share of inputs for which the largest output is the same; the first one of equals. */
  readonly agreement: number;
  /** Shares of inputs whose largest output is their label's; null without labels. */
  readonly accuracy: { readonly target: number; readonly ticket: number } | null;
}

/** Returns the comparison of two sets of outputs. A NaN on either side makes the errors NaN and agrees with nothing. */
export function compareOutputs({ target, ticket, count, outputs, labels }: OutputPair): OutputComparison {
  invariant(
    target.length === count * outputs && ticket.length === target.length,
    'outputs have shape [count, outputs]',
  );
  invariant(labels === null || labels.length === count, 'every input has a label');
  let maxAbsError = 0;
  let sum = 0;
  let outputScale = 0;
  for (let i = 0; i < target.length; i++) {
    const error = Math.abs((ticket[i] as number) - (target[i] as number));
    maxAbsError = Math.max(maxAbsError, error);
    sum += error;
    outputScale = Math.max(outputScale, Math.abs(target[i] as number));
  }
  const targetClasses = largestOutputs(target, count, outputs);
  const ticketClasses = largestOutputs(ticket, count, outputs);
  return {
    maxAbsError,
    meanAbsError: target.length === 0 ? 0 : sum / target.length,
    outputScale,
    agreement: shareEqual(targetClasses, ticketClasses),
    accuracy:
      labels === null
        ? null
        : { target: shareEqual(targetClasses, labels), ticket: shareEqual(ticketClasses, labels) },
  };
}

/** Returns for each input the index of its largest output, or −1 if one of them is NaN. */
function largestOutputs(values: ArrayLike<number>, count: number, outputs: number): Int32Array {
  return Int32Array.from({ length: count }, (_, input) => {
    let largest = 0;
    for (let output = 0; output < outputs; output++) {
      const value = values[input * outputs + output] as number;
      if (Number.isNaN(value)) return -1;
      if (value > (values[input * outputs + largest] as number)) largest = output;
    }
    return largest;
  });
}

function shareEqual(found: Int32Array, expected: ArrayLike<number>): number {
  let equal = 0;
  for (let input = 0; input < found.length; input++)
    if (found[input] === expected[input] && found[input] !== -1) equal++;
  return equal / found.length;
}

/** Returns the largest |a − b| of their elements; NaN if one of them is. */
export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let largest = 0;
  for (let k = 0; k < a.length; k++)
    largest = Math.max(largest, Math.abs((a[k] as number) - (b[k] as number)));
  return largest;
}
