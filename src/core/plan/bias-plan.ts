/**
 * Plans the constants of each source layer and the bias blocks they serve (mathematics.md §5).
 *
 * A bias block of n constants reaches about n·gain·E|c|/4, the samples of the right sign of half the gain each; it is made
 * large enough for twice the largest bias target expected. In a first layer with φ(0) ≠ 0 that target contains the
 * intercept d·Σ v of the row, which spreads like √(kept edges), so there the block can be hundreds of samples long.
 */

import { misuse } from '../errors.ts';
import { longBlockSizeMax } from '../limits.ts';
import { type Activation, activate, isPositivelyHomogeneous } from '../network/activation.ts';
import type { BiasInit } from '../source/source-network.ts';
import { weightQuantum } from '../verify/quantise.ts';
import { constantEdges, constantMap, isUsefulConstant } from './constants.ts';
import type { LayerView } from './layer-view.ts';

/** What the bias plan of one target layer is made from. */
export interface BiasQuestion {
  readonly view: LayerView;
  /** 0-based target layer. */
  readonly index: number;
  readonly exact: boolean;
  readonly gridBits: number;
  readonly biasInit: BiasInit;
  /** Gain of the source layer whose rows carry the bias. */
  readonly gain: number;
  /** Largest |residual| allowed, in the target's units; ignored where biases are quantised. */
  readonly tolerance: number;
  /** The layer whose steps the constants pass, null for those of source layer 1. */
  readonly before: LayerView | null;
  /** Activations between the constants' rows and their readers. */
  readonly activations: readonly Activation[];
  /** Standard deviation of the intercepts of a row, 0 without intercepts. */
  readonly interceptSpread: number;
  /** Largest |value| before the activations that a constant without a bias of its own can have (zero biases). */
  readonly unbiasedMax: number;
}

/** The plan of one target layer's biases, and of the constants one source layer below. */
export interface BiasPlan {
  /** For the source layer that holds the constants. */
  readonly biasGain: number;
  readonly constantRows: number;
  readonly biasBlockSize: number;
  readonly biasUnit: number;
  /** In bias units. */
  readonly biasTolerance: number;
  readonly biasQuantum: number;
  readonly ownBias: boolean;
  /** Largest |c| of a constant. */
  readonly constantMax: number;
}

/** Samples of an ordinary bias block: enough that one in some ten thousand rows misses. */
const ordinaryBlockSize = 22;
/** Samples beyond log₂(range / tolerance) that make a miss rare. */
const spareBits = 9;
/** Exact hits of 14-bit products want a few more. */
const quantisedBlockSize = 28;
/** Blocks between these sizes are neither quick to solve exactly nor long enough for the greedy walk. */
const exactSizeMax = 32;
const longSizeMin = 56;
/** Fraction bits of a constant's value in bias units: |c| ≤ 2^e is at most 2^23. */
const constantBits = 23;
const biasGainMax = 16;
/** Constants of a layer at least: edges of one constant share its value, and a few shared values may share a divisor. */
const distinctConstantsMin = 8;

/** Returns the plan for one target layer's biases. */
export function planBias(question: BiasQuestion): BiasPlan {
  const { view, gain, interceptSpread } = question;
  const reach = view.biasMax + 4.5 * interceptSpread;
  const biasGain = chooseBiasGain(question, reach);
  const spread = constantSpread(question, biasGain);
  if (reach === 0) return noBias(question, biasGain, spread);
  const quantised = isQuantised(question);
  const needed = Math.ceil((8 * reach) / (gain * spread.mean));
  const size = blockSize(needed, quantised ? quantisedBlockSize : resolvingSize(question, spread.max));
  if (!(size <= longBlockSizeMax))
    throw misuse(
      `Cannot plan the biases of ${view.title}: ${size} constants needed, expected at most ${longBlockSizeMax}; use ${question.biasInit === 'zero' ? '--bias-init uniform or ' : ''}a target with smaller biases${interceptSpread > 0 ? ' or fewer inputs' : ''}`,
    );
  return {
    biasGain,
    constantRows: constantRows(question, { size, usableShare: spread.usableShare }),
    biasBlockSize: size,
    ...units(question, { biasGain, size, constantMax: spread.max, quantised }),
    ownBias: question.biasInit === 'uniform' && !quantised,
    constantMax: spread.max,
  };
}

/** A layer without biases and intercepts keeps no bias edge at all. */
function noBias(question: BiasQuestion, biasGain: number, spread: Spread): BiasPlan {
  return {
    biasGain,
    constantRows: 0,
    biasBlockSize: 0,
    ...units(question, { biasGain, size: 0, constantMax: spread.max, quantised: false }),
    ownBias: false,
    constantMax: spread.max,
  };
}

/**
 * Constants as large as the biases they serve need: larger ones would only be coarser. Where φ(0) ≠ 0 constants cannot be small,
 * and biases of about 1 spread them; elsewhere a saturating φ has nothing to give beyond its range.
 */
function chooseBiasGain(question: BiasQuestion, reach: number): number {
  const wanted = Math.max(reach, (question.view.scale || 1) / 4) / question.gain;
  if (isQuantised(question)) return Math.min(wanted, quantisedGainMax(question));
  if (question.activations.every(isPositivelyHomogeneous)) return wanted;
  const atRest = question.activations.reduce((value, activation) => activate(activation, value), 0);
  return Math.min(biasGainMax, atRest === 0 ? 2 * wanted : Math.max(1, wanted));
}

