/**
 * Checks a tile's result from the seed: what came back is believed only after this. The fast verifier, where one is given, looks at a
 * row first; what it does not pass, plain TypeScript decides. Neither shares code with the kernel that solved: each has a generator and
 * sums of its own.
 */
import {
  biasBlockSize,
  blocksPerRow,
  type LayerProblem,
  rowMaskBits,
  rowMaskBytes,
  type Tile,
  type TileResult,
} from '../plan/tile.ts';
import { SourceLayerReader } from '../source/source-network.ts';
import { markVerified, type VerifiedTile } from '../ticket/merge.ts';
import type { FastVerifier } from './fast/fast-verifier.ts';
import type { FastTileRows } from './fast/tile-rows.ts';

/** What a tile's result is checked for. */
export interface TileCheck {
  readonly tile: Tile;
  readonly result: TileResult;
  /** Which copies' residuals are looked at. */
  readonly isChecked: (copy: number) => boolean;
  /** Looks at a row first; the readable check sees only rows that it does not pass. */
  readonly fast?: FastVerifier | undefined;
}

/** The verdict on a tile's result. */
export type TileVerdict =
  | { readonly kind: 'verified'; readonly tile: VerifiedTile }
  | { readonly kind: 'refused'; readonly reason: string };

/**
 * Returns whether a result is what its tile asks for: shapes, rows in order and in the neuron's range, and the residual of
 * every block of every row that `isChecked` selects.
 * A row reported as missed is taken at its word here: it costs a spare, never correctness.
 */
export function verifyTile(problem: LayerProblem, check: TileCheck): TileVerdict {
  const { tile, result } = check;
  const reason = shapeFault(problem, tile, result) ?? residualFault(problem, check);
  return reason === undefined
    ? { kind: 'verified', tile: markVerified(tile, result) }
    : { kind: 'refused', reason };
}

function shapeFault(problem: LayerProblem, tile: Tile, result: TileResult): string | undefined {
  const rowBytes = rowMaskBytes(problem);
  const copies = result.copyRows.length;
  if (result.tileId !== tile.id) return 'the result belongs to another tile';
  if (result.copyCounts.length !== tile.neurons.length) return 'the result has another number of neurons';
  if (result.masks.length !== copies * rowBytes) return 'the masks have another length';
  if (result.misses.length % 2 !== 0) return 'the misses are not pairs';
  const missed = new Set(result.misses.filter((_, index) => index % 2 === 0));
  if (2 * missed.size !== result.misses.length) return 'the result reports a miss twice';
  const blocks = blocksPerRow(problem);
  if (result.misses.some((block, index) => index % 2 === 1 && !(block >= 0 && block < blocks)))
    return 'the result reports a miss of a block that does not exist';
  let copy = 0;
  for (const [index, { neuron, firstRow, rowCount, wanted }] of tile.neurons.entries()) {
    const found = result.copyCounts[index] ?? -1;
    if (found < 0 || found > wanted || copy + found > copies)
      return `neuron ${neuron} has ${found} copies, wanted ${wanted}`;
    const rowEnd = firstRow + rowCount;
    let row = firstRow;
    const skipMisses = (): void => {
      while (row < rowEnd && missed.delete(row)) row++;
    };
    for (let end = copy + found; copy < end; copy++, row++) {
      skipMisses();
      if (row !== result.copyRows[copy] || row >= rowEnd)
        return `row ${result.copyRows[copy]} of neuron ${neuron} is neither next in order nor preceded by misses`;
    }
    if (found < wanted) skipMisses();
    if (found < wanted && row < rowEnd) return `neuron ${neuron} lacks copies, but row ${row} was not tried`;
  }
  if (copy !== copies) return 'the result has rows of no neuron';
  return missed.size > 0 ? 'the result reports misses of rows that were not to be tried' : undefined;
}

