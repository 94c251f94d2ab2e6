/**
 * What a plan will cost, before anything is spent: blocks, misses, the ticket's size, and time on this machine from how long the
 * planner's own probes took.
 */

import type { Network } from '../core/network/network.ts';
import { type LayerView, layerViews } from '../core/plan/layer-view.ts';
import type { Plan, UnivariatePlan } from '../core/plan/plan.ts';
import { expectedRows, neuronsWithRows } from '../core/plan/predicted-misses.ts';
import { weightQuantum } from '../core/verify/quantise.ts';
import type { ProbeTimes } from './timed-solver.ts';

/** The cost of one target layer. */
export interface LayerEstimate {
  readonly name: string;
  readonly copiesWanted: number;
  /** Blocks with a nonzero target and one bias block per row, in rows that become copies. */
  readonly blocks: number;
  /** Rows that will not become copies. */
  readonly misses: number;
  readonly maskBytes: number;
  /** On all threads; null where the probes were not timed. */
  readonly seconds: number | null;
}

/** The cost of a whole plan. */
export interface PlanEstimate {
  readonly layers: readonly LayerEstimate[];
  readonly blocks: number;
  readonly misses: number;
  /** Masks and row lists, without the file's header. */
  readonly ticketBytes: number;
  readonly seconds: number | null;
}

/** Returns the cost of a plan. */
export function estimatePlan(
  plan: Plan,
  network: Network,
  probes: { times: ProbeTimes; threads: number },
): PlanEstimate {
  const views = layerViews(network);
  const layers = views.map((view, index) => {
    const secondsPerBlock = probes.times.get(index);
    return layerEstimate(
      { plan, views, view, index },
      secondsPerBlock === undefined ? null : secondsPerBlock / probes.threads,
    );
  });
  const total = (pick: (layer: LayerEstimate) => number): number =>
    layers.reduce((sum, layer) => sum + pick(layer), 0);
  const copies = total((layer) => layer.copiesWanted);
  return {
    layers,
    blocks: total((layer) => layer.blocks),
    misses: total((layer) => layer.misses),
    ticketBytes: total((layer) => layer.maskBytes) + 4 * (copies + (plan.source.layers[0]?.rows ?? 0)),
    seconds: layers.some((layer) => layer.seconds === null) ? null : total((layer) => layer.seconds ?? 0),
  };
}

interface LayerPlace {
  readonly plan: Plan;
  readonly views: readonly LayerView[];
  readonly view: LayerView;
  readonly index: number;
}

function layerEstimate(place: LayerPlace, secondsPerBlock: number | null): LayerEstimate {
  const { plan, views, view, index } = place;
  const layer = plan.layers[index];
  if (layer === undefined) throw new Error(`the plan has no layer ${index}`);
  const blocksPerWeight = univariateBefore(plan, index)?.signGroups === 'both' ? 2 : 1;
  const size = view.channels * view.taps;
  const { copies: copiesWanted, misses } = expectedRows(plan, views, index);
  // In exact mode a weight that is rounded to 0 has no block.
  const quantum = plan.mode === 'exact' ? weightQuantum(view.scale, plan.source.gridBits) : 0;
  const inGrid = (weight: number): number => (quantum === 0 ? weight : Math.round(weight / quantum));
  let blocks = 0;
  for (const neuron of neuronsWithRows(plan, views, index)) {
    const weights = view.weights.subarray(neuron * size, (neuron + 1) * size);
    const nonzero = weights.reduce((count, weight) => count + (inGrid(weight) === 0 ? 0 : 1), 0);
    blocks += layer.copies * (nonzero * blocksPerWeight + 1);
  }
  const tries = copiesWanted === 0 ? 1 : 1 + misses / copiesWanted;
  return {
    name: view.layer.name,
    copiesWanted,
    blocks,
    misses: Math.round(misses),
    maskBytes: copiesWanted * Math.ceil(maskBits(place, blocksPerWeight) / 8),
    seconds: secondsPerBlock === null ? null : blocks * tries * secondsPerBlock,
  };
}

/** The univariate layer whose rows a target layer chooses from; none where it chooses from copies. */
function univariateBefore(plan: Plan, index: number): UnivariatePlan | undefined {
  return index === 0 ? plan.univariate : plan.deeperUnivariates[index - 1];
}

/** Mask bits of one row: every used channel's columns at every tap, and the bias block. */
function maskBits({ plan, views, view, index }: LayerPlace, blocksPerWeight: number): number {
  const layer = plan.layers[index];
  const univariate = univariateBefore(plan, index);
  const columnsPerChannel =
    univariate === undefined ? (plan.layers[index - 1]?.copies ?? 0) : univariate.blockSize * blocksPerWeight;
  const used = (views[index]?.usedChannels ?? new Uint8Array(0)).reduce((sum, flag) => sum + flag, 0);
  return (
    used * columnsPerChannel * view.taps + (layer?.biasBlockSize ?? 0) + (layer?.ownBias === true ? 1 : 0)
  );
}
