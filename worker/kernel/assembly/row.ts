/** One layer's set-up, and the solving of one row (src/core/plan/tile.ts is the specification). */
import { chosenMask, closestRule, solveBlock } from './block';
import { allocate, releaseAll } from './memory';
import { generate, scheduleBytes, writeSchedule } from './philox';
import { allocateScratch, samples } from './scratch';

/** Samples above which a bias block is solved by the walk, and samples then solved exactly. */
const exactBlockSizeMax: i32 = 40;
const longBlockTailCount: i32 = 20;
/** Pairs of Philox blocks generated ahead: 16 numbers each; a spoilt row wastes half of them on average. */
const pairsAhead: i32 = 16;

let weightSchedule: usize = 0;
let biasSchedule: usize = 0;
let numberShift: i32 = 0;
let numberHalf: i32 = 0;
let rowLength: u64 = 0;
let taps: i32 = 0;
let groupCount: i32 = 0;
let sampleShift: i64 = 0;
let rule: i32 = 0;
let tolerance: i64 = 0;
let hasMultipliers: bool = false;

/** Shape [groups]: where a group's columns start in columnStarts; every group is padded to a multiple of four. */
export let groupOffsets: usize = 0;
/** Shape [groups]: columns of a group, without padding. */
export let groupSizes: usize = 0;
/** Shape [groups]: where each group's targets start, in bytes. */
export let groupTargets: usize = 0;
/** Shape [groups]: elements of the row a group and all before it need, counted from the row's start. */
export let groupEnds: usize = 0;
/** Shape [padded columns]: where each column's weights start within a row, in bytes; paddingStart for padding. */
export let columnStarts: usize = 0;
/** A place, counted from a row's start, where zeros are. */
export let paddingStart: i32 = 0;
/** Shape [padded columns]: u_k; unused without multipliers. */
export let multipliers: usize = 0;
/** Shape [runs, 2]: ranges of elements that are needed at all, ascending. */
export let runs: usize = 0;
/** Shape [m]: byte offsets of the constants' edges in a row, and the constants' values. */
export let biasStarts: usize = 0;
export let biasValues: usize = 0;
/** Shape [channels, taps]: the target weights of the neuron at hand. */
export let targets: usize = 0;
/** The mask bits of the last row. */
export let rowMask: usize = 0;

let runCount: i32 = 0;
let biasCount: i32 = 0;
let biasShift: i64 = 0;
let ownScale: f64 = 0;
let interceptScale: f64 = 0;
let biasTolerance: f64 = 0;
let longSamples: usize = 0;

let rowNumbers: usize = 0;
let ownNumbers: usize = 0;
let maskBytes: u32 = 0;

/** Where element 0 of the row at hand is, the run being generated, and the first element of it that is not there yet. */
let row0: usize = 0;
let rowFirst: u64 = 0;
let run: i32 = 0;
let generatedEnd: i32 = 0;
let bitCount: u32 = 0;
let keptSum: i64 = 0;

/** Allocates a layer; what the layer before had is gone. The caller then fills the exported areas. */
export function allocateLayer(
  groups: i32, paddedColumns: i32, rowElements: i32, tapCount: i32, targetCount: i32, runTotal: i32, biasElements: i32,
  bits: i32, largestBlock: i32,
): void {
  releaseAll();
  allocateScratch(largestBlock);
  weightSchedule = allocate(scheduleBytes);
  biasSchedule = allocate(scheduleBytes);
  groupCount = groups;
  groupOffsets = allocate(<u32>groups * 4);
  groupSizes = allocate(<u32>groups * 4);
  groupTargets = allocate(<u32>groups * 4);
  groupEnds = allocate(<u32>groups * 4);
  columnStarts = allocate(<u32>paddedColumns * 4);
  multipliers = allocate(<u32>paddedColumns * 4);
  runCount = runTotal;
  runs = allocate(<u32>runTotal * 8);
  biasCount = biasElements;
  biasStarts = allocate(<u32>biasElements * 4);
  biasValues = allocate(<u32>biasElements * 4);
  longSamples = allocate(<u32>(biasElements + 1) * 4);
  targets = allocate(<u32>targetCount * 4);
  maskBytes = (<u32>bits >> 3) + 16;
  rowMask = allocate(maskBytes);
  ownNumbers = allocate(64);
  // A row starts up to seven numbers after rowNumbers, and padding is read at its taps like any column.
  const zeroBytes: u32 = ((<u32>tapCount << 2) + 32 + 63) & ~63;
  paddingStart = -(<i32>zeroBytes);
  const zeros = allocate(zeroBytes + <u32>rowElements * 4 + <u32>pairsAhead * 64 + 128);
  memory.fill(zeros, 0, zeroBytes);
  rowNumbers = zeros + zeroBytes;
}

