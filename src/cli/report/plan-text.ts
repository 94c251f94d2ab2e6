/**
 * A plan's cost, as text and as JSON.
 */
import { formatBytes, formatCount, formatNumber, formatSeconds } from '../../core/format-number.ts';
import { layerTitle } from '../../core/network/layer-name.ts';
import { constructionOf } from '../../core/plan/stage.ts';
import { sourceWeightCount } from '../../core/source/source-network.ts';
import type { LoadedTarget } from '../load-target.ts';
import type { EstimatedPlan } from '../run-search.ts';
import { sourceLayerRows } from './source-layer-rows.ts';
import { targetWidths } from './summary.ts';
import { textList, textTable } from './text-table.ts';

/** Returns the plan's figures for `--json`. */
export function planFigures({ plan, estimate, seconds }: EstimatedPlan, target: LoadedTarget) {
  const { source, layers } = plan;
  return {
    construction: constructionOf(plan),
    mode: plan.mode,
    epsilon: plan.epsilon,
    rule: plan.rule,
    seed: source.seed.toString(),
    gridBits: source.gridBits,
    inputRange: plan.inputRange,
    targetDepth: layers.length,
    sourceDepth: source.layers.length,
    targetWidths: targetWidths(target),
    sourceWidths: [source.layers[0]?.cols ?? 0, ...source.layers.map(({ rows }) => rows)],
    sourceWeights: sourceWeightCount(source),
    blocks: estimate.blocks,
    misses: estimate.misses,
    ticketBytes: estimate.ticketBytes,
    predictedSeconds: estimate.seconds,
    seconds: { plan: seconds },
    layers: estimate.layers.map((layer, index) => ({
      ...layer,
      copies: layers[index]?.copies,
      pool: layers[index]?.pool,
      reserve: layers[index]?.reserve,
      missProbability: layers[index]?.prediction.missProbability,
      rowSuccess: layers[index]?.prediction.rowSuccess,
    })),
    targetSha256: target.sha256,
  };
}

/** Returns the plan's figures for people. */
export function planText(planned: EstimatedPlan, target: LoadedTarget): string {
  const figures = planFigures(planned, target);
  const { univariate } = planned.plan;
  const rows = figures.layers.map((layer, index) => [
    layerTitle(layer.name, index),
    String(layer.copies ?? '–'),
    formatCount(layer.blocks),
    formatCount(layer.misses),
    formatBytes(layer.maskBytes),
    formatSeconds(layer.seconds),
  ]);
  const header = ['source layer', 'stands for', 'rows', 'copies each', 'blocks', 'misses', 'mask', 'time'];
  const accuracy =
    figures.mode === 'exact' ? `exact on ${figures.gridBits} bits` : `ε ${formatNumber(figures.epsilon)}`;
  return [
    textTable(header, sourceLayerRows(figures, { cells: rows, univariate: ['–', '–', '–', '–', '–'] })),
    textList([
      ['accuracy', `${accuracy}, rule ${figures.rule}`],
      ['source weights', `${formatCount(figures.sourceWeights)}, from seed ${figures.seed}`],
      ['first block', `${univariate.blockSize} samples a weight`],
      ['blocks', formatCount(figures.blocks)],
      ['misses', `${formatCount(figures.misses)} rows expected in vain`],
      ['ticket', `about ${formatBytes(figures.ticketBytes)}`],
      ['search time', `about ${formatSeconds(figures.predictedSeconds)} on this machine`],
    ]),
  ].join('\n\n');
}
