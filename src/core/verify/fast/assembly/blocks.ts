/** What the weight blocks of a row come to. All sums are of float64 numbers in the order of the readable verifier: same bits. */
import { reserve } from './memory';
import { kept, readRow, weights } from './row';

/** Shape [weight bits]: the block that each bit belongs to. The loader writes this and what follows, but for `sums`. */
export let blocksOfBits: usize = 0;
/** Shape [weight bits]: u_k; unused where samples are plain. */
export let multipliers: usize = 0;
/** Shape [blocks], float64: the target of each block, in the unit of its sum times `sumScale`. */
export let targets: usize = 0;
/** Shape [blocks], float64: the sum of each block. */
export let sums: usize = 0;
/** Shape [weight bits]: where in `edgeSpreads` the error of what an edge reads stands. */
export let spreadsOfBits: usize = 0;
/** Shape [entries, 4], float64: low, high, largest size, 0. */
export let edgeSpreads: usize = 0;
/** Shape [channels, 4], float64: likewise, of what the channels can be. */
export let inputSpreads: usize = 0;
/** Shape [blocks]: the channel of each block. */
export let channelsOfBlocks: usize = 0;

/** Float64 results of the last row: see measureRow. */
export let report: usize = 0;

let weightBits: i32 = 0;
let blockCount: i32 = 0;
let hasMultipliers: bool = false;
let isShifted: bool = false;
let shiftHalf: f64 = 0;
let shiftDivisor: f64 = 1;
let tolerance: f64 = 0;
let sumScale: f64 = 1;
let weightScale: f64 = 1;
let signs: i32 = 1;
let taps: i32 = 1;
let slopePositive: f64 = 1;
let slopeNegative: f64 = 0;

/** Makes room for blocks over the first `bits` bits of a row. */
export function reserveBlocks(bits: i32, blocks: i32): void {
  weightBits = bits;
  blockCount = blocks;
  blocksOfBits = reserve(<u64>bits << 2);
  multipliers = reserve(<u64>bits << 2);
  targets = reserve((<u64>blocks + 1) << 3);
  sums = reserve((<u64>blocks + 1) << 3);
  report = reserve(128);
}

/** Makes room for what errors are measured with. */
export function reserveSpreads(entries: i32, channels: i32): void {
  spreadsOfBits = reserve(<u64>weightBits << 2);
  edgeSpreads = reserve(<u64>entries << 5);
  inputSpreads = reserve(<u64>channels << 5);
  channelsOfBlocks = reserve(<u64>blockCount << 2);
}

/** Says how samples are made and blocks judged: half and divisor of the rounding shift, divisor 1 for none. */
export function setBlocks(withMultipliers: bool, divisor: f64, largestResidual: f64): void {
  hasMultipliers = withMultipliers;
  isShifted = divisor != 1;
  shiftDivisor = divisor;
  shiftHalf = divisor / 2;
  tolerance = largestResidual;
}

/** Says what sums and weights are worth, and how the residuals of sign groups mix. */
export function setErrors(scale: f64, ofWeights: f64, signGroups: i32, tapCount: i32, right: f64, left: f64): void {
  sumScale = scale;
  weightScale = ofWeights;
  signs = signGroups;
  taps = tapCount;
  slopePositive = right;
  slopeNegative = left;
}

/** Returns how many of the first `count` kept bits belong to weight blocks. */
function weightEdges(count: i32): i32 {
  while (count > 0 && load<i32>(kept + (<usize>(count - 1) << 2)) >= weightBits) count--;
  return count;
}

/**
 * Reads a row of a tile and sums its blocks; returns 1 if every residual is within tolerance, else 0.
 * Report: kept bits, those of weight blocks, Σ v of the latter.
 */
export function checkRow(row: f64): i32 {
  const count = readRow(row);
  const edges = weightEdges(count);
  memory.fill(sums, 0, <usize>blockCount << 3);
  let keptSum: f64 = 0;
  if (hasMultipliers || isShifted) {
    for (let at: usize = 0, end = <usize>edges << 2; at != end; at += 4) {
      const bit = <usize>load<u32>(kept + at);
      const weight = <f64>load<i32>(weights + at);
      keptSum += weight;
      let sample = hasMultipliers ? <f64>load<i32>(multipliers + (bit << 2)) * weight : weight;
      if (isShifted) sample = floor((sample + shiftHalf) / shiftDivisor);
      addTo(bit, sample);
    }
  } else {
    for (let at: usize = 0, end = <usize>edges << 2; at != end; at += 4) {
      const weight = <f64>load<i32>(weights + at);
      keptSum += weight;
      addTo(<usize>load<u32>(kept + at), weight);
    }
  }
  store<f64>(report, <f64>count);
  store<f64>(report, <f64>edges, 8);
  store<f64>(report, keptSum, 16);
  // What is behind the last block is 0 in sums and targets.
  const bound = f64x2.splat(tolerance);
  let isWithin = i64x2.splat(-1);
  for (let at: usize = 0, end = <usize>blockCount << 3; at < end; at += 16) {
    const residual = f64x2.abs(f64x2.sub(v128.load(sums + at), v128.load(targets + at)));
    isWithin = v128.and(isWithin, f64x2.le(residual, bound));
  }
  return i64x2.all_true(isWithin) ? 1 : 0;
}

