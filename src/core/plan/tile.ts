/**
 * What a worker gets and gives: integers in, bits out. No worker ever evaluates an activation function.
 *
 * A source row that is to become a copy of target neuron j has one block per (group, tap) and one bias block:
 *
 *   block (g, t):  samples p_k = roundShift(u_k · v_k, sampleShift), v_k = q[row, column_k, t], over the columns of group g;
 *                  target targets[j, channel(g), t].
 *   bias block:    samples roundShift(C_k · q[row, element_k], bias.sampleShift), then, if ownScale ≠ 0, one last sample
 *                  round(ownScale · β[row]);
 *                  target biasTargets[j] − round(interceptScale · Σ v over the edges kept in the other blocks of the row).
 *
 * q and β are the grid integers of the source (source/source-network.ts), roundShift(p, s) = ⌊(p + 2^(s−1)) / 2^s⌋ (s > 0)
 * or p (s = 0), round(x) = ⌊x + 1/2⌋ in float64: the same number on every machine.
 *
 * Blocks of at most 40 samples are solved exactly under `rule`. A longer bias block has a canonical procedure of its own
 * (mathematics.md §5): walk all samples but the last 20 in order, taking each one that makes |residual| smaller, then solve
 * the last 20 by `closest`. A row whose every block has a subset is a copy; the first block without one spoils the row.
 *
 * Mask bits of one row: blocks in the order groups, then taps; in a block sample 0 first; the bias block last.
 * Bit p of the row is bit (p mod 8) of byte ⌊p/8⌋ (little bit order). A row takes {@link rowMaskBytes} bytes.
 */
import type { Rule } from '../subset-sum/problem.ts';

/** The bias block of every row of one layer. */
export interface BiasProblem {
  /** Shape [m]: positions column · taps + tap of the constants' edges within a row. */
  readonly elements: Int32Array;
  /** Shape [m]: the constants' values C_k, whole numbers below 2^24 in size. */
  readonly values: Int32Array;
  readonly sampleShift: number;
  /** Unit of a grid bias in bias units; 0: the row's own bias is no sample. */
  readonly ownScale: number;
  /** Intercept of one grid unit of Σ v, in bias units; 0 unless the layer before is the univariate one and φ(0) ≠ 0. */
  readonly interceptScale: number;
  /** Largest |residual|, in bias units. */
  readonly tolerance: number;
}

/** What all rows of one source layer share. Shipped once per layer. */
export interface LayerProblem {
  readonly seed: bigint;
  readonly gridBits: number;
  /** 0-based index of the source layer: weights come from stream 2·sourceLayer, biases from 2·sourceLayer + 1. */
  readonly sourceLayer: number;
  readonly rows: number;
  readonly cols: number;
  readonly taps: number;
  /** Input channels of the target layer: the middle dimension of a tile's targets. */
  readonly channels: number;
  /** Shape [groups + 1]: group g owns groupColumns[groupOffsets[g] … groupOffsets[g+1]). */
  readonly groupOffsets: Int32Array;
  /** Ascending source columns, group by group. */
  readonly groupColumns: Int32Array;
  /** The target channel of each group; shape [groups]. Two groups of one channel share its targets (sign groups). */
  readonly groupChannels: Int32Array;
  /** u_k per entry of groupColumns, or null where samples are plain (u_k = 1). */
  readonly groupMultipliers: Int32Array | null;
  readonly sampleShift: number;
  readonly rule: Rule;
  /** Largest |residual| of a block, on the grid. */
  readonly tolerance: number;
  readonly bias: BiasProblem;
}

/** A target neuron's share of a tile: try the rows firstRow … firstRow + rowCount − 1 in order until `wanted` are copies. */
export interface TileNeuron {
  readonly neuron: number;
  readonly firstRow: number;
  readonly rowCount: number;
  readonly wanted: number;
}

/** A unit of work: a range of target neurons of one layer, with their targets. */
export interface Tile {
  /** Hex SHA-256 of the layer problem and of everything below. */
  readonly id: string;
  readonly sourceLayer: number;
  /** 0: every neuron's own pool; 1, 2, …: reserve rows handed out after the pass before. */
  readonly pass: number;
  readonly neurons: readonly TileNeuron[];
  /** Shape [neurons.length, channels, taps]: target weights on the grid. */
  readonly targets: Int32Array;
  /** Shape [neurons.length]: bias targets in bias units, whole numbers. */
  readonly biasTargets: Float64Array;
}

/** What a worker found for a tile. */
export interface TileResult {
  readonly tileId: string;
  /** Shape [neurons.length]: copies found for each neuron, at most `wanted`. */
  readonly copyCounts: Int32Array;
  /** Shape [Σ copyCounts]: their rows, ascending per neuron. */
  readonly copyRows: Int32Array;
  /** Shape [Σ copyCounts, rowMaskBytes]. */
  readonly masks: Uint8Array;
  /** Shape [misses, 2]: each row tried that is no copy, and its first block without a subset. */
  readonly misses: Int32Array;
}

/** Samples of the bias block: the constants, and the row's own bias where it may be used. */
export function biasBlockSize(bias: BiasProblem): number {
  return bias.elements.length + (bias.ownScale === 0 ? 0 : 1);
}

/** Blocks of one row, the bias block included. */
export function blocksPerRow(problem: LayerProblem): number {
  return problem.groupChannels.length * problem.taps + 1;
}

/** Mask bits of one row. */
export function rowMaskBits(problem: LayerProblem): number {
  return problem.groupColumns.length * problem.taps + biasBlockSize(problem.bias);
}

/** Bytes of one row's mask bits. */
export function rowMaskBytes(problem: LayerProblem): number {
  return Math.ceil(rowMaskBits(problem) / 8);
}

/** Solves tiles. The seam between the coordinator and whoever computes: threads here, machines or browser tabs elsewhere. */
export interface Solver {
  /** Solves one tile. The answer is a function of the arguments alone. */
  solve(problem: LayerProblem, tile: Tile): Promise<TileResult>;
  /** Tiles that are worth handing over at a time. */
  readonly concurrency: number;
}
