/**
 * Meet in the middle (Horowitz and Sahni 1974), written to be read: the samples are cut into a low and a high half, the
 * subsets of each half are listed by size and sorted by sum, and for every subset of the high half the two nearest sums of
 * the low half are looked up. Time n·2^(n/2), memory 2^(n/2).
 */
import { invariant } from '../errors.ts';
import { exactBlockSizeMax } from '../limits.ts';
import type { Subset, SubsetSumProblem } from './problem.ts';
import { isPreferred } from './solve-by-definition.ts';

/** The subsets of one size of one half: sums strictly ascending, for each sum the smallest mask that has it. */
interface SizeClass {
  readonly sums: readonly number[];
  readonly masks: readonly number[];
}

/** Returns the one subset the rule prefers, or undefined when none is within tolerance. At most 40 samples. */
export function solveReference(problem: SubsetSumProblem): Subset | undefined {
  const total = problem.samples.length;
  invariant(total <= exactBlockSizeMax, `an exact block has at most ${exactBlockSizeMax} samples`);
  const lowCount = total >> 1;
  const low = sizeClasses(problem.samples.subarray(0, lowCount));
  const high = sizeClasses(problem.samples.subarray(lowCount));
  let best: Subset | undefined;
  for (let count = 0; count <= total; count++) {
    for (
      let highSize = Math.max(0, count - lowCount);
      highSize < high.length && highSize <= count;
      highSize++
    ) {
      const candidate = closestPair(
        high[highSize] as SizeClass,
        low[count - highSize] as SizeClass,
        problem.target,
        2 ** lowCount,
      );
      const subset = { ...candidate, count };
      if (best === undefined || isPreferred('closest', subset, best)) best = subset;
    }
    // Sizes are tried in ascending order, so the first size with a subset within tolerance has the fewest samples.
    const isWithin = best !== undefined && Math.abs(best.residual) <= problem.tolerance;
    if (isWithin && problem.rule === 'fewest') return best;
  }
  return best !== undefined && Math.abs(best.residual) <= problem.tolerance ? best : undefined;
}

/** Returns the classes of sizes 0 … samples.length. */
function sizeClasses(samples: Int32Array): SizeClass[] {
  const sumsOfSize: Map<number, number>[] = [new Map([[0, 0]])];
  samples.forEach((sample, index) => {
    sumsOfSize.push(new Map());
    // Larger sizes first: a size must be extended by what the size below held before this sample.
    for (let size = index; size >= 0; size--) {
      const above = sumsOfSize[size + 1] as Map<number, number>;
      for (const [sum, mask] of sumsOfSize[size] as Map<number, number>) {
        const extended = mask + 2 ** index;
        above.set(sum + sample, Math.min(extended, above.get(sum + sample) ?? extended));
      }
    }
  });
  return sumsOfSize.map((maskOfSum) => {
    const sums = Float64Array.from(maskOfSum.keys()).sort();
    return { sums: [...sums], masks: Array.from(sums, (sum) => maskOfSum.get(sum) as number) };
  });
}

/** Returns the pair with the smallest |high sum + low sum − target|, then the smallest mask. Neither class is empty. */
function closestPair(
  high: SizeClass,
  low: SizeClass,
  target: number,
  highWeight: number,
): Omit<Subset, 'count'> {
  let best = { mask: Number.POSITIVE_INFINITY, residual: Number.POSITIVE_INFINITY };
  high.sums.forEach((highSum, index) => {
    const wanted = target - highSum;
    const above = firstAtLeast(low.sums, wanted);
    for (const place of [above - 1, above]) {
      const lowSum = low.sums[place];
      if (lowSum === undefined) continue;
      const residual = lowSum - wanted;
      const mask = (high.masks[index] as number) * highWeight + (low.masks[place] as number);
      const difference = Math.abs(residual) - Math.abs(best.residual);
      if (difference < 0 || (difference === 0 && mask < best.mask)) best = { mask, residual };
    }
  });
  return best;
}

/** Returns the index of the first entry ≥ `wanted` of an ascending list, or its length. */
function firstAtLeast(ascending: readonly number[], wanted: number): number {
  let from = 0;
  let to = ascending.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((ascending[middle] as number) < wanted) from = middle + 1;
    else to = middle;
  }
  return from;
}