/** Sets what the layer's blocks share. */
export function configureSource(seed: u64, gridBits: i32, sourceLayer: u32, rowElements: i32, tapCount: i32): void {
  writeSchedule(weightSchedule, seed, (<u64>sourceLayer) << 1);
  writeSchedule(biasSchedule, seed, ((<u64>sourceLayer) << 1) + 1);
  numberShift = 32 - gridBits;
  numberHalf = 1 << (gridBits - 1);
  rowLength = <u64>rowElements;
  taps = tapCount;
}

/** Sets how the layer's blocks are judged. Tolerances are whole numbers from 0 to 2^53. */
export function configureBlocks(withMultipliers: bool, shift: i32, chosenRule: i32, blockTolerance: f64): void {
  hasMultipliers = withMultipliers;
  sampleShift = <i64>shift;
  rule = chosenRule;
  tolerance = <i64>blockTolerance;
}

/** Sets how the bias blocks are made and judged. */
export function configureBias(shift: i32, own: f64, intercept: f64, toleranceOfBias: f64): void {
  biasShift = <i64>shift;
  ownScale = own;
  interceptScale = intercept;
  biasTolerance = toleranceOfBias;
}

/** Solves a row against `targets` and a bias target; returns −1 for a copy (its bits are in rowMask), else the first block missed. */
export function solveRow(row: f64, biasTarget: f64): i32 {
  memory.fill(rowMask, 0, maskBytes);
  rowFirst = <u64>row * rowLength;
  row0 = rowNumbers + ((<usize>rowFirst & 7) << 2);
  run = 0;
  generatedEnd = runCount > 0 ? load<i32>(runs) : 0;
  bitCount = 0;
  keptSum = 0;
  for (let group = 0; group < groupCount; group++) {
    const at = <usize>group << 2;
    ensureGenerated(load<i32>(groupEnds + at));
    const from = load<i32>(groupOffsets + at);
    const count = load<i32>(groupSizes + at);
    const target = targets + <usize>load<u32>(groupTargets + at);
    for (let tap = 0; tap < taps; tap++) {
      if (hasMultipliers) gatherProducts(from, count, tap);
      else gather(from, count, tap);
      if (!solveBlock(count, <i64>load<i32>(target + (<usize>tap << 2)), tolerance, rule)) return group * taps + tap;
      if (interceptScale != 0) addKept(from, tap);
      appendBits(chosenMask, count);
    }
  }
  ensureGenerated(<i32>rowLength);
  const shifted = biasTarget - floor(interceptScale * <f64>keptSum + 0.5);
  return solveBias(<u64>row, shifted) ? -1 : groupCount * taps;
}

/** Generates the runs up to element `end`, and some more of the run. */
function ensureGenerated(end: i32): void {
  while (run < runCount) {
    const runEnd = load<i32>(runs + (<usize>run << 3), 4);
    while (generatedEnd < runEnd) {
      if (generatedEnd >= end) return;
      const first = (rowFirst + <u64>generatedEnd) & ~7;
      const offset = <i32>(<i64>first - <i64>rowFirst);
      const pairs = min(pairsAhead, (runEnd - offset + 15) >> 4);
      generate(weightSchedule, first >> 3, pairs, row0 + (<isize>offset << 2), numberShift, numberHalf);
      generatedEnd = offset + (pairs << 4);
    }
    run++;
    if (run < runCount) generatedEnd = max(generatedEnd, load<i32>(runs + (<usize>run << 3)));
  }
}

function clearPadding(count: i32): void {
  v128.store(samples + (<usize>count << 2), i32x4.splat(0));
}

/** Four weights at a time: a vector is stored as it is read later, so that no read waits for four narrow writes. */
// @ts-ignore: decorator
@inline
function gatherFour(row: usize, starts: usize): v128 {
  let four = v128.load_zero<u32>(row + <usize>load<u32>(starts));
  four = v128.load_lane<u32>(row + <usize>load<u32>(starts, 4), four, 1);
  four = v128.load_lane<u32>(row + <usize>load<u32>(starts, 8), four, 2);
  return v128.load_lane<u32>(row + <usize>load<u32>(starts, 12), four, 3);
}

