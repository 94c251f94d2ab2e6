/** The readable tile solver: {@link import('./tile.ts')} word for word. The oracle of the kernel, and a Solver without threads. */
import { exactBlockSizeMax } from '../limits.ts';
import { SourceLayerReader } from '../source/source-network.ts';
import { solveLongBlock } from '../subset-sum/long-block.ts';
import type { Rule } from '../subset-sum/problem.ts';
import { solveReference } from '../subset-sum/solve-reference.ts';
import {
  biasBlockSize,
  blocksPerRow,
  type LayerProblem,
  rowMaskBytes,
  type Solver,
  type Tile,
  type TileResult,
} from './tile.ts';

/** One row tried: its mask bits, or the first block without a subset. */
type RowOutcome =
  | { readonly kind: 'copy'; readonly bits: readonly number[] }
  | { readonly kind: 'miss'; readonly block: number };

/** What a row is to become a copy of. */
interface RowTarget {
  /** Shape [channels, taps]. */
  readonly weights: Int32Array;
  readonly bias: number;
}

/** Returns what every solver must return for this tile, bit for bit. Slow: for tests and checks. */
export function referenceSolveTile(problem: LayerProblem, tile: Tile): TileResult {
  const reader = new SourceLayerReader(problem, problem.sourceLayer, problem);
  const copyCounts = new Int32Array(tile.neurons.length);
  const copyRows: number[] = [];
  const masks: number[] = [];
  const misses: number[] = [];
  const targetLength = problem.channels * problem.taps;
  tile.neurons.forEach((neuron, index) => {
    const target = {
      weights: tile.targets.subarray(index * targetLength, (index + 1) * targetLength),
      bias: tile.biasTargets[index] as number,
    };
    let found = 0;
    for (let row = neuron.firstRow; row < neuron.firstRow + neuron.rowCount && found < neuron.wanted; row++) {
      const outcome = solveRow(problem, reader, row, target);
      if (outcome.kind === 'miss') {
        misses.push(row, outcome.block);
        continue;
      }
      found++;
      copyRows.push(row);
      masks.push(...packBits(outcome.bits, rowMaskBytes(problem)));
    }
    copyCounts[index] = found;
  });
  return {
    tileId: tile.id,
    copyCounts,
    copyRows: Int32Array.from(copyRows),
    masks: Uint8Array.from(masks),
    misses: Int32Array.from(misses),
  };
}

/** Solves tiles one at a time on the caller's thread, by the readable procedure. */
export const referenceSolver: Solver = {
  concurrency: 1,
  solve: async (problem, tile) => referenceSolveTile(problem, tile),
};

function solveRow(
  problem: LayerProblem,
  reader: SourceLayerReader,
  row: number,
  target: RowTarget,
): RowOutcome {
  const { taps } = problem;
  const bits: number[] = [];
  let keptWeightSum = 0;
  for (let group = 0; group < problem.groupChannels.length; group++) {
    const channel = problem.groupChannels[group] as number;
    for (let tap = 0; tap < taps; tap++) {
      const { weights, samples } = groupBlock(problem, reader, row, { group, tap });
      const chosen = solveBlock({
        samples,
        target: target.weights[channel * taps + tap] as number,
        tolerance: problem.tolerance,
        rule: problem.rule,
      });
      if (chosen === undefined) return { kind: 'miss', block: group * taps + tap };
      keptWeightSum += weights.reduce((sum, weight, index) => sum + weight * (chosen[index] as number), 0);
      bits.push(...chosen);
    }
  }
  const chosen = solveBlock({
    samples: biasSamples(problem, reader, row),
    target: target.bias - round(problem.bias.interceptScale * keptWeightSum),
    tolerance: problem.bias.tolerance,
    rule: problem.rule,
  });
  if (chosen === undefined) return { kind: 'miss', block: blocksPerRow(problem) - 1 };
  return { kind: 'copy', bits: [...bits, ...chosen] };
}

/** Returns the grid integers v_k of a block's edges, and its samples roundShift(u_k · v_k, sampleShift). */
function groupBlock(
  problem: LayerProblem,
  reader: SourceLayerReader,
  row: number,
  block: { readonly group: number; readonly tap: number },
): { weights: Int32Array; samples: Int32Array } {
  const from = problem.groupOffsets[block.group] as number;
  const to = problem.groupOffsets[block.group + 1] as number;
  const weights = problem.groupColumns
    .subarray(from, to)
    .map((column) => reader.weight(row, column * problem.taps + block.tap));
  const samples = weights.map((weight, index) =>
    roundShift((problem.groupMultipliers?.[from + index] ?? 1) * weight, problem.sampleShift),
  );
  return { weights, samples };
}

function biasSamples(problem: LayerProblem, reader: SourceLayerReader, row: number): Int32Array {
  const { bias } = problem;
  const samples = new Int32Array(biasBlockSize(bias));
  bias.elements.forEach((element, index) => {
    samples[index] = roundShift(
      (bias.values[index] as number) * reader.weight(row, element),
      bias.sampleShift,
    );
  });
  if (bias.ownScale !== 0) samples[bias.elements.length] = round(bias.ownScale * reader.bias(row));
  return samples;
}

/** Returns 0 or 1 per sample, or undefined for a miss. */
function solveBlock(problem: {
  readonly samples: Int32Array;
  readonly target: number;
  readonly tolerance: number;
  readonly rule: Rule;
}): readonly number[] | undefined {
  if (problem.samples.length > exactBlockSizeMax) {
    const subset = solveLongBlock(problem);
    return subset && [...subset.chosen];
  }
  const subset = solveReference(problem);
  return subset && Array.from(problem.samples, (_, index) => Math.floor(subset.mask / 2 ** index) % 2);
}

/** ⌊(p + 2^(s−1)) / 2^s⌋, or p for s = 0. Products stay below 2^48, so float64 is exact. */
function roundShift(product: number, shift: number): number {
  return shift === 0 ? product : Math.floor((product + 2 ** (shift - 1)) / 2 ** shift);
}

/** ⌊x + 1/2⌋ in float64. */
function round(value: number): number {
  return Math.floor(value + 0.5);
}

/** Packs bits in little bit order. */
function packBits(bits: readonly number[], byteCount: number): Uint8Array {
  const bytes = new Uint8Array(byteCount);
  bits.forEach((bit, index) => {
    bytes[index >> 3] = (bytes[index >> 3] as number) | (bit << (index & 7));
  });
  return bytes;
}
