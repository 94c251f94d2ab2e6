/**
 * How far a copy can be from its target neuron behind the steps of a layer (mathematics.md §10.3, tightened with the
 * activation's slopes over the interval in question; ours).
 */
import { type Interval, slopeRange, valueRange } from '../network/activation.ts';
import { hull, stepInterval } from '../network/intervals.ts';
import type { Step } from '../network/network.ts';

/**
 * Returns an interval around (copy − target) behind the steps.
 * @param target interval of the target's value before the steps.
 * @param error interval of copy − target before the steps.
 */
export function errorBehindSteps(steps: readonly Step[], target: Interval, error: Interval): Interval {
  let value = target;
  let difference = error;
  for (const step of steps) {
    if (step.kind === 'activation') difference = activationError(step, value, difference);
    if (step.kind === 'averagePool' && step.countPadding) difference = hull(difference, [0, 0]);
    value = stepInterval(step, value);
  }
  return difference;
}

/**
 * φ(z+δ) − φ(z) = φ′(ξ)·δ for some ξ between (mean value theorem, one-sided slopes at kinks), and it is also the difference of
 * two values in known ranges; both intervals hold, so their intersection does.
 */
function activationError(
  step: Extract<Step, { kind: 'activation' }>,
  value: Interval,
  error: Interval,
): Interval {
  if (error[0] === 0 && error[1] === 0) return error;
  const moved: Interval = [value[0] + Math.min(0, error[0]), value[1] + Math.max(0, error[1])];
  const slopes = slopeRange(step.activation, moved);
  const products = [slopes[0] * error[0], slopes[0] * error[1], slopes[1] * error[0], slopes[1] * error[1]];
  const before = valueRange(step.activation, value);
  const after = valueRange(step.activation, moved);
  const low = Math.max(Math.min(...products), after[0] - before[1]);
  const high = Math.min(Math.max(...products), after[1] - before[0]);
  return low <= high ? [low, high] : [Math.min(...products), Math.max(...products)];
}
