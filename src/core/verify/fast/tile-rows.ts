/** The fast check of a tile's rows: of a row it passes, the readable check (verify-tile.ts) would find nothing to say. */
import { biasBlockSize, type LayerProblem, rowMaskBits } from '../../plan/tile.ts';
import { SourceLayerReader } from '../../source/source-network.ts';
import { type RowModule, type RowShape, reportFields } from './row-module.ts';

/** Rows of one layer problem, against one neuron's targets at a time. Lost when the module is set up for something else. */
export class FastTileRows {
  readonly problem: LayerProblem;
  private readonly module: RowModule;
  private readonly biases: SourceLayerReader;
  private readonly blockTargets: Int32Array;
  private readonly weightBits: number;
  private readonly spareBits: number;
  private biasTarget = 0;

  private constructor(module: RowModule, problem: LayerProblem) {
    this.module = module;
    this.problem = problem;
    this.biases = new SourceLayerReader(problem, problem.sourceLayer, problem);
    this.blockTargets = targetsOfBlocks(problem);
    this.weightBits = problem.groupColumns.length * problem.taps;
    this.spareBits = 0xff & ~((1 << (((rowMaskBits(problem) + 7) & 7) + 1)) - 1);
  }

  /** Sets the module up; undefined when the layer is too large for it. */
  static open(module: RowModule, problem: LayerProblem): FastTileRows | undefined {
    const rows = new FastTileRows(module, problem);
    if (!module.setUp(rows, shapeOf(problem))) return undefined;
    const divisor = 2 ** problem.sampleShift;
    module.exports.setBlocks(problem.groupMultipliers === null ? 0 : 1, divisor, problem.tolerance);
    return rows;
  }

  /** Whether the module still has this layer. */
  get isSetUp(): boolean {
    return this.module.isSetUpFor(this);
  }

  /** Sets the neuron whose copies are checked next: its targets, shape [channels, taps], and its bias target. */
  aim(targets: Int32Array, biasTarget: number): void {
    const { blockTargets, module } = this;
    for (let block = 0; block < blockTargets.length; block++)
      module.targets[block] = targets[blockTargets[block] ?? 0] ?? 0;
    this.biasTarget = biasTarget;
  }

  /** Returns whether every residual of a row is within tolerance and every bit of its mask stands for an edge. */
  holds(row: number, mask: Uint8Array): boolean {
    this.module.mask.set(mask);
    if (((mask[mask.length - 1] ?? 0) & this.spareBits) !== 0) return false;
    return this.module.exports.checkRow(row) === 1 && this.biasHolds(row);
  }

  private biasHolds(row: number): boolean {
    const { kept, weights, report } = this.module;
    const { bias } = this.problem;
    const keptCount = report[reportFields.keptCount] ?? 0;
    const keptSum = report[reportFields.keptSum] ?? 0;
    let sum = 0;
    for (let index = report[reportFields.edgeCount] ?? 0; index < keptCount; index++) {
      const sample = (kept[index] ?? 0) - this.weightBits;
      sum +=
        sample < bias.elements.length
          ? roundShift((bias.values[sample] ?? 0) * (weights[index] ?? 0), bias.sampleShift)
          : Math.floor(bias.ownScale * this.biases.bias(row) + 0.5);
    }
    const residual = sum - (this.biasTarget - Math.floor(bias.interceptScale * keptSum + 0.5));
    return Math.abs(residual) <= bias.tolerance;
  }
}

function roundShift(product: number, shift: number): number {
  return shift === 0 ? product : Math.floor((product + 2 ** (shift - 1)) / 2 ** shift);
}

/** The bits of a row in the order of plan/tile.ts. */
function shapeOf(problem: LayerProblem): RowShape {
  const { groupOffsets, groupColumns, groupMultipliers, groupChannels, taps, bias } = problem;
  const weightBits = groupColumns.length * taps;
  const elements = new Int32Array(weightBits + biasBlockSize(bias));
  const multipliers = groupMultipliers === null ? null : new Int32Array(weightBits);
  const blockStarts = new Int32Array(groupChannels.length * taps + 1);
  let bit = 0;
  for (let group = 0; group < groupChannels.length; group++)
    for (let tap = 0; tap < taps; tap++) {
      for (let index = groupOffsets[group] ?? 0; index < (groupOffsets[group + 1] ?? 0); index++, bit++) {
        elements[bit] = (groupColumns[index] ?? 0) * taps + tap;
        if (multipliers !== null) multipliers[bit] = groupMultipliers?.[index] ?? 1;
      }
      blockStarts[group * taps + tap + 1] = bit;
    }
  elements.set(bias.elements, bit);
  const { seed, gridBits, sourceLayer, rows, cols } = problem;
  return {
    seed,
    gridBits,
    sourceLayer,
    rows,
    rowElements: cols * taps,
    elements,
    blockStarts,
    multipliers,
  };
}

/** Where each block's target stands among those of a neuron. */
function targetsOfBlocks({ groupChannels, taps }: LayerProblem): Int32Array {
  return Int32Array.from(
    { length: groupChannels.length * taps },
    (_, block) => (groupChannels[Math.floor(block / taps)] ?? 0) * taps + (block % taps),
  );
}
