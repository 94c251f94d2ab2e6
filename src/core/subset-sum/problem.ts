/**
 * One target weight as a subset-sum problem, in whole numbers.
 *
 * Symbols of the papers and their names here:
 *
 * | papers | here        | meaning                                                        |
 * |--------|-------------|----------------------------------------------------------------|
 * | n      | samples.length | candidates in a block                                       |
 * | x_k    | samples[k]  | the k-th candidate, on the grid                                 |
 * | z      | target      | the target weight, on the grid                                  |
 * | ε      | tolerance   | largest |residual| accepted, on the grid                        |
 * | S      | mask        | the chosen subset; bit k of the integer stands for sample k     |
 * | ρ      | copies      | source neurons that stand for one target neuron                 |
 * | λ      | sourceLayer | index of a source layer, 0-based in code                        |
 */

/**
 * How to choose among the subsets within tolerance (mathematics.md §8). Both are total orders, so the answer is unique:
 * `fewest`: fewest samples, then smallest |residual|, then smallest mask as an integer;
 * `closest`: smallest |residual|, then fewest samples, then smallest mask.
 */
export type Rule = 'fewest' | 'closest';

/** A block: find S with |Σ_{k∈S} samples[k] − target| ≤ tolerance. Every |partial sum − target| stays below 2^31. */
export interface SubsetSumProblem {
  /** At most `exactBlockSizeMax` (limits.ts) integers. */
  readonly samples: Int32Array;
  readonly target: number;
  /** An integer ≥ 0; 0 asks for an exact hit. */
  readonly tolerance: number;
  readonly rule: Rule;
}

/** A chosen subset. */
export interface Subset {
  /** Bit k (value 2^k) set: sample k is chosen. At most 40 bits, so a number holds it exactly. */
  readonly mask: number;
  /** Samples chosen. */
  readonly count: number;
  /** Σ chosen − target. */
  readonly residual: number;
}
