/**
 * A summary as text: what a search and a verification print.
 */
import {
  formatBytes,
  formatCount,
  formatNumber,
  formatSeconds,
  formatShare,
} from '../../core/format-number.ts';
import { layerTitle } from '../../core/network/layer-name.ts';
import { sourceLayerRows } from './source-layer-rows.ts';
import type { LayerSummary, Summary } from './summary.ts';
import { textBar, textList, textTable } from './text-table.ts';

/** Returns the summary: a table per layer, then the figures. */
export function summaryText(summary: Summary): string {
  return [layerTable(summary), textList(figures(summary))].join('\n\n');
}

/** Returns the widths of target and source, layer by layer, as bars of one scale. */
export function widthPlot({
  targetWidths,
  sourceWidths,
}: Pick<Summary, 'targetWidths' | 'sourceWidths'>): string {
  const widest = Math.max(...targetWidths, ...sourceWidths);
  const digits = String(formatCount(widest)).length;
  const line = (label: string, width: number): string =>
    `  ${label.padEnd(16)} ${formatCount(width).padStart(digits)}  ${textBar(width / widest, 44)}`;
  const plot = (what: string, widths: readonly number[]): string[] =>
    widths.map((width, index) => line(`${what} ${index === 0 ? 'input' : `layer ${index}`}`, width));
  return [...plot('target', targetWidths), '', ...plot('source', sourceWidths)].join('\n');
}

/** Returns the line that says yes or no. */
export function verdictLine({ verified, fault }: Pick<Summary, 'verified' | 'fault'>): string {
  return verified
    ? 'Verified: the ticket is what it claims to be.'
    : `NOT verified: ${fault ?? 'unknown fault'}`;
}

function layerTable(summary: Summary): string {
  const header = [
    'source layer',
    'stands for',
    'rows',
    'neurons',
    'copies',
    'kept edges',
    'residual max',
    'allowed',
  ];
  const cell = (value: number | null): string => (value === null ? '–' : formatCount(value));
  const cells = (layer: LayerSummary, index: number): string[] => [
    layerTitle(layer.name, index),
    formatCount(layer.neurons),
    cell(layer.copies),
    cell(layer.keptEdges),
    formatNumber(layer.residualMax),
    formatNumber(layer.residualAllowed),
  ];
  const univariate = ['–', '–', 'one a row', '–', '–'];
  return textTable(header, sourceLayerRows(summary, { cells: summary.layers.map(cells), univariate }));
}

function figures(summary: Summary): [string, string][] {
  const { accuracy, keptEdges, sourceWeights, outputScale, seconds } = summary;
  const ofScale = (error: number | null): string =>
    error === null || outputScale === null || outputScale === 0
      ? ''
      : `  (${formatShare(error / outputScale)} of the largest output, ${formatNumber(outputScale)})`;
  const claim =
    summary.mode === 'exact'
      ? `every weight equals the target's, quantised to ${summary.gridBits} bits`
      : `every weight within ${formatNumber(summary.epsilon)} of its layer's largest`;
  const rows: [string, string | null][] = [
    ['claim', claim],
    ['depth', `target ${summary.targetDepth}, source ${summary.sourceDepth}`],
    ['target weights', `${formatCount(summary.targetWeights)} that are not 0`],
    ['source weights', `${formatCount(sourceWeights)}, drawn from seed ${summary.seed}`],
    [
      'kept edges',
      keptEdges === null
        ? null
        : `${formatCount(keptEdges)}  (${formatShare(keptEdges / sourceWeights)} of the source)`,
    ],
    [
      'blocks',
      summary.blocks === null ? null : `${formatCount(summary.blocks)} subset-sum problems, biases included`,
    ],
    ['misses', summary.misses === null ? null : `${formatCount(summary.misses)} rows tried in vain`],
    ['missing copies', summary.missingCopies ? formatCount(summary.missingCopies) : null],
    [
      'certified bound',
      summary.certifiedBound === null
        ? null
        : `${formatNumber(summary.certifiedBound)} for any input in [${summary.inputRange.map(formatNumber).join(', ')}]${summary.mode === 'exact' ? ', from the quantised target' : ''}`,
    ],
    ['images', summary.images === null ? null : formatCount(summary.images)],
    [
      'largest error',
      summary.maxAbsError === null ? null : formatNumber(summary.maxAbsError) + ofScale(summary.maxAbsError),
    ],
    [
      'mean error',
      summary.meanAbsError === null
        ? null
        : formatNumber(summary.meanAbsError) + ofScale(summary.meanAbsError),
    ],
    [
      'from quantised',
      summary.quantisedMaxAbsError === null ? null : formatNumber(summary.quantisedMaxAbsError),
    ],
    [
      'agreement',
      summary.agreement === null
        ? null
        : `${formatShare(summary.agreement)} of the images get the same class`,
    ],
    [
      'accuracy',
      accuracy.target === null
        ? null
        : `target ${formatShare(accuracy.target)}, ticket ${formatShare(accuracy.ticket)}`,
    ],
    [
      'time',
      Object.entries(seconds)
        .filter(([, value]) => value !== null)
        .map(([name, value]) => `${name} ${formatSeconds(value)}`)
        .join(', '),
    ],
    ['speed', summary.blocksPerSecond === null ? null : `${formatCount(summary.blocksPerSecond)} blocks/s`],
    ['ticket', `${formatBytes(summary.ticketBytes)}, SHA-256 ${summary.ticketSha256}`],
  ];
  return rows.filter((row): row is [string, string] => row[1] !== null);
}