function residualFault(
  problem: LayerProblem,
  { tile, result, isChecked, fast }: TileCheck,
): string | undefined {
  // Made for the first row that needs them: either costs more than looking over a small tile's shape.
  let quick: FastTileRows | undefined;
  let readable: RowCheck | undefined;
  const rowBytes = rowMaskBytes(problem);
  const size = problem.channels * problem.taps;
  let copy = 0;
  for (const [index, { neuron }] of tile.neurons.entries()) {
    const targets = tile.targets.subarray(index * size, (index + 1) * size);
    const biasTarget = tile.biasTargets[index] ?? 0;
    let isAimed = false;
    for (let end = copy + (result.copyCounts[index] ?? 0); copy < end; copy++) {
      if (!isChecked(copy)) continue;
      const row = result.copyRows[copy] ?? -1;
      const mask = result.masks.subarray(copy * rowBytes, (copy + 1) * rowBytes);
      quick ??= fast?.tileRows(problem);
      if (!isAimed) quick?.aim(targets, biasTarget);
      isAimed = true;
      if (quick?.holds(row, mask)) continue;
      readable ??= new RowCheck(problem);
      const fault = readable.fault(row, mask, { targets, biasTarget });
      if (fault !== undefined) return `neuron ${neuron}, row ${row}: ${fault}`;
    }
  }
  return undefined;
}

/** Recomputes the residuals of rows of one layer problem. */
class RowCheck {
  private readonly problem: LayerProblem;
  private readonly reader: SourceLayerReader;
  private readonly bits: number;

  constructor(problem: LayerProblem) {
    this.problem = problem;
    this.reader = new SourceLayerReader(problem, problem.sourceLayer, problem);
    this.bits = rowMaskBits(problem);
  }

  fault(
    row: number,
    mask: Uint8Array,
    targets: { targets: Int32Array; biasTarget: number },
  ): string | undefined {
    const { groupOffsets, groupChannels, groupColumns, groupMultipliers, taps, sampleShift, tolerance } =
      this.problem;
    let bit = 0;
    let keptSum = 0;
    for (let group = 0; group < groupChannels.length; group++) {
      const end = groupOffsets[group + 1] ?? 0;
      for (let tap = 0; tap < taps; tap++) {
        let sum = 0;
        for (let index = groupOffsets[group] ?? 0; index < end; index++, bit++) {
          if (!isSet(mask, bit)) continue;
          const weight = this.reader.weight(row, (groupColumns[index] ?? 0) * taps + tap);
          keptSum += weight;
          sum += roundShift((groupMultipliers?.[index] ?? 1) * weight, sampleShift);
        }
        const residual = sum - (targets.targets[(groupChannels[group] ?? 0) * taps + tap] ?? 0);
        if (!(Math.abs(residual) <= tolerance))
          return `channel ${groupChannels[group]}, tap ${tap}: residual ${residual}, tolerance ${tolerance}`;
      }
    }
    return this.biasFault(row, mask, { bit, target: targets.biasTarget, keptSum });
  }

  private biasFault(
    row: number,
    mask: Uint8Array,
    { bit, target, keptSum }: { bit: number; target: number; keptSum: number },
  ): string | undefined {
    const { bias } = this.problem;
    let sum = 0;
    bias.elements.forEach((element, index) => {
      if (isSet(mask, bit + index))
        sum += roundShift((bias.values[index] ?? 0) * this.reader.weight(row, element), bias.sampleShift);
    });
    if (biasBlockSize(bias) > bias.elements.length && isSet(mask, bit + bias.elements.length))
      sum += Math.floor(bias.ownScale * this.reader.bias(row) + 0.5);
    const residual = sum - (target - Math.floor(bias.interceptScale * keptSum + 0.5));
    if (!(Math.abs(residual) <= bias.tolerance))
      return `bias: residual ${residual}, tolerance ${bias.tolerance}`;
    for (let spare = this.bits; spare < 8 * Math.ceil(this.bits / 8); spare++)
      if (isSet(mask, spare)) return `mask bit ${spare} stands for no edge`;
    return undefined;
  }
}

function isSet(mask: Uint8Array, bit: number): boolean {
  return (((mask[bit >> 3] ?? 0) >> (bit & 7)) & 1) === 1;
}

function roundShift(product: number, shift: number): number {
  return shift === 0 ? product : Math.floor((product + 2 ** (shift - 1)) / 2 ** shift);
}
