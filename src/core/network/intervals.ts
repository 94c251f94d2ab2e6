/**
 * Interval arithmetic along a target network: one interval per channel that holds every position's value for every input
 * in the declared box. Sums of intervals are taken in float64; {@link widen} covers their rounding.
 */
import { type Interval, valueRange } from './activation.ts';
import type { Linear, Network, Step } from './network.ts';
import { tapCount } from './shapes.ts';

/** Relative slack for float64 rounding: sums of 10^5 terms err by less than 10^5 · 2^-53 ≈ 1e-11 of their absolute sum. */
const roundingSlack = 1e-10;

/** Returns the interval, a little larger than any rounding error of the sums behind it; `scale` is the sum of sizes. */
export function widen([low, high]: Interval, scale: number): Interval {
  return [low - scale * roundingSlack, high + scale * roundingSlack];
}

/** Returns the smallest interval around both. */
export function hull(a: Interval, b: Interval): Interval {
  return [Math.min(a[0], b[0]), Math.max(a[1], b[1])];
}

/** Returns an interval of a channel behind one step. */
export function stepInterval(step: Step, interval: Interval): Interval {
  switch (step.kind) {
    case 'activation':
      return valueRange(step.activation, interval);
    case 'averagePool':
      return step.countPadding ? hull(interval, [0, 0]) : interval;
    default:
      return interval;
  }
}

/** Returns an interval of a channel behind several steps. */
export function stepsInterval(steps: readonly Step[], interval: Interval): Interval {
  return steps.reduce((current, step) => stepInterval(step, current), interval);
}

/** Tells whether a linear map reads padded zeros. */
export function readsPadding(linear: Linear): boolean {
  return linear.kind === 'convolution' && linear.padding.some((size) => size > 0);
}

/**
 * Returns the interval of each output channel of a linear map.
 * @param inputs one interval per input channel; for a dense layer behind a flatten, `taps` inputs share a channel's.
 */
export function linearIntervals(linear: Linear, inputs: readonly Interval[]): Interval[] {
  const taps = linear.kind === 'dense' ? linear.inputs / inputs.length : tapCount(linear);
  const padded = readsPadding(linear);
  return Array.from({ length: linear.outputs }, (_, j) => {
    let low = linear.bias[j] ?? 0;
    let high = low;
    let scale = Math.abs(low);
    inputs.forEach((input, i) => {
      const [inLow, inHigh] = padded ? hull(input, [0, 0]) : input;
      for (let tap = 0; tap < taps; tap++) {
        const weight = linear.weights[(j * inputs.length + i) * taps + tap] ?? 0;
        low += weight >= 0 ? weight * inLow : weight * inHigh;
        high += weight >= 0 ? weight * inHigh : weight * inLow;
        scale += Math.abs(weight) * Math.max(Math.abs(inLow), Math.abs(inHigh));
      }
    });
    return widen([low, high], scale);
  });
}

/** Intervals of what one layer reads and of what its linear map gives. */
export interface LayerIntervals {
  /** Per input channel, padded zeros included. */
  readonly inputs: readonly Interval[];
  /** Per output channel, before the steps. */
  readonly linear: readonly Interval[];
}

/** Returns the intervals along a network, layer by layer, for inputs in the declared range. */
export function networkIntervals(network: Network, inputRange: Interval): LayerIntervals[] {
  let inputs: readonly Interval[] = Array.from({ length: network.layers[0]?.linear.inputs ?? 0 }, () =>
    stepsInterval(network.inputSteps, inputRange),
  );
  return network.layers.map((layer) => {
    const padded = readsPadding(layer.linear);
    const linear = linearIntervals(layer.linear, inputs);
    const result = { inputs: inputs.map((input) => (padded ? hull(input, [0, 0]) : input)), linear };
    inputs = linear.map((interval) => stepsInterval(layer.steps, interval));
    return result;
  });
}
