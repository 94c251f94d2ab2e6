/**
 * What solving a block costs, roughly: enough to size probes and tiles, never to decide anything about the ticket.
 * Measured on one 2.4 GHz core with test/bench/groups/kernel.mjs; good to a factor of two or three.
 */
import type { Rule } from '../subset-sum/problem.ts';

/** What the cost depends on. */
export interface BlockCostQuestion {
  readonly rule: Rule;
  readonly blockSize: number;
  /** In sample units. */
  readonly tolerance: number;
  readonly gridBits: number;
}

/** A block that a few samples solve: random numbers and the enumeration of small subsets. */
const easyMicroseconds = 0.25;
/** Per half sum (there are 2 · 2^(n/2)) where half sums have to be made and walked. */
const halfSumMicroseconds = 0.005;
/** Subsets within tolerance from which on `fewest` nearly always ends at two or three samples. */
const subsetsOfEasyBlock = 30;

/** Tells whether enumeration of small subsets nearly always ends the search: many subsets lie within tolerance. */
export function isEasyBlock({ rule, blockSize, tolerance, gridBits }: BlockCostQuestion): boolean {
  const subsetsWithin = (2 ** blockSize * (2 * tolerance + 1)) / 2 ** (gridBits + 2);
  return rule === 'fewest' && subsetsWithin > subsetsOfEasyBlock;
}

/** Returns the time one block takes, in microseconds of one core. */
export function blockMicroseconds(question: BlockCostQuestion): number {
  return isEasyBlock(question)
    ? easyMicroseconds
    : easyMicroseconds + halfSumMicroseconds * 2 ** (question.blockSize / 2);
}
