/**
 * The plans of stages as one plan, and back.
 */
import type { Interval } from '../network/activation.ts';
import type { SourceLayer } from '../source/source-network.ts';
import type { Plan } from './plan.ts';
import { type Stage, stageSource } from './stage.ts';

/** Returns the plan of a construction from the plans of its stages, of which there is at least one. */
export function joinPlans(
  plans: readonly Plan[],
  { stages, inputRange }: { readonly stages: readonly Stage[]; readonly inputRange: Interval },
): Plan {
  const [first, ...deeper] = plans;
  if (first === undefined) throw new Error('a construction has at least one stage');
  const layers: SourceLayer[] = [];
  for (const [index, { source }] of plans.entries()) {
    const before = layers.at(-1);
    const [univariate, ...rest] = source.layers;
    if (univariate === undefined) throw new Error(`stage ${index} has no source layers`);
    // A stage's inputs are some columns of its layer; the source has all rows of the layer before for columns.
    const place = before === undefined ? {} : { cols: before.rows, taps: stages[index]?.positions ?? 1 };
    layers.push({ ...univariate, ...place }, ...rest);
  }
  return {
    ...first,
    inputRange,
    source: { ...first.source, layers },
    deeperUnivariates: deeper.map(({ univariate }) => univariate),
    layers: plans.flatMap((plan) => plan.layers),
  };
}

/**
 * Returns the plan of one stage.
 * @param copyRows the rows that became copies of the neurons of the layer before, one each; null for the first stage.
 */
export function stagePlan(plan: Plan, stage: Stage, copyRows: Int32Array | null): Plan {
  const { firstLayer, network } = stage;
  return {
    ...plan,
    source: stageSource(plan.source, stage, copyRows),
    univariate: plan.deeperUnivariates[firstLayer - 1] ?? plan.univariate,
    deeperUnivariates: [],
    layers: plan.layers.slice(firstLayer, firstLayer + network.layers.length),
  };
}
