/**
 * The gain of source layer 1: how far into the nonlinearity the univariate layer reaches (mathematics.md §4).
 */
import {
  type Activation,
  type Interval,
  isPositivelyHomogeneous,
  linearisation,
  remainder,
} from '../network/activation.ts';

/**
 * Returns the largest gain for which |φ(z) − d − m·z| ≤ share·m·|z| for all |z| ≤ gain·max|x|: then linearising φ changes
 * no weight's contribution by more than that share. For positively homogeneous φ nothing is linearised and the gain is 1.
 * Found by bisection on a fine grid; |remainder/z| grows with |z| for every φ here.
 */
export function chooseFirstGain(activation: Activation, inputs: Interval, share: number): number {
  if (isPositivelyHomogeneous(activation)) return 1;
  const largest = Math.max(Math.abs(inputs[0]), Math.abs(inputs[1])) || 1;
  const { slopePositive, slopeNegative } = linearisation(activation);
  const fits = (size: number): boolean =>
    Math.abs(remainder(activation, size)) <= share * slopePositive * size &&
    Math.abs(remainder(activation, -size)) <= share * Math.abs(slopeNegative) * size;
  let low = 0;
  let high = 16;
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2;
    if (fits(middle)) low = middle;
    else high = middle;
  }
  return low / largest;
}