function gather(from: i32, count: i32, tap: i32): void {
  const row = row0 + (<usize>tap << 2);
  let starts = columnStarts + (<usize>from << 2);
  for (let out = samples, end = samples + (<usize>count << 2); out < end; out += 16, starts += 16) {
    v128.store(out, gatherFour(row, starts));
  }
}

/** Products of 48 bits, of which the shift keeps 32: so it does not matter that it is one of unsigned numbers. */
function gatherProducts(from: i32, count: i32, tap: i32): void {
  const row = row0 + (<usize>tap << 2);
  const half = i64x2.splat(sampleShift == 0 ? 0 : (<i64>1) << (sampleShift - 1));
  const shift = <i32>sampleShift;
  const columns = columnStarts + (<usize>from << 2);
  const factors = multipliers + (<usize>from << 2);
  for (let at: usize = 0, end = <usize>count << 2; at < end; at += 16) {
    const weights = gatherFour(row, columns + at);
    const four = v128.load(factors + at);
    const low = i64x2.shr_u(i64x2.add(i64x2.extmul_low_i32x4_s(weights, four), half), shift);
    const high = i64x2.shr_u(i64x2.add(i64x2.extmul_high_i32x4_s(weights, four), half), shift);
    v128.store(samples + at, v128.shuffle<u32>(low, high, 0, 2, 4, 6));
  }
}

/** Adds the grid integers of the chosen edges to the sum that the intercept is taken from. */
function addKept(from: i32, tap: i32): void {
  const row = row0 + (<usize>tap << 2);
  for (let rest = chosenMask; rest != 0; rest &= rest - 1) {
    const column = from + <i32>ctz(rest);
    keptSum += <i64>load<i32>(row + <usize>load<u32>(columnStarts + (<usize>column << 2)));
  }
}

/** Appends the lower `count` ≤ 40 bits of a mask to the row's mask. */
function appendBits(bits: u64, count: i32): void {
  const at = rowMask + (bitCount >> 3);
  store<u64>(at, load<u64>(at) | (bits << (bitCount & 7)));
  bitCount += count;
}

function solveBias(row: u64, target: f64): bool {
  const half: i64 = biasShift == 0 ? 0 : (<i64>1) << (biasShift - 1);
  let count = biasCount;
  for (let k = 0; k < biasCount; k++) {
    const at = <usize>k << 2;
    const product = <i64>load<i32>(biasValues + at) * <i64>load<i32>(row0 + <usize>load<u32>(biasStarts + at));
    store<i32>(longSamples + at, <i32>((product + half) >> biasShift));
  }
  if (ownScale != 0) {
    generate(biasSchedule, row >> 3, 1, ownNumbers, numberShift, numberHalf);
    const own = <f64>load<i32>(ownNumbers + ((<usize>row & 7) << 2));
    store<i32>(longSamples + (<usize>count << 2), <i32>floor(ownScale * own + 0.5));
    count++;
  }
  if (count > exactBlockSizeMax) return solveLong(count, target);
  memory.copy(samples, longSamples, <usize>count << 2);
  clearPadding(count);
  if (!solveBlock(count, toWhole(target), toWhole(biasTolerance), rule)) return false;
  appendBits(chosenMask, count);
  return true;
}

/** The canonical procedure for long blocks: a greedy walk, then the last samples by `closest`. */
function solveLong(count: i32, target: f64): bool {
  const walkCount = count - longBlockTailCount;
  let residual = -target;
  for (let k = 0; k < walkCount; k++) {
    const moved = residual + <f64>load<i32>(longSamples + (<usize>k << 2));
    const isTaken = abs(moved) < abs(residual);
    if (isTaken) residual = moved;
    appendBits(<u64>isTaken, 1);
  }
  memory.copy(samples, longSamples + (<usize>walkCount << 2), longBlockTailCount << 2);
  clearPadding(longBlockTailCount);
  if (!solveBlock(longBlockTailCount, toWhole(-residual), toWhole(biasTolerance), closestRule)) return false;
  appendBits(chosenMask, longBlockTailCount);
  return true;
}

/** Whole numbers beyond 2^62 are out of every reach, whatever they are exactly. */
function toWhole(value: f64): i64 {
  return <i64>max(min(value, 4611686018427387904.0), -4611686018427387904.0);
}