/** Without a branch per block: its kept edges are few, and how many differs from block to block. */
// @ts-ignore: decorator
@inline
function addTo(bit: usize, sample: f64): void {
  const sum = sums + (<usize>load<u32>(blocksOfBits + (bit << 2)) << 3);
  store<f64>(sum, load<f64>(sum) + sample);
}

/**
 * Reads a row of a ticket, sums its blocks, and adds up what its residuals and the errors behind its edges can do; returns 1
 * if every residual is within tolerance, else 0.
 * Report: kept bits, those of weight blocks, Σ v of the latter, largest |residual|; then low, high and size of the edges' errors,
 * and the same of the residuals.
 */
export function measureRow(row: f64): i32 {
  const count = readRow(row);
  const edges = weightEdges(count);
  memory.fill(sums, 0, <usize>blockCount << 3);
  let keptSum: f64 = 0;
  let bounds = f64x2.splat(0);
  let sizes: f64 = 0;
  for (let at: usize = 0, end = <usize>edges << 2; at != end; at += 4) {
    const bit = <usize>load<u32>(kept + at);
    const weight = <f64>load<i32>(weights + at);
    keptSum += weight;
    addTo(bit, hasMultipliers ? weight * <f64>load<i32>(multipliers + (bit << 2)) : weight);
    const factor = weightScale * weight;
    const spread = edgeSpreads + (<usize>load<u32>(spreadsOfBits + (bit << 2)) << 5);
    bounds = f64x2.add(bounds, scaled(factor, v128.load(spread)));
    sizes += abs(factor) * load<f64>(spread, 16);
  }
  store<f64>(report, <f64>count);
  store<f64>(report, <f64>edges, 8);
  store<f64>(report, keptSum, 16);
  v128.store(report, bounds, 32);
  store<f64>(report, sizes, 48);
  return signs == 1 ? measureResiduals() : measureSignedResiduals();
}

/** [low, high] times a factor: the ends change places below 0. */
// @ts-ignore: decorator
@inline
function scaled(factor: f64, interval: v128): v128 {
  const factors = f64x2.splat(factor);
  const product = f64x2.mul(factors, interval);
  return v128.bitselect(v128.shuffle<u64>(product, product, 1, 0), product, f64x2.lt(factors, f64x2.splat(0)));
}

function measureResiduals(): i32 {
  let bounds = f64x2.splat(0);
  let sizes: f64 = 0;
  let largest: f64 = 0;
  let isWithin = true;
  for (let block: usize = 0; block < <usize>blockCount; block++) {
    const residual = load<f64>(sums + (block << 3)) * sumScale - load<f64>(targets + (block << 3));
    const size = abs(residual);
    isWithin = isWithin && size <= tolerance;
    largest = max(largest, size);
    const spread = inputSpreads + (<usize>load<u32>(channelsOfBlocks + (block << 2)) << 5);
    bounds = f64x2.add(bounds, scaled(residual, v128.load(spread)));
    sizes += size * load<f64>(spread, 16);
  }
  return reportResiduals(isWithin, largest, bounds, sizes);
}

/** The positive blocks of all taps of a channel come before the negative ones. */
function measureSignedResiduals(): i32 {
  let low: f64 = 0;
  let high: f64 = 0;
  let sizes: f64 = 0;
  let largest: f64 = 0;
  let isWithin = true;
  const slopes = slopePositive + slopeNegative;
  const step = <usize>taps << 3;
  const end = sums + (<usize>blockCount << 3);
  for (let sum = sums, target = targets; sum < end; sum += step, target += step) {
    const block = (sum - sums) >> 3;
    const spread = inputSpreads + (<usize>load<u32>(channelsOfBlocks + (block << 2)) << 5);
    const inputLow = load<f64>(spread);
    const inputHigh = load<f64>(spread, 8);
    for (const positives = sum + step; sum < positives; sum += 8, target += 8) {
      const positive = load<f64>(sum) * sumScale - load<f64>(target);
      const negative = load<f64>(sum + step) * sumScale - load<f64>(target + step);
      const size = max(abs(positive), abs(negative));
      isWithin = isWithin && size <= tolerance;
      largest = max(largest, size);
      const right = (slopePositive * positive + slopeNegative * negative) / slopes;
      const left = (slopeNegative * positive + slopePositive * negative) / slopes;
      // What the residuals do at both ends of the inputs' range, and at 0 if it is within.
      const nearRight = right * max(0, inputLow);
      const nearLeft = left * min(0, inputHigh);
      const atHigh = inputHigh > 0 ? right * inputHigh : nearLeft;
      const atLow = inputLow < 0 ? left * inputLow : nearRight;
      const least = inputHigh > 0 ? nearRight : nearLeft;
      const most = inputLow < 0 ? nearLeft : nearRight;
      low += min(min(atHigh, atLow), min(least, most));
      high += max(max(atHigh, atLow), max(least, most));
      sizes += max(max(abs(atHigh), abs(atLow)), max(abs(least), abs(most)));
    }
  }
  return reportResiduals(isWithin, largest, f64x2.replace_lane(f64x2.splat(low), 1, high), sizes);
}

function reportResiduals(isWithin: bool, largest: f64, bounds: v128, sizes: f64): i32 {
  store<f64>(report, largest, 24);
  v128.store(report, bounds, 64);
  store<f64>(report, sizes, 80);
  return isWithin ? 1 : 0;
}
