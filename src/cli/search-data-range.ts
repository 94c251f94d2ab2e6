/** Whether the images fit what a ticket is to hold for. */
import { misuse } from '../core/errors.ts';
import type { Interval } from '../core/network/activation.ts';

/**
 * Refuses inputs outside the declared range, which the comparison counts as a fault: a search of hours must not end in that discovery.
 * @throws TombolaError (misuse) naming the first such input.
 */
export function checkRange(inputs: Float32Array, [low, high]: Interval): void {
  const outside = inputs.find((value) => !(value >= low && value <= high));
  if (outside !== undefined)
    throw misuse(
      `Cannot use the images with input range ${low},${high}: they hold the input ${outside}; name the right --scale, --mean and --std, or search with a wider --input-range`,
    );
}
