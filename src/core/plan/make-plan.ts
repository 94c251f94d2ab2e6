/**
 * Target and options to plan: block sizes, gains, rows, constants. Of the source's own numbers nothing is looked at but whether the
 * constants of an exact search share a divisor (bias-edges.ts); the source is fixed by (seed, shape, gains) before the search begins.
 * Asynchronous only because the solver that probes is.
 */
import { misuse } from '../errors.ts';
import { exactBlockSizeMax, gridBitsMax, gridBitsMin, sourceRowsMax } from '../limits.ts';
import { type Activation, type Interval, linearisation } from '../network/activation.ts';
import { hull, readsPadding, stepsInterval } from '../network/intervals.ts';
import type { Network } from '../network/network.ts';
import type { BiasInit, SourceLayer } from '../source/source-network.ts';
import type { Rule } from '../subset-sum/problem.ts';
import { weightQuantum } from '../verify/quantise.ts';
import type { BiasPlan } from './bias-plan.ts';
import { type BlockChoice, type BlockOption, chooseBlock, gainFactors, sizeLadder } from './block-size.ts';
import { chooseFirstGain } from './first-gain.ts';
import { joinPlans } from './join-plans.ts';
import { type LayerView, layerViews } from './layer-view.ts';
import { groupSlope, type LayerPlan, type Mode, type Plan, type SignGroups } from './plan.ts';
import { checkBiases, planBiases, reachingRows } from './plan-biases.ts';
import { endingSolver, type ProbeSpec } from './probe.ts';
import { rowBudget } from './row-budget.ts';
import { type ConstructionKind, plannedInputs, type Stage, stagesOf } from './stage.ts';
import type { Solver } from './tile.ts';
import { signGroupsFor } from './univariate.ts';

/** What the user decides. */
export interface PlanOptions {
  readonly mode: Mode;
  /** Relative tolerance; ignored in exact mode. */
  readonly epsilon: number;
  readonly rule: Rule;
  readonly seed: bigint;
  readonly gridBits: number;
  readonly copies: number | 'auto';
  readonly biasInit: BiasInit;
  /** Probability that some neuron runs out of rows: see row-budget.ts for what it counts. */
  readonly failureProbability: number;
  readonly inputRange: Interval;
  /** L+1 unless told otherwise. */
  readonly construction?: ConstructionKind;
}

/** Products of two grid integers stay exact up to here; above, exact mode has no exact first layer. */
const exactGridBitsMax = 12;

/** What is known of the target before any block is sized. */
interface Setting {
  readonly options: PlanOptions;
  /** 0-based target layer, and source layer, that is layer 0 here. */
  readonly firstLayer: number;
  readonly firstSourceLayer: number;
  readonly epsilon: number;
  readonly views: readonly LayerView[];
  readonly activation: Activation;
  readonly signGroups: SignGroups;
  readonly firstGain: number;
  /** Target weight per unit of gain₁·Σ u·v. */
  readonly slope: number;
}

/**
 * Returns the plan for a target.
 * @throws TombolaError (misuse) when the options contradict each other or no block size can do what they ask.
 */
export async function makePlan(network: Network, options: PlanOptions, solver: Solver): Promise<Plan> {
  checkOptions(options);
  const stages = stagesOf(network, options.construction ?? 'L+1');
  const inputs = plannedInputs(network, stages, options.inputRange);
  const failureProbability = options.failureProbability / stages.length;
  const settings = stages.map((stage, index) =>
    settingOf(stage, { ...options, failureProbability, inputRange: inputs[index] ?? options.inputRange }),
  );
  for (const setting of settings) checkBiases(setting, (index) => possibleGains(setting, index));
  const probing = endingSolver(solver);
  const plans = await Promise.all(settings.map((setting) => planStage(setting, probing))).finally(
    probing.end,
  );
  return joinPlans(plans, { stages, inputRange: options.inputRange });
}

async function planStage(setting: Setting, solver: Solver): Promise<Plan> {
  const { options } = setting;
  const choices = await Promise.all(
    setting.views.map((_, index) => chooseLayerBlock(setting, index, solver)),
  );
  const gains = choices.map((choice, index) => layerGain(setting, index, choice.spec));
  const planned = planBiases(setting, { gains, meanSubsetSize: choices[0]?.result.meanSubsetSize ?? 1 });
  const rows = setting.views.map((_, index) => layerPlanOf(setting, index, { choices, biases: planned }));
  const biases = planned.map((bias, index) => {
    const firstRow = firstConstantRowOf(setting, index, { choices, layers: rows });
    return {
      ...bias,
      constantRows: reachingRows(setting, { index, bias, firstRow, gain: gains[index] ?? 1 }),
    };
  });
  const layers = rows.map((layer, index) => ({
    ...layer,
    constantRows: biases[index + 1]?.constantRows ?? 0,
  }));
  return {
    mode: options.mode,
    epsilon: setting.epsilon,
    rule: options.rule,
    inputRange: options.inputRange,
    source: {
      seed: options.seed,
      gridBits: options.gridBits,
      biasInit: options.biasInit,
      layers: sourceLayers(setting, { choices, gains, biases, layers }),
    },
    univariate: {
      activation: setting.activation,
      blockSize: choices[0]?.blockSize ?? 0,
      signGroups: setting.signGroups,
      constantRows: biases[0]?.constantRows ?? 0,
      extendedInput: needsOnesInput(setting),
    },
    deeperUnivariates: [],
    layers,
  };
}

