/**
 * Stages: how the 2L construction is made of L+1 constructions.
 *
 * A stage is a run of target layers behind one univariate source layer, which makes the signed multiples that the stage's first
 * layer chooses from. The L+1 construction (Burkholz 2022) has one stage: its later layers choose from the copies of the layer
 * before. The 2L construction (Pensia et al. 2020, the baseline) has a stage for every target layer: source layers 2ℓ−1 and 2ℓ stand
 * for target layer ℓ, and no neuron needs a copy.
 *
 * A stage is solved, checked and run as a network of its own. Its input is what the stages before it give: neuron i of the layer
 * before at position p of a flattened image is input i·positions + p, and lies in the source at column copyRow[i], tap p.
 */
import type { Activation, Interval } from '../network/activation.ts';
import { networkIntervals, stepsInterval } from '../network/intervals.ts';
import type { Network } from '../network/network.ts';
import { elementCount, networkShapes } from '../network/shapes.ts';
import type { SourceNetwork } from '../source/source-network.ts';

/** Source layers that stand for L target layers. */
export type ConstructionKind = 'L+1' | '2L';

/** Some target layers as a network, and the activation of the univariate source layer before them. */
export interface StageNetwork extends Network {
  readonly univariateActivation: Activation;
}

/** One stage. */
export interface Stage {
  readonly network: StageNetwork;
  /** 0-based target layer that is layer 0 of the stage. */
  readonly firstLayer: number;
  /** 0-based source layer that is the stage's univariate one. */
  readonly firstSourceLayer: number;
  /** Inputs that each neuron of the layer before gives: its positions where a flatten lies between, else 1. */
  readonly positions: number;
  /** What an input can be, whatever goes into the steps before it; null for the first stage, whose range is declared. */
  readonly possible: Interval | null;
}

/** Sizes beyond any that a network computes; activations are finite here, and monotone further out. */
const hugeInterval: Interval = [-1e300, 1e300];

/** Returns the construction that univariate layers behind the first one belong to. */
export function constructionOf({
  deeperUnivariates,
}: {
  readonly deeperUnivariates: readonly unknown[];
}): ConstructionKind {
  return deeperUnivariates.length > 0 ? '2L' : 'L+1';
}

/** Returns the 0-based source layer that stands for target layer `index`. */
export function sourceLayerOf(construction: ConstructionKind, index: number): number {
  return construction === '2L' ? 2 * index + 1 : index + 1;
}

/** Returns the stages of a construction. A target of one layer has one stage in either. */
export function stagesOf(network: Network, construction: ConstructionKind): Stage[] {
  if (construction === 'L+1')
    return [
      {
        network: { ...network, univariateActivation: activationOf(network, 0) },
        firstLayer: 0,
        firstSourceLayer: 0,
        positions: 1,
        possible: null,
      },
    ];
  const shapes = networkShapes(network);
  return network.layers.map((layer, index) => {
    const before = network.layers[index - 1];
    const inputShape = shapes.layers[index]?.input ?? [];
    return {
      network: {
        inputShape: before === undefined ? network.inputShape : inputShape,
        inputSteps: before === undefined ? network.inputSteps : [],
        layers: [layer],
        univariateActivation: activationOf(network, index),
      },
      firstLayer: index,
      firstSourceLayer: 2 * index,
      positions:
        before === undefined || inputShape.length > 1 ? 1 : elementCount(inputShape) / before.linear.outputs,
      possible: before === undefined ? null : stepsInterval(before.steps, hugeInterval),
    };
  });
}

/**
 * The first activation behind a layer; behind one that has none, that of the last one before it: the source has no other. The identity is
 * none: the target's digest leaves it out (format/network-file.ts), and a ticket is for all targets of its digest.
 */
function activationOf(network: Network, index: number): Activation {
  const ofLayer = network.layers
    .slice(0, index + 1)
    .map(({ steps }) => steps.flatMap((step) => (step.kind === 'activation' ? [step.activation] : [])))
    .map((activations) => activations.find(({ kind }) => kind !== 'identity'));
  return ofLayer.findLast((activation) => activation !== undefined) ?? { kind: 'identity' };
}

/**
 * Returns an interval that every input of each stage is planned for: what interval arithmetic says of the target, half as wide again
 * for the errors of the stages before, within what is possible. The certificate is made of the errors themselves.
 */
export function plannedInputs(
  network: Network,
  stages: readonly Stage[],
  inputRange: Interval,
): readonly Interval[] {
  if (stages.length === 1) return [inputRange];
  const along = networkIntervals(network, inputRange);
  return stages.map(({ firstLayer, possible }) => {
    if (possible === null) return inputRange;
    const inputs = along[firstLayer]?.inputs ?? [];
    const low = Math.min(...inputs.map((interval) => interval[0]));
    const high = Math.max(...inputs.map((interval) => interval[1]));
    const margin = (high - low) / 4 || 1;
    return [Math.max(possible[0], low - margin), Math.min(possible[1], high + margin)];
  });
}

/**
 * Returns the part of a source that belongs to a stage.
 * @param copyRows the rows that became copies of the neurons of the layer before, one each; null for the first stage.
 */
export function stageSource(
  source: SourceNetwork,
  { firstSourceLayer, network, positions }: Stage,
  copyRows: Int32Array | null,
): SourceNetwork {
  const [univariate, ...rest] = source.layers.slice(
    firstSourceLayer,
    firstSourceLayer + network.layers.length + 1,
  );
  if (univariate === undefined) throw new Error(`the source has no layer ${firstSourceLayer}`);
  if (copyRows === null) return { ...source, layers: [univariate, ...rest] };
  const elements = inputElements(copyRows, positions);
  const slice = { firstLayer: firstSourceLayer, rowLength: univariate.cols * univariate.taps, elements };
  return { ...source, slice, layers: [{ ...univariate, cols: elements.length, taps: 1 }, ...rest] };
}

/** Returns the elements col·taps + tap at which the inputs of a stage lie in its univariate source layer. */
export function inputElements(copyRows: Int32Array, positions: number): Int32Array {
  return Int32Array.from(
    { length: copyRows.length * positions },
    (_, input) => (copyRows[Math.floor(input / positions)] ?? -1) * positions + (input % positions),
  );
}
