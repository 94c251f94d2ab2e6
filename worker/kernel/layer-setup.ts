/** Hands a layer to the kernel: what all its rows share, checked once and laid out as the kernel reads it. */
import { failure } from '../../src/core/errors.ts';
import {
  exactBlockSizeMax,
  gridBitsMax,
  gridBitsMin,
  longBlockSizeMax,
  longBlockTailCount,
} from '../../src/core/limits.ts';
import { biasBlockSize, type LayerProblem, rowMaskBits } from '../../src/core/plan/tile.ts';
import type { Rule } from '../../src/core/subset-sum/problem.ts';
import type { KernelExports } from './kernel-exports.ts';

/** Largest size of a sample: 40 of them and a target within their reach stay below 2^31. */
const sampleSizeMax = 2 ** 24;
/** The kernel keeps 32 bits of a product of 48 and cuts the lower ones off. */
const sampleShiftMax = 32;
/** Unneeded elements in a row that are generated all the same: fewer do not save a Philox block pair. */
const gapMax = 16;

/** Returns the rule as the kernel numbers it. */
export function ruleNumber(rule: Rule): number {
  return rule === 'fewest' ? 0 : 1;
}

/** Returns a tolerance as the kernel takes it: residuals are whole numbers, and none is as large as 2^53. */
export function wholeTolerance(tolerance: number): number {
  return Math.min(Math.floor(tolerance), Number.MAX_SAFE_INTEGER);
}

/**
 * Sets the kernel up for a layer; the layer before is forgotten. Cost: one pass over the layer's columns.
 * @throws TombolaError when a bound of the kernel is broken.
 */
export function setUpLayer(exports: KernelExports, problem: LayerProblem): void {
  checkLayer(problem);
  const { taps, bias } = problem;
  const rowElements = problem.cols * taps;
  const runs = neededRuns(problem);
  const padded = padGroups(problem);
  exports.allocateLayer(
    problem.groupChannels.length,
    padded.entries.length,
    rowElements,
    taps,
    problem.channels * taps,
    runs.length / 2,
    bias.elements.length,
    rowMaskBits(problem),
    largestExactBlock(problem),
  );
  const write = (area: { readonly value: number }, values: ArrayLike<number>) =>
    new Int32Array(exports.memory.buffer, area.value, values.length).set(values);
  write(exports.groupOffsets, padded.offsets);
  write(exports.groupSizes, padded.sizes);
  write(
    exports.groupTargets,
    problem.groupChannels.map((channel) => channel * taps * 4),
  );
  write(exports.groupEnds, groupEnds(problem));
  const padding = exports.paddingStart.value;
  write(
    exports.columnStarts,
    padded.entries.map((entry) => (entry < 0 ? padding : (problem.groupColumns[entry] as number) * taps * 4)),
  );
  const { groupMultipliers } = problem;
  if (groupMultipliers !== null) {
    write(
      exports.multipliers,
      padded.entries.map((entry) => (entry < 0 ? 0 : (groupMultipliers[entry] as number))),
    );
  }
  write(exports.runs, runs);
  write(
    exports.biasStarts,
    bias.elements.map((element) => element * 4),
  );
  write(exports.biasValues, bias.values);
  exports.configureSource(problem.seed, problem.gridBits, problem.sourceLayer, rowElements, taps);
  exports.configureBlocks(
    problem.groupMultipliers === null ? 0 : 1,
    problem.sampleShift,
    ruleNumber(problem.rule),
    wholeTolerance(problem.tolerance),
  );
  exports.configureBias(bias.sampleShift, bias.ownScale, bias.interceptScale, wholeTolerance(bias.tolerance));
}

function checkLayer(problem: LayerProblem): void {
  const { bias, gridBits } = problem;
  expectAtMost('grid bits', gridBits, gridBitsMax);
  if (gridBits < gridBitsMin) {
    throw failure(`Cannot solve a layer with ${gridBits} grid bits, expected at least ${gridBitsMin}`);
  }
  expectAtMost('shift of a sample', problem.sampleShift, sampleShiftMax);
  const gridSize = 2 ** (gridBits - 1);
  const multiplier = problem.groupMultipliers === null ? 1 : largestSize(problem.groupMultipliers);
  expectAtMost('size of a sample', (multiplier * gridSize) / 2 ** problem.sampleShift, sampleSizeMax);
  expectAtMost(
    'size of a bias sample',
    (largestSize(bias.values) * gridSize) / 2 ** bias.sampleShift,
    sampleSizeMax,
  );
  expectAtMost("size of a row's own bias", Math.abs(bias.ownScale) * gridSize, sampleSizeMax);
  expectAtMost('length of a bias block', biasBlockSize(bias), longBlockSizeMax);
  expectAtMost('length of a block', largestGroup(problem), exactBlockSizeMax);
}

function expectAtMost(what: string, value: number, bound: number): void {
  if (!(value <= bound))
    throw failure(`Cannot solve a layer whose ${what} is ${value}, expected at most ${bound}`);
}

function largestSize(values: Int32Array): number {
  return values.reduce((size, value) => Math.max(size, Math.abs(value)), 0);
}

function largestGroup(problem: LayerProblem): number {
  let largest = 0;
  for (let group = 0; group < problem.groupChannels.length; group++) {
    const size = (problem.groupOffsets[group + 1] as number) - (problem.groupOffsets[group] as number);
    largest = Math.max(largest, size);
  }
  return largest;
}

function largestExactBlock(problem: LayerProblem): number {
  const biasCount = biasBlockSize(problem.bias);
  return Math.max(largestGroup(problem), biasCount > exactBlockSizeMax ? longBlockTailCount : biasCount);
}

/**
 * Returns the groups as the kernel reads them, four columns at a time: the index in groupColumns of each entry, −1 for
 * padding, and where each group starts.
 */
function padGroups(problem: LayerProblem): { entries: number[]; offsets: number[]; sizes: number[] } {
  const padded = { entries: [] as number[], offsets: [] as number[], sizes: [] as number[] };
  for (let group = 0; group < problem.groupChannels.length; group++) {
    const from = problem.groupOffsets[group] as number;
    const to = problem.groupOffsets[group + 1] as number;
    padded.offsets.push(padded.entries.length);
    padded.sizes.push(to - from);
    for (let entry = from; entry < to; entry++) padded.entries.push(entry);
    while (padded.entries.length % 4 !== 0) padded.entries.push(-1);
  }
  return padded;
}

/** Returns for each group the end of the elements it reads. */
function groupEnds(problem: LayerProblem): Int32Array {
  return problem.groupChannels.map((_, group) => {
    const columns = problem.groupColumns.subarray(
      problem.groupOffsets[group],
      problem.groupOffsets[group + 1],
    );
    return columns.reduce((end, column) => Math.max(end, (column + 1) * problem.taps), 0);
  });
}

/** Returns [start, end) of the elements of a row that some block reads, ascending, small gaps closed. */
function neededRuns(problem: LayerProblem): number[] {
  const { taps } = problem;
  const starts = Array.from(problem.groupColumns, (column) => [column * taps, (column + 1) * taps] as const);
  for (const element of problem.bias.elements) starts.push([element, element + 1]);
  starts.sort((a, b) => a[0] - b[0]);
  const runs: number[] = [];
  for (const [start, end] of starts) {
    const last = runs[runs.length - 1];
    if (last !== undefined && start - last <= gapMax) runs[runs.length - 1] = Math.max(last, end);
    else runs.push(start, end);
  }
  return runs;
}
