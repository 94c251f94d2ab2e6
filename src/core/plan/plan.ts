/**
 * A plan: everything that is fixed before the search spends anything. Same target and options, same plan.
 * What follows describes the L+1 construction; the 2L construction is made of several (plan/stage.ts).
 *
 * Rows of source layer 1 (the univariate layer): one kept edge each, or none; its last `constantRows` rows are constants.
 * Rows of source layer ℓ+1 (stands for target layer ℓ): neuron j's pool is rows j·pool … j·pool + pool − 1; then `reserve`
 * rows; then `constantRows` rows, kept as constants for the biases of the next layer.
 */
import type { Activation, Interval } from '../network/activation.ts';
import type { SourceNetwork } from '../source/source-network.ts';
import type { Rule } from '../subset-sum/problem.ts';

/** `tolerance`: residuals up to ε. `exact`: the weights are quantised to the grid and hit without residual. */
export type Mode = 'tolerance' | 'exact';

/**
 * Which univariate rows serve an input's blocks (mathematics.md §4): `any` sign in one block (m₊ = m₋); `positive` weights
 * only in one block (inputs ≥ 0); `both`: a block of positive and a block of negative weights, each with target w/(m₊+m₋).
 */
export type SignGroups = 'any' | 'positive' | 'both';

/** Source layer 1. */
export interface UnivariatePlan {
  readonly activation: Activation;
  /** Samples in each block of target layer 1, per sign group. */
  readonly blockSize: number;
  readonly signGroups: SignGroups;
  readonly constantRows: number;
  /** The input is extended by a channel that is 1 everywhere: zero biases and φ(0) = 0 leave no other constant. */
  readonly extendedInput: boolean;
}

/** What the planner expects of one target layer, from sampling its own weights against fresh blocks. */
export interface Prediction {
  /** Mean probability that a block has no subset. */
  readonly missProbability: number;
  /** Mean probability that a row becomes a copy. */
  readonly rowSuccess: number;
  /** Mean number of chosen samples in a block with a nonzero target. */
  readonly meanSubsetSize: number;
}

/** One target layer ℓ and the source layer ℓ+1 that stands for it. */
export interface LayerPlan {
  /** Copies of each neuron that the next layer reads; 1 in the last layer. */
  readonly copies: number;
  /** Rows each neuron owns. */
  readonly pool: number;
  /** Rows for neurons whose pool ran dry. */
  readonly reserve: number;
  readonly constantRows: number;
  /** Target weight that one unit of Σ samples stands for. In exact mode the quantum of the quantised target. */
  readonly weightUnit: number;
  /** Shift that brings products of two grid integers to the samples' grid; 0 for plain samples. */
  readonly sampleShift: number;
  /** Largest |residual| of a block, in weight units, a whole number. */
  readonly tolerance: number;
  /** Target bias that one unit of the bias block stands for. */
  readonly biasUnit: number;
  /** Largest |residual| of a bias block, in bias units, a whole number. */
  readonly biasTolerance: number;
  /** The unit of the quantised target's biases, 0 if the biases are not quantised. */
  readonly biasQuantum: number;
  /** Most constants' edges that the bias block uses. */
  readonly biasBlockSize: number;
  /** The row's own bias is a sample of its bias block. */
  readonly ownBias: boolean;
  readonly prediction: Prediction;
}

/** The plan of a whole search. */
export interface Plan {
  readonly mode: Mode;
  /** Largest residual relative to the layer's largest |weight|; 0 in exact mode. */
  readonly epsilon: number;
  readonly rule: Rule;
  /** The declared range of every element of the network's input. */
  readonly inputRange: Interval;
  readonly source: SourceNetwork;
  readonly univariate: UnivariatePlan;
  /** In the 2L construction the univariate layers of target layers 2 … L; none in the L+1 construction. */
  readonly deeperUnivariates: readonly UnivariatePlan[];
  readonly layers: readonly LayerPlan[];
}

/** Returns the first constant row of a source layer. */
export function firstConstantRow(source: SourceNetwork, sourceLayer: number, constantRows: number): number {
  return (source.layers[sourceLayer]?.rows ?? 0) - constantRows;
}

/** Returns the factor M that Σ u·v is multiplied by to give a target weight: m₊ + m₋ for `both`, else m₊. */
export function groupSlope(
  signGroups: SignGroups,
  slopes: { slopePositive: number; slopeNegative: number },
): number {
  return signGroups === 'both' ? slopes.slopePositive + slopes.slopeNegative : slopes.slopePositive;
}