/** The gain whose biases come in steps of half a weight quantum, the coarsest that verification accepts; more constants do the rest. */
function quantisedGainMax({ view, gain, gridBits }: BiasQuestion): number {
  return (weightQuantum(view.scale, gridBits) * 2 ** (2 * (gridBits - 1))) / (2 * gain);
}

interface Spread {
  /** Mean |c| of the constants that are not 0. */
  readonly mean: number;
  readonly max: number;
  /** Share of the constants that are not 0. */
  readonly usableShare: number;
}

/** What the constants are worth, from 64 values spread evenly over the range of what goes into them. */
function constantSpread(question: BiasQuestion, biasGain: number): Spread {
  const pass = (value: number): number =>
    Math.abs(question.activations.reduce((current, activation) => activate(activation, current), value));
  const atRest = pass(0);
  if (question.biasInit === 'zero' && atRest !== 0) return { mean: atRest, max: atRest, usableShare: 1 };
  const range = question.biasInit === 'zero' ? question.unbiasedMax : biasGain;
  const values = Array.from({ length: 64 }, (_, k) => pass(range * ((2 * k + 1) / 64 - 1)));
  const max = Math.max(pass(range), pass(-range));
  const usable = values.filter((value) => isUsefulConstant(value, max));
  const mean = usable.reduce((sum, value) => sum + value, 0) / Math.max(1, usable.length);
  const isChosen = question.biasInit === 'zero' && question.index > 0;
  return {
    mean: isChosen ? 0.7 * max : mean,
    max,
    usableShare: isChosen ? 1 : usable.length / values.length,
  };
}

/** Quantised biases need constants that are whole multiples of one unit: φ(β) ∝ β with uniform biases. */
function isQuantised({ exact, biasInit, activations }: BiasQuestion): boolean {
  return exact && biasInit === 'uniform' && activations.every(isPositivelyHomogeneous);
}

/** Samples it takes to come within the tolerance: n of them give 2^n sums over a range of some gains. */
function resolvingSize({ gain, tolerance }: BiasQuestion, constantMax: number): number {
  const bits = Math.ceil(Math.log2(Math.max(1, (gain * constantMax) / tolerance)));
  return Math.min(exactSizeMax, Math.max(ordinaryBlockSize, bits + spareBits));
}

function blockSize(needed: number, ordinary: number): number {
  if (needed <= ordinary) return ordinary;
  return needed <= exactSizeMax ? needed : Math.max(longSizeMin, needed);
}

function constantRows(
  question: BiasQuestion,
  { size, usableShare }: { size: number; usableShare: number },
): number {
  const { view, index, before } = question;
  const [top, left, bottom, right] = index === 0 ? (view.convolution?.padding ?? [0, 0, 0, 0]) : [0, 0, 0, 0];
  const positions = (view.inputSize[0] + top + bottom) * (view.inputSize[1] + left + right);
  const map = before === null ? new Float64Array(positions).fill(1) : constantMap(1, before);
  const sample = [{ row: 0, map }];
  const edgesPerRow = constantEdges(sample, view, index > 0).length;
  if (edgesPerRow === 0)
    throw misuse(
      `Cannot plan the biases of ${view.title}: its padding, or that of the pool before it, leaves no kernel position that reads a constant alike everywhere, expected less padding`,
    );
  const rows = Math.max(Math.ceil(size / edgesPerRow), Math.min(size, distinctConstantsMin));
  const margin = usableShare < 1 ? Math.ceil(2.5 * Math.sqrt(rows)) + 2 : 0;
  return Math.ceil((rows + margin) / usableShare);
}

function units(
  { view, gain, gridBits, tolerance, biasInit, exact }: BiasQuestion,
  {
    biasGain,
    size,
    constantMax,
    quantised,
  }: { biasGain: number; size: number; constantMax: number; quantised: boolean },
): Pick<BiasPlan, 'biasUnit' | 'biasTolerance' | 'biasQuantum'> {
  if (quantised) {
    const biasUnit = (gain * biasGain) / 2 ** (2 * (gridBits - 1));
    return { biasUnit, biasTolerance: 0, biasQuantum: biasUnit };
  }
  const exponent = Math.ceil(Math.log2(Math.max(constantMax, 2 ** -20)));
  const biasUnit = gain * 2 ** (exponent - constantBits);
  const biasTolerance = Math.floor(tolerance / biasUnit - biasRounding(size));
  if (biasTolerance < 0)
    throw misuse(
      `Cannot plan the biases of ${view.title}: rounding ${size} samples costs ${biasRounding(size) * biasUnit}, more than the tolerance ${tolerance}; expected ${exact ? '--epsilon instead of --exact' : 'a larger --epsilon'}${biasInit === 'zero' ? ' or --bias-init uniform' : ''}`,
    );
  return { biasUnit, biasTolerance, biasQuantum: 0 };
}

/**
 * Returns how many bias units the rounding of a bias block of `size` samples can cost: each sample is rounded twice (its constant,
 * its product), the target, the intercept and the own bias once each, by half a unit at a time.
 */
export function biasRounding(size: number): number {
  return size + 2;
}
