/**
 * The fast solver: WebAssembly with plain SIMD (worker/kernel/assembly), the same bytes and the same answers in Node and in
 * browsers. It returns what src/core/plan/reference-solver.ts returns, bit for bit, some thousand times faster.
 */
import { failure } from '../../src/core/errors.ts';
import { decodeBase64 } from '../../src/core/format/decode-base64.ts';
import { exactBlockSizeMax } from '../../src/core/limits.ts';
import { type LayerProblem, rowMaskBytes, type Tile, type TileResult } from '../../src/core/plan/tile.ts';
import type { Subset, SubsetSumProblem } from '../../src/core/subset-sum/problem.ts';
import { subsetOf } from '../../src/core/subset-sum/solve-by-definition.ts';
import { kernelModule } from './generated/kernel-bytes.ts';
import type { KernelExports } from './kernel-exports.ts';
import { ruleNumber, setUpLayer, wholeTolerance } from './layer-setup.ts';

/** Hex SHA-256 of the kernel's module: which kernel a result came from. */
export const kernelDigest: string = kernelModule.sha256;

/** One instance of the kernel. Not for several threads: each loads its own. */
export interface Kernel {
  /**
   * Solves a tile. The layer is set up on the first tile with this very problem object, and kept until another one comes.
   * The result owns its arrays.
   * @throws TombolaError when the layer breaks a bound of the kernel.
   */
  solveTile(problem: LayerProblem, tile: Tile): TileResult;
  /** Solves one block of at most 40 samples below 2^24 in size; forgets the layer. For tests and for sizing by sampling. */
  solveBlock(problem: SubsetSumProblem): Subset | undefined;
  /** The module's own functions, for benchmarks. */
  readonly exports: KernelExports;
}

/** Returns a fresh kernel. Compiling takes a few milliseconds. */
export async function loadKernel(): Promise<Kernel> {
  const { instance } = await WebAssembly.instantiate(decodeBase64(kernelModule.base64), {});
  const exports = instance.exports as unknown as KernelExports;
  let current: LayerProblem | undefined;
  let blockCountMax = -1;
  return {
    exports,
    solveTile(problem, tile) {
      if (problem !== current) {
        current = undefined;
        blockCountMax = -1;
        setUpLayer(exports, problem);
        current = problem;
      }
      return solveTile(exports, problem, tile);
    },
    solveBlock(problem) {
      const count = problem.samples.length;
      if (count > exactBlockSizeMax) {
        throw failure(`Cannot solve a block of ${count} samples, expected at most ${exactBlockSizeMax}`);
      }
      current = undefined;
      if (count > blockCountMax) exports.allocateLayer(0, 0, 0, 0, 0, 0, 0, 0, count);
      blockCountMax = Math.max(blockCountMax, count);
      return solveBlock(exports, problem);
    },
  };
}

function solveBlock(exports: KernelExports, problem: SubsetSumProblem): Subset | undefined {
  new Int32Array(exports.memory.buffer, exports.samples.value, problem.samples.length).set(problem.samples);
  const isSolved = exports.solveOne(
    problem.samples.length,
    problem.target,
    wholeTolerance(problem.tolerance),
    ruleNumber(problem.rule),
  );
  if (isSolved === 0) return undefined;
  return subsetOf(problem, (exports.chosenMaskHigh() >>> 0) * 2 ** 32 + (exports.chosenMaskLow() >>> 0));
}

function solveTile(exports: KernelExports, problem: LayerProblem, tile: Tile): TileResult {
  const byteCount = rowMaskBytes(problem);
  const targetLength = problem.channels * problem.taps;
  const rowMask = new Uint8Array(exports.memory.buffer, exports.rowMask.value, byteCount);
  const targets = new Int32Array(exports.memory.buffer, exports.targets.value, targetLength);
  const copyCounts = new Int32Array(tile.neurons.length);
  const copyRows: number[] = [];
  const misses: number[] = [];
  const masks = new Uint8Array(byteCount * mostCopies(tile));
  tile.neurons.forEach((neuron, index) => {
    targets.set(tile.targets.subarray(index * targetLength, (index + 1) * targetLength));
    const biasTarget = tile.biasTargets[index] as number;
    const end = neuron.firstRow + neuron.rowCount;
    let found = 0;
    for (let row = neuron.firstRow; row < end && found < neuron.wanted; row++) {
      const missedBlock = exports.solveRow(row, biasTarget);
      if (missedBlock >= 0) {
        misses.push(row, missedBlock);
        continue;
      }
      found++;
      masks.set(rowMask, copyRows.length * byteCount);
      copyRows.push(row);
    }
    copyCounts[index] = found;
  });
  return {
    tileId: tile.id,
    copyCounts,
    copyRows: Int32Array.from(copyRows),
    masks: masks.slice(0, copyRows.length * byteCount),
    misses: Int32Array.from(misses),
  };
}

/** Returns a bound on the copies a tile can give. */
function mostCopies(tile: Tile): number {
  return tile.neurons.reduce((sum, neuron) => sum + Math.max(0, Math.min(neuron.rowCount, neuron.wanted)), 0);
}
