/** Whether the images fit what a search is to hold for. */
import { misuse } from '../core/errors.ts';
import type { Interval } from '../core/network/activation.ts';

/**
 * Refuses inputs outside the declared range: a search of hours must not end in that discovery.
 * @throws TombolaError (misuse) naming the first such input.
 */
export function checkRange(inputs: Float32Array, [low, high]: Interval): void {
  const slack = 1e-6 * Math.max(Math.abs(low), Math.abs(high));
  const outside = inputs.find((value) => !(value >= low - slack && value <= high + slack));
  if (outside !== undefined)
    throw misuse(
      `Cannot search with input range ${low},${high}: the images hold the input ${outside}; name the right --scale, --mean and --std, or a wider --input-range`,
    );
}