function checkOptions(options: PlanOptions): void {
  const { mode, epsilon, gridBits, copies, inputRange, failureProbability, seed, construction } = options;
  if (construction === '2L' && copies !== 'auto')
    throw misuse(
      `Cannot plan --construction 2L with --copies ${copies}: it makes no copies, leave --copies out`,
    );
  if (!isWholeWithin(gridBits, gridBitsMin, gridBitsMax))
    throw misuse(`Cannot plan with --grid-bits ${gridBits}: expected ${gridBitsMin} to ${gridBitsMax}`);
  if (mode === 'exact' && gridBits > exactGridBitsMax)
    throw misuse(
      `Cannot plan --exact with --grid-bits ${gridBits}: expected at most ${exactGridBitsMax}, or --epsilon instead of --exact`,
    );
  if (mode === 'tolerance' && !(epsilon > 0 && epsilon < 1))
    throw misuse(`Cannot plan with --epsilon ${epsilon}: expected a number between 0 and 1, or --exact`);
  if (copies !== 'auto' && !isWholeWithin(copies, 1, exactBlockSizeMax))
    throw misuse(`Cannot plan with --copies ${copies}: expected auto or 1 to ${exactBlockSizeMax}`);
  if (!(inputRange[0] < inputRange[1] && inputRange.every(Number.isFinite)))
    throw misuse(`Cannot plan with --input-range ${inputRange.join(',')}: expected LO,HI with LO < HI`);
  if (!(failureProbability > 0 && failureProbability < 1))
    throw misuse(
      `Cannot plan with --failure-probability ${failureProbability}: expected a number between 0 and 1`,
    );
  if (seed < 0n || seed >= 1n << 64n)
    throw misuse(`Cannot plan with --seed ${seed}: expected a whole number from 0 to 2^64 − 1`);
}

function isWholeWithin(value: number, low: number, high: number): boolean {
  return Number.isInteger(value) && value >= low && value <= high;
}

function settingOf(stage: Stage, options: PlanOptions): Setting {
  const { network, firstLayer, firstSourceLayer, possible } = stage;
  const views = layerViews(network);
  const activation = network.univariateActivation;
  const epsilon = options.mode === 'exact' ? 0 : options.epsilon;
  const declared = stepsInterval(network.inputSteps, options.inputRange);
  const first = network.layers[0];
  const inputs = first !== undefined && readsPadding(first.linear) ? hull(declared, [0, 0]) : declared;
  // The planned range is an estimate; verification asks what the steps before can give at all.
  const signGroups = signGroupsFor(activation, (possible ?? inputs)[0] >= 0);
  const share = options.mode === 'exact' ? 2 ** -options.gridBits : epsilon;
  const firstGain = chooseFirstGain(activation, inputs, share);
  const slope = firstGain * groupSlope(signGroups, linearisation(activation));
  const setting = {
    options,
    firstLayer,
    firstSourceLayer,
    epsilon,
    views,
    activation,
    signGroups,
    firstGain,
    slope,
  };
  if (firstLayer > 0 && needsOnesInput(setting))
    throw misuse(
      `Cannot plan --construction 2L with --bias-init zero: layer ${first?.name} has no constants to take its biases from, expected --bias-init uniform`,
    );
  return setting;
}

function chooseLayerBlock(setting: Setting, index: number, solver: Solver): Promise<BlockChoice> {
  const { options, signGroups } = setting;
  const { seed, gridBits, rule, mode } = options;
  const view = viewAt(setting, index);
  return chooseBlock({
    setting: { solver, seed, gridBits, rule, exact: mode === 'exact', index: setting.firstLayer + index },
    view,
    blocksPerWeight: index === 0 && signGroups === 'both' ? 2 : 1,
    epsilon: setting.epsilon,
    sizes: blockSizes(setting, index),
    specOf: (option) => blockSpec(setting, index, option),
  });
}

function blockSizes({ options, epsilon }: Setting, index: number): readonly number[] {
  const { mode, gridBits, copies } = options;
  if (index > 0 && copies !== 'auto') return [copies];
  return sizeLadder(mode === 'exact' ? gridBits : Math.log2(1 / epsilon));
}

