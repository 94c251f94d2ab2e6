/** What a plan expects of its rows: how many become copies, and how many are tried in vain. */
import type { Network } from '../network/network.ts';
import { type LayerView, layerViews } from './layer-view.ts';
import type { Plan } from './plan.ts';
import { constructionOf } from './stage.ts';

/** Rows of one target layer. */
export interface ExpectedRows {
  /** Copies of all neurons. */
  readonly copies: number;
  /** Rows that will not become copies: not a whole number. */
  readonly misses: number;
}

/** Returns the neurons of the target layer `index` that a plan has rows for, ascending; `views` are those of its network. */
export function neuronsWithRows(plan: Plan, views: readonly LayerView[], index: number): number[] {
  // In the 2L construction every neuron has its row, read or not.
  const used = constructionOf(plan) === '2L' ? undefined : views[index + 1]?.usedChannels;
  const neurons = Array.from({ length: views[index]?.neurons ?? 0 }, (_, neuron) => neuron);
  return neurons.filter((neuron) => used === undefined || used[neuron] === 1);
}

/** Returns the rows that a plan expects of the target layer `index`; `views` are those of its network. */
export function expectedRows(plan: Plan, views: readonly LayerView[], index: number): ExpectedRows {
  const view = views[index];
  const layer = plan.layers[index];
  if (view === undefined || layer === undefined) throw new Error(`the plan has no layer ${index}`);
  const copies = neuronsWithRows(plan, views, index).length * layer.copies;
  return { copies, misses: copies * (1 / layer.prediction.rowSuccess - 1) };
}

/** Returns how many rows a plan expects to try in vain, layer by layer to the next whole number. */
export function predictedMisses(plan: Plan, network: Network): number {
  const views = layerViews(network);
  return views.reduce((sum, _, index) => sum + Math.round(expectedRows(plan, views, index).misses), 0);
}
