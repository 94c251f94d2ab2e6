/**
 * Blocks with more samples than can be solved exactly (mathematics.md §5). The canonical procedure: walk all samples but
 * the last 20 in order, taking each one that makes |residual| smaller; then solve the last 20 by `closest`, whatever the
 * layer's rule is. Bias blocks only: there is one in a row, and it may lean on hundreds of constants.
 */
import { longBlockTailCount } from '../limits.ts';
import type { Subset, SubsetSumProblem } from './problem.ts';
import { solveReference } from './solve-reference.ts';

/** The samples a long block keeps. */
export interface LongSubset {
  /** Shape [samples]: 1 where the sample is chosen. Owned by the caller. */
  readonly chosen: Uint8Array;
  /** Σ chosen − target, exact. */
  readonly residual: number;
}

/**
 * Returns what the canonical procedure chooses, or undefined when its |residual| is above tolerance. A subset within
 * tolerance may exist all the same. Sums stay below 2^53 (4,096 samples of 2^24), so float64 is exact.
 */
export function solveLongBlock(problem: Omit<SubsetSumProblem, 'rule'>): LongSubset | undefined {
  const { samples, target, tolerance } = problem;
  const walkCount = Math.max(0, samples.length - longBlockTailCount);
  const chosen = new Uint8Array(samples.length);
  let residual = -target;
  for (let index = 0; index < walkCount; index++) {
    const moved = residual + (samples[index] as number);
    if (Math.abs(moved) >= Math.abs(residual)) continue;
    residual = moved;
    chosen[index] = 1;
  }
  const tail = solveReference({
    samples: samples.subarray(walkCount),
    target: -residual,
    tolerance,
    rule: 'closest',
  });
  if (tail === undefined) return undefined;
  markChosen(chosen, walkCount, tail);
  return { chosen, residual: tail.residual };
}

function markChosen(chosen: Uint8Array, offset: number, subset: Subset): void {
  for (let rest = subset.mask, index = offset; rest > 0; rest = Math.floor(rest / 2), index++) {
    chosen[index] = rest % 2;
  }
}