function blockSpec(setting: Setting, index: number, option: BlockOption): Omit<ProbeSpec, 'trials'> {
  return index === 0 ? univariateSpec(setting, option) : plainSpec(setting, index, option);
}

/** The gains whose tolerance is not eaten up by rounding, which grows with the block. */
function possibleGains(setting: Setting, index: number): number[] {
  const blockSize = blockSizes(setting, index)[0] ?? 1;
  return gainFactors
    .map((gainFactor) => blockSpec(setting, index, { blockSize, gainFactor }))
    .filter(({ tolerance }) => tolerance >= 0)
    .map((spec) => layerGain(setting, index, spec));
}

/** Plain samples: unit gain/2^(b−1). The target is rounded to the grid, which the tolerance makes room for. */
function plainSpec(setting: Setting, index: number, option: BlockOption): Omit<ProbeSpec, 'trials'> {
  const { mode, gridBits } = setting.options;
  const { scale } = viewAt(setting, index);
  const exact = mode === 'exact';
  const weightUnit = exact
    ? weightQuantum(scale, gridBits)
    : (option.gainFactor * (scale || 1)) / 2 ** (gridBits - 1);
  const tolerance = exact ? 0 : Math.floor((setting.epsilon * (scale || 1)) / weightUnit - 0.5);
  return { blockSize: option.blockSize, weightUnit, tolerance, sampleShift: 0, univariate: null };
}

/** Products: brought back to the grid by a shift when they are longer; then each is rounded by up to half a unit. */
function univariateSpec(setting: Setting, option: BlockOption): Omit<ProbeSpec, 'trials'> {
  const { mode, gridBits } = setting.options;
  const view = viewAt(setting, 0);
  const exact = mode === 'exact';
  const sampleShift = gridBits <= exactGridBitsMax ? 0 : gridBits - 1;
  const weightUnit = exact
    ? weightQuantum(view.scale, gridBits)
    : (option.gainFactor * (view.scale || 1) * 2 ** sampleShift) / 2 ** (2 * (gridBits - 1));
  const rounding = 0.5 + (sampleShift > 0 ? option.blockSize / 2 : 0);
  const tolerance = exact ? 0 : Math.floor((setting.epsilon * (view.scale || 1)) / weightUnit - rounding);
  const univariate = { preferredShare: preferredShare(setting, view.channels), channels: view.channels };
  return { blockSize: option.blockSize, weightUnit, tolerance, sampleShift, univariate };
}

/** Share of the kept univariate weights that are of the preferred kind; in tolerance mode there are rows enough for all. */
function preferredShare(setting: Setting, channels: number): number {
  if (setting.options.mode === 'tolerance') return 1;
  return 1 - (1 - preferredChance(setting)) ** Math.min(channels, 2048);
}

/** Probability that a weight is of the kind plan/univariate.ts prefers: at least half the gain, or ±1 grid unit. */
function preferredChance({ options, signGroups }: Setting): number {
  const signs = signGroups === 'positive' ? 1 : 2;
  return options.mode === 'exact' ? signs / 2 ** options.gridBits : signs / 4;
}

/** The gain that makes one sample unit worth the layer's weight unit. */
function layerGain(setting: Setting, index: number, spec: Omit<ProbeSpec, 'trials'>): number {
  const half = 2 ** (setting.options.gridBits - 1);
  if (index > 0) return spec.weightUnit * half;
  return (spec.weightUnit * half * half) / (setting.slope * 2 ** spec.sampleShift);
}

function needsOnesInput({ options, activation }: Pick<Setting, 'options' | 'activation'>): boolean {
  return options.biasInit === 'zero' && linearisation(activation).intercept === 0;
}

function layerPlanOf(
  setting: Setting,
  index: number,
  { choices, biases }: { choices: readonly BlockChoice[]; biases: readonly BiasPlan[] },
): LayerPlan {
  const choice = choices[index];
  const bias = biases[index];
  if (choice === undefined || bias === undefined) throw new Error(`layer ${index} has no block`);
  const copies = choices[index + 1]?.blockSize ?? 1;
  const success = [...choice.result.rowSuccess].filter((_, neuron) => isUsed(setting, index, neuron));
  const budget = rowBudget(success, {
    copies,
    delta: setting.options.failureProbability / setting.views.length,
    missFactorMax: choice.result.missFactorMax,
  });
  return {
    copies,
    ...budget,
    constantRows: biases[index + 1]?.constantRows ?? 0,
    weightUnit: choice.spec.weightUnit,
    sampleShift: choice.spec.sampleShift,
    tolerance: choice.spec.tolerance,
    biasUnit: bias.biasUnit,
    biasTolerance: bias.biasTolerance,
    biasQuantum: bias.biasQuantum,
    biasBlockSize: bias.biasBlockSize,
    ownBias: bias.ownBias && ownBiasFits(setting, index, biases),
    prediction: {
      missProbability: choice.result.missProbability,
      rowSuccess: success.reduce((sum, s) => sum + s, 0) / Math.max(1, success.length),
      meanSubsetSize: choice.result.meanSubsetSize,
    },
  };
}

