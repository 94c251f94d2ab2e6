/** The subset-sum problem as its definition reads: every subset is looked at. The oracle of all other solvers. */
import type { Rule, Subset, SubsetSumProblem } from './problem.ts';

/** Samples up to which looking at every subset is bearable (2^20 subsets). */
const sampleCountMax = 20;

/**
 * Returns the one subset the rule prefers among all 2^n, or undefined when none is within tolerance.
 * Time and memory grow as 2^n.
 * @throws RangeError for more than 20 samples.
 */
export function solveByDefinition(problem: SubsetSumProblem): Subset | undefined {
  const count = problem.samples.length;
  if (count > sampleCountMax) {
    throw new RangeError(`Cannot look at every subset: ${count} samples, expected at most ${sampleCountMax}`);
  }
  let best: Subset | undefined;
  for (let mask = 0; mask < 2 ** count; mask++) {
    const candidate = subsetOf(problem, mask);
    if (Math.abs(candidate.residual) > problem.tolerance) continue;
    if (best === undefined || isPreferred(problem.rule, candidate, best)) best = candidate;
  }
  return best;
}

/** Returns the subset that `mask` (bit k for sample k) stands for, its residual in exact arithmetic. */
export function subsetOf(problem: Pick<SubsetSumProblem, 'samples' | 'target'>, mask: number): Subset {
  let sum = 0;
  let count = 0;
  let rest = mask;
  for (const sample of problem.samples) {
    if (rest % 2 === 1) {
      sum += sample;
      count++;
    }
    rest = Math.floor(rest / 2);
  }
  return { mask, count, residual: sum - problem.target };
}

/** Tells whether the rule ranks `a` strictly before `b` (mathematics.md §8): both orders are total. */
export function isPreferred(rule: Rule, a: Subset, b: Subset): boolean {
  const sizeDifference = Math.abs(a.residual) - Math.abs(b.residual);
  const countDifference = a.count - b.count;
  const first = rule === 'fewest' ? countDifference : sizeDifference;
  const second = rule === 'fewest' ? sizeDifference : countDifference;
  if (first !== 0) return first < 0;
  if (second !== 0) return second < 0;
  return a.mask < b.mask;
}
