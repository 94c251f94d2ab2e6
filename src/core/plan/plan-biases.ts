/**
 * The biases of all layers of a stage: what bias-plan.ts is asked for each, and whether it can be answered at all.
 */
import { TombolaError } from '../errors.ts';
import { type Activation, linearisation } from '../network/activation.ts';
import type { BiasInit } from '../source/source-network.ts';
import { weightQuantum } from '../verify/quantise.ts';
import { unevenRows, wholeValues } from './bias-edges.ts';
import { type BiasPlan, type BiasQuestion, planBias } from './bias-plan.ts';
import { constantEdges, deeperConstants, univariateConstants } from './constants.ts';
import type { LayerView } from './layer-view.ts';
import type { Mode } from './plan.ts';

/** What is known of a stage before any block is sized, as far as biases depend on it. */
export interface BiasSetting {
  readonly options: {
    readonly mode: Mode;
    readonly seed: bigint;
    readonly gridBits: number;
    readonly biasInit: BiasInit;
  };
  /** 0-based source layer that is layer 0 of the stage. */
  readonly firstSourceLayer: number;
  /** Relative tolerance, 0 in exact mode. */
  readonly epsilon: number;
  readonly views: readonly LayerView[];
  /** Of the univariate layer. */
  readonly activation: Activation;
  readonly firstGain: number;
}

/** What the blocks chosen mean for the biases. */
export interface ChosenBlocks {
  /** Gain of the source layer for each target layer. */
  readonly gains: readonly number[];
  /** Mean number of samples in the subsets of the first layer. */
  readonly meanSubsetSize: number;
}

/**
 * Returns the plan of each layer's biases.
 * @throws TombolaError (misuse) when the biases of a layer cannot be planned.
 */
export function planBiases(setting: BiasSetting, chosen: ChosenBlocks): BiasPlan[] {
  const plans: BiasPlan[] = [];
  for (const index of setting.views.keys())
    plans.push(planBias(biasQuestion(setting, { index, chosen, before: plans[index - 1] })));
  return plans;
}

/**
 * Refuses, before any block is probed, what could not be planned afterwards: layers whose biases no gain suits. Where constants are made
 * of those one layer before (zero biases), only the first layer's can be told so early.
 * @param gainsOf the gains that blocks of a layer could have; none leaves the layer to whoever chooses its blocks.
 * @throws TombolaError (misuse) as {@link planBiases} does.
 */
export function checkBiases(setting: BiasSetting, gainsOf: (index: number) => readonly number[]): void {
  const layers = setting.options.biasInit === 'uniform' ? setting.views.length : 1;
  for (let index = 0; index < layers; index++) {
    const refusals = gainsOf(index).map((gain) => {
      const gains = setting.views.map(() => gain);
      // A subset has a sample at least; with more of them intercepts only spread further.
      const chosen = { gains, meanSubsetSize: 1 };
      return refusalOf(biasQuestion(setting, { index, chosen, before: undefined }));
    });
    const [first] = refusals;
    if (first !== undefined && refusals.every((refusal) => refusal !== undefined)) throw first;
  }
}

/**
 * Returns how many rows of constants target layer `index` gets: as many as its plan says, or more where biases are quantised and those
 * constants share a divisor. Looks at the biases of the source's constants, and at nothing else of it.
 * @param firstRow the row of source layer `index` that its constants begin with.
 */
export function reachingRows(
  setting: BiasSetting,
  { index, bias, firstRow, gain }: { index: number; bias: BiasPlan; firstRow: number; gain: number },
): number {
  if (bias.biasQuantum === 0 || bias.biasBlockSize === 0) return bias.constantRows;
  const { options, views, activation, firstSourceLayer } = setting;
  const view = views[index];
  const before = views[index - 1];
  if (view === undefined) throw new Error(`there is no layer ${index}`);
  const layer = { rows: 0, cols: 0, taps: 1, gain: 0, biasGain: bias.biasGain };
  const slice = { firstLayer: firstSourceLayer + index, rowLength: 0, elements: new Int32Array(0) };
  const scale = gain / (2 ** (options.gridBits - 1) * bias.biasUnit);
  return unevenRows(bias.constantRows, (rowCount) => {
    const place = { source: { ...options, slice, layers: [layer] }, sourceLayer: 0, firstRow, rowCount };
    const choices = Array.from({ length: rowCount }, (_, k) => ({ row: firstRow + k, element: -1 }));
    const constants =
      before === undefined
        ? univariateConstants(place, activation, { view, isExtended: false })
        : deeperConstants(place, { choices, edges: [], view: before });
    return wholeValues(constantEdges(constants, view, before !== undefined), scale).values;
  });
}

function refusalOf(question: BiasQuestion): TombolaError | undefined {
  try {
    planBias(question);
    return undefined;
  } catch (error) {
    if (error instanceof TombolaError) return error;
    throw error;
  }
}

function biasQuestion(
  setting: BiasSetting,
  { index, chosen, before }: { index: number; chosen: ChosenBlocks; before: BiasPlan | undefined },
): BiasQuestion {
  const { options, views, activation, firstGain } = setting;
  const view = views[index];
  if (view === undefined) throw new Error(`there is no layer ${index}`);
  const gain = chosen.gains[index] ?? 1;
  return {
    view,
    index,
    exact: options.mode === 'exact',
    gridBits: options.gridBits,
    biasInit: options.biasInit,
    gain,
    tolerance: biasTolerance(setting, view, index),
    before: views[index - 1] ?? null,
    activations: index === 0 ? [activation] : stepActivations(views[index - 1]),
    interceptSpread: index === 0 ? interceptSpread(activation, { view, gain, chosen }) : 0,
    unbiasedMax: index === 0 ? firstGain : (chosen.gains[index - 1] ?? 1) * (before?.constantMax ?? 0),
  };
}

function stepActivations(view: LayerView | undefined): Activation[] {
  return (view?.layer.steps ?? []).flatMap((step) => (step.kind === 'activation' ? [step.activation] : []));
}

/** In the target's units. Exact mode: biases that cannot be quantised are solved to a small part of a quantum. */
function biasTolerance({ options, epsilon }: BiasSetting, { scale }: LayerView, index: number): number {
  if (options.mode === 'tolerance') return epsilon * (scale || 1);
  return weightQuantum(scale, options.gridBits) / (index === 0 ? 2 : 512);
}

/** d·gain·√(kept edges · E v²): the spread of the intercept over rows, v uniform up to a little selection. */
function interceptSpread(
  activation: Activation,
  { view, gain, chosen }: { view: LayerView; gain: number; chosen: ChosenBlocks },
): number {
  const { intercept } = linearisation(activation);
  const kept = view.channels * view.taps * Math.max(1, chosen.meanSubsetSize);
  return Math.abs(intercept) * gain * Math.sqrt(0.4 * kept);
}