/** A row's own bias is a sample only where it is no larger than the samples are meant to be. */
function ownBiasFits(setting: Setting, index: number, biases: readonly BiasPlan[]): boolean {
  return sourceBiasGain(setting, index + 1, biases) / (biases[index]?.biasUnit ?? 1) < 2 ** 24;
}

/** The gain of the biases of a source layer: what its constants need, or the target's own in the last one. */
function sourceBiasGain(setting: Setting, sourceLayer: number, biases: readonly BiasPlan[]): number {
  return biases[sourceLayer]?.biasGain ?? (viewAt(setting, sourceLayer - 1).biasMax || 1);
}

function isUsed(setting: Setting, index: number, neuron: number): boolean {
  const next = setting.views[index + 1];
  return next === undefined || next.usedChannels[neuron] === 1;
}

/** The row of source layer `index` (0-based) that the constants of target layer `index` begin with. */
function firstConstantRowOf(
  setting: Setting,
  index: number,
  { choices, layers }: { choices: readonly BlockChoice[]; layers: readonly LayerPlan[] },
): number {
  if (index === 0) return univariateRows(setting, choices[0]?.blockSize ?? 0);
  const { pool = 0, reserve = 0 } = layers[index - 1] ?? {};
  return viewAt(setting, index - 1).neurons * pool + reserve;
}

function sourceLayers(
  setting: Setting,
  parts: {
    choices: readonly BlockChoice[];
    gains: readonly number[];
    biases: readonly BiasPlan[];
    layers: readonly LayerPlan[];
  },
): SourceLayer[] {
  const view = viewAt(setting, 0);
  const rows = firstConstantRowOf(setting, 0, parts) + (parts.biases[0]?.constantRows ?? 0);
  const first: SourceLayer = {
    rows,
    cols: view.channels + (needsOnesInput(setting) ? 1 : 0),
    taps: 1,
    gain: setting.firstGain,
    biasGain: sourceBiasGain(setting, 0, parts.biases),
  };
  const result = [first];
  for (const [index, layer] of parts.layers.entries())
    result.push({
      rows: firstConstantRowOf(setting, index + 1, parts) + layer.constantRows,
      cols: result[index]?.rows ?? 0,
      taps: viewAt(setting, index).taps,
      gain: parts.gains[index] ?? 1,
      biasGain: sourceBiasGain(setting, index + 1, parts.biases),
    });
  const tooLong = result.findIndex((layer) => layer.rows > sourceRowsMax);
  if (tooLong >= 0)
    throw misuse(
      `Cannot plan source layer ${tooLong + 1}: ${result[tooLong]?.rows} rows, expected at most ${sourceRowsMax}; try ${fewerRows(setting)}`,
    );
  return result;
}

function fewerRows({ options }: Setting): string {
  const smallerBlocks = options.mode === 'exact' ? 'fewer --grid-bits' : 'a larger --epsilon';
  return options.construction === '2L' ? smallerBlocks : `${smallerBlocks} or fewer --copies`;
}

/**
 * Rows of source layer 1 so that every used input gets its block of preferred weights: a row helps if it has such a weight at
 * any input that still wants one. In exact mode with few inputs that is rare, and any weight must do.
 */
function univariateRows(setting: Setting, blockSize: number): number {
  const { views, signGroups, options } = setting;
  const used = (views[0]?.usedChannels ?? new Uint8Array(0)).reduce((sum, flag) => sum + flag, 0);
  if (used === 0) return 0;
  const needs = used * blockSize * (signGroups === 'both' ? 2 : 1);
  const deviations = Math.sqrt(2 * Math.log(1 / options.failureProbability));
  const found = 1 - (1 - preferredChance(setting)) ** Math.min(used, 2048);
  if (options.mode === 'exact' && found > 0.5) return Math.ceil(needs / found + 2 * 2 ** options.gridBits);
  const share = options.mode === 'exact' ? anyChance(setting, used) : found;
  return Math.ceil(needs / share + (deviations * Math.sqrt(2 * blockSize * Math.min(used, 8))) / share + 12);
}

/** Probability that a row has a weight that some input can use at all: not 0, and of the right sign. */
function anyChance({ signGroups, options }: Setting, used: number): number {
  const zero = 2 ** -options.gridBits;
  const chance = signGroups === 'positive' ? 0.5 - zero : 1 - zero;
  return 1 - (1 - chance) ** used;
}

function viewAt({ views }: Setting, index: number): LayerView {
  const view = views[index];
  if (view === undefined) throw new Error(`there is no layer ${index}`);
  return view;
}
