/**
 * The plots of a report as SVG texts, drawn by Observable Plot into a document without a browser. Colours are the page's CSS
 * variables, so that light and dark are one picture.
 */
import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import { formatCount } from '../../core/format-number.ts';
import { type BlockStatistics, residualBins } from './block-statistics.ts';

const width = 760;
const facetHeight = 88;
/** Height of a bar with its room. */
const barStep = 26;

/** Counts of residuals per layer, in shares of what is allowed. */
export function residualPlot(layers: readonly { title: string; statistics: BlockStatistics }[]): string {
  const bars = layers.flatMap(({ title, statistics }) =>
    (statistics.residuals ?? []).map((count, bin) => ({
      title,
      from: (2 * bin) / residualBins - 1,
      to: (2 * (bin + 1)) / residualBins - 1,
      share: count / Math.max(1, statistics.blocks),
    })),
  );
  return draw({
    ariaLabel: "Residuals of each layer's blocks",
    width,
    height: facetHeight * layers.length + 74,
    marginLeft: 56,
    marginRight: titleRoom(layers),
    marginBottom: 44,
    x: { label: 'residual, as a share of the largest allowed', labelOffset: 40, domain: [-1, 1] },
    y: { label: 'share of blocks', percent: true, ticks: 3, grid: true },
    fy: { label: null, domain: layers.map(({ title }) => title), padding: 0.2 },
    marks: [
      Plot.rectY(bars, { x1: 'from', x2: 'to', y: 'share', fy: 'title', fill: 'var(--ticket)', inset: 0.5 }),
      Plot.ruleX([0], { stroke: 'var(--faint)' }),
      Plot.ruleY([0], { stroke: 'var(--faint)' }),
    ],
  });
}

/** How many edges the blocks of each layer keep. */
export function keptPlot(layers: readonly { title: string; statistics: BlockStatistics }[]): string {
  const bars = layers.flatMap(({ title, statistics }) =>
    statistics.kept.map((count, edges) => ({
      title,
      edges,
      share: count / Math.max(1, statistics.blocks),
    })),
  );
  const most = bars.reduce((max, { edges }) => Math.max(max, edges), 1);
  return draw({
    ariaLabel: "Edges kept by each layer's blocks",
    width,
    height: facetHeight * layers.length + 74,
    marginLeft: 56,
    marginRight: titleRoom(layers),
    marginBottom: 44,
    x: {
      label: 'edges kept by a block',
      labelOffset: 40,
      domain: Array.from({ length: most + 1 }, (_, k) => k),
    },
    y: { label: 'share of blocks', percent: true, ticks: 3, grid: true },
    fy: { label: null, domain: layers.map(({ title }) => title), padding: 0.2 },
    marks: [
      Plot.barY(bars, { x: 'edges', y: 'share', fy: 'title', fill: 'var(--ticket)' }),
      Plot.ruleY([0], { stroke: 'var(--faint)' }),
    ],
  });
}

/** Room for the layers' titles beside their plots. */
function titleRoom(layers: readonly { title: string }[]): number {
  return Math.max(150, 20 + 6.5 * Math.max(...layers.map(({ title }) => title.length)));
}

/** Neurons of target and source layer by layer, on one logarithmic scale, for widths of ten and of ten thousand. */
export function widthsPlot(targetWidths: readonly number[], sourceWidths: readonly number[]): string {
  const bars = [
    ...named('target', targetWidths).map((bar) => ({ ...bar, fill: 'var(--target)' })),
    ...named('source', sourceWidths).map((bar) => ({ ...bar, fill: 'var(--ticket)' })),
  ];
  return draw({
    ariaLabel: 'Widths of target and source',
    width,
    height: barStep * bars.length + 74,
    marginLeft: 120,
    marginBottom: 44,
    marginRight: 70,
    x: {
      type: 'log',
      label: 'neurons or channels, logarithmic',
      labelOffset: 40,
      ticks: 4,
      domain: [1, Math.max(...bars.map((bar) => bar.count)) * 1.1],
      grid: true,
      tickFormat: ',',
    },
    y: { label: null, domain: bars.map(({ name }) => name), padding: 0.25, tickSize: 0 },
    marks: [
      Plot.barX(bars, { x1: 1, x2: 'count', y: 'name', fill: 'fill', rx: 2 }),
      Plot.text(bars, {
        x: 'count',
        y: 'name',
        text: ({ count }: { count: number }) => formatCount(count),
        dx: 6,
        textAnchor: 'start',
        fill: 'currentColor',
      }),
    ],
  });
}

/** Both networks' outputs for one input, side by side. `names` of the outputs, as many as values. */
export function outputsPlot(
  target: readonly number[],
  ticket: readonly number[],
  names: readonly string[],
): string {
  const values = names.flatMap((name, k) => [
    { name, network: 'target', value: target[k] ?? 0, fill: 'var(--target)' },
    { name, network: 'ticket', value: ticket[k] ?? 0, fill: 'var(--ticket)' },
  ]);
  return draw({
    ariaLabel: 'Outputs of target and ticket',
    width: 330,
    height: 150,
    marginLeft: 34,
    marginBottom: 24,
    marginTop: 8,
    marginRight: 4,
    x: { axis: null, domain: ['target', 'ticket'], padding: 0 },
    y: { label: null, ticks: 4, grid: true },
    fx: { label: null, domain: names, axis: 'bottom', padding: 0.25 },
    marks: [
      Plot.barY(values, { x: 'network', fx: 'name', y: 'value', fill: 'fill' }),
      Plot.ruleY([0], { stroke: 'var(--faint)' }),
    ],
  });
}

function named(what: string, widths: readonly number[]): { name: string; count: number }[] {
  return widths.map((count, index) => ({
    name: index === 0 ? `${what} input` : `${what} layer ${index}`,
    count,
  }));
}

/**
 * Plot's style element names fonts and colours of its own, which the page has; and its labels on groups are none that a screen reader
 * may read out, so the picture has one for the whole.
 */
function draw(options: Plot.PlotOptions & { readonly ariaLabel: string }): string {
  const { document } = parseHTML('<!doctype html><html><body></body></html>');
  const figure = Plot.plot({ ...options, document, style: { background: 'none', color: 'inherit' } });
  for (const style of figure.querySelectorAll('style')) style.remove();
  for (const group of figure.querySelectorAll('g')) group.removeAttribute('aria-label');
  figure.setAttribute('role', 'img');
  return figure.outerHTML;
}
