/** How close the blocks of a result come to their targets, from a few of them. */
import { SourceLayerReader } from '../../../src/core/source/source-network.ts';
import type { SolvedTile } from '../../tile-observer.ts';

/** Blocks looked at in one result: about 0.1 ms. */
const sampledBlocks = 64;

/**
 * Returns |residual| over tolerance, in [0, 1], of blocks with a nonzero target in one row of a verified result; none where the
 * tolerance is 0, or no row became a copy.
 * @param choice in [0, 1): which row and which of its blocks.
 */
export function sampleResiduals(
  { problem, tile, result }: Pick<SolvedTile, 'problem' | 'tile' | 'result'>,
  choice: number,
): number[] {
  const copies = result.copyRows.length;
  const { groupChannels, groupOffsets, taps, channels, tolerance } = problem;
  if (copies === 0 || tolerance === 0) return [];
  const copy = Math.floor(choice * copies);
  const row = result.copyRows[copy] ?? 0;
  const mask = result.masks.subarray((copy * result.masks.length) / copies);
  const targets = tile.targets.subarray(neuronOf(result.copyCounts, copy) * channels * taps);
  const reader = new SourceLayerReader(problem, problem.sourceLayer, problem);
  const blocks = groupChannels.length * taps;
  const first = Math.floor((choice * copies - copy) * blocks);
  const shares: number[] = [];
  for (let step = 0; step < Math.min(sampledBlocks, blocks); step++) {
    const block = (first + step) % blocks;
    const group = Math.floor(block / taps);
    const tap = block % taps;
    const target = targets[(groupChannels[group] ?? 0) * taps + tap] ?? 0;
    if (target === 0) continue;
    const [start = 0, end = 0] = [groupOffsets[group], groupOffsets[group + 1]];
    const firstBit = start * taps + tap * (end - start);
    let sum = 0;
    for (let index = start; index < end; index++) {
      const bit = firstBit + index - start;
      if ((((mask[bit >> 3] ?? 0) >> (bit & 7)) & 1) === 0) continue;
      const weight = reader.weight(row, (problem.groupColumns[index] ?? 0) * taps + tap);
      sum += roundShift((problem.groupMultipliers?.[index] ?? 1) * weight, problem.sampleShift);
    }
    shares.push(Math.min(1, Math.abs(sum - target) / tolerance));
  }
  return shares;
}

/** Index of the neuron, within its tile, that a copy stands for. */
function neuronOf(copyCounts: Int32Array, copy: number): number {
  let end = 0;
  return copyCounts.findIndex((count) => {
    end += count;
    return copy < end;
  });
}

function roundShift(product: number, shift: number): number {
  return shift === 0 ? product : Math.floor((product + 2 ** (shift - 1)) / 2 ** shift);
}
