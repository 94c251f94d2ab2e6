/** The plots of a sweep, as SVG files that need nothing else: which there are depends on what varies and what was measured. */
import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import { escapeMarkup } from '../report/escape-markup.ts';
import type { FigureName } from './sweep-figures.ts';
import { type GroupAxis, placeName, type SweepGroup, varyingAxes } from './sweep-groups.ts';

/** A plot and the name of its file. */
export interface SweepPlot {
  readonly file: string;
  readonly title: string;
  readonly svg: string;
}

/** One group in a plot, with the ends of its intervals. */
interface Point {
  readonly x: number;
  readonly y: number;
  readonly yLow: number;
  readonly yHigh: number;
  readonly series: string;
  /** Beside the point. */
  readonly label: string;
}

/** What one plot shows. */
interface PlotSpec {
  readonly file: string;
  readonly title: string;
  readonly x: { readonly label: string; readonly of: (group: SweepGroup) => number | null };
  readonly y: { readonly label: string; readonly figure: FigureName; readonly scale: number };
  readonly scales: 'log' | 'linear';
  /** The axis on x tells no series apart. */
  readonly along: GroupAxis | null;
  /** Draws the line on which both are equal. */
  readonly isComparison?: boolean;
}

const width = 720;
const height = 440;
const legendLine = 18;
const colours = ['#4269d0', '#ef8e00', '#c9302c', '#2a9d8f', '#3ca951', '#d6457a', '#8b5cd6', '#7a5c3e'];

const mean = (name: FigureName) => (group: SweepGroup) => group.means[name]?.mean ?? null;

const plots: readonly PlotSpec[] = [
  {
    file: 'error-against-epsilon.svg',
    title: 'Largest error against ε',
    x: { label: 'ε', of: ({ place }) => (place.epsilon === 'exact' ? null : Number(place.epsilon)) },
    y: { label: 'largest error, % of the largest output', figure: 'error', scale: 100 },
    scales: 'log',
    along: 'epsilon',
  },
  {
    file: 'error-against-kept-edges.svg',
    title: 'Largest error against the size of the ticket',
    x: { label: 'ticket parameters', of: mean('keptEdges') },
    y: { label: 'largest error, % of the largest output', figure: 'error', scale: 100 },
    scales: 'log',
    along: null,
  },
  {
    file: 'misses-against-copies.svg',
    title: 'Misses against copies',
    x: { label: 'copies of each hidden neuron', of: mean('copies') },
    y: { label: 'rows tried in vain', figure: 'misses', scale: 1 },
    scales: 'linear',
    along: 'copies',
  },
  {
    file: 'observed-against-predicted-misses.svg',
    title: 'Misses: observed against predicted by the plan',
    x: { label: 'predicted', of: mean('predictedMisses') },
    y: { label: 'observed', figure: 'misses', scale: 1 },
    scales: 'log',
    along: null,
    isComparison: true,
  },
];

/** Returns every plot that has at least two points, and that of times. */
export function sweepPlots(groups: readonly SweepGroup[]): SweepPlot[] {
  const axes = varyingAxes(groups);
  const drawn = plots.flatMap((spec) => {
    if (spec.along !== null && !axes.includes(spec.along)) return [];
    const points = pointsOf(groups, spec);
    return points.length < 2 ? [] : [{ file: spec.file, title: spec.title, svg: pointPlot(points, spec) }];
  });
  return [...drawn, ...timePlot(groups, axes)];
}

/** Axes whose values lie along a series rather than tell one from another. */
const gradualAxes: readonly GroupAxis[] = ['epsilon', 'copies', 'gridBits'];

function pointsOf(groups: readonly SweepGroup[], spec: PlotSpec): Point[] {
  const found = groups.flatMap((group) => {
    const x = spec.x.of(group);
    const y = group.means[spec.y.figure];
    const isOutside = spec.scales === 'log' && !((x ?? 0) > 0 && (y?.mean ?? 0) > 0);
    return x === null || y === null || isOutside ? [] : [{ group, x, y }];
  });
  const axes = varyingAxes(found.map(({ group }) => group));
  const seriesAxes = axes.filter((axis) =>
    spec.along === null ? !gradualAxes.includes(axis) : axis !== spec.along,
  );
  return found.map(({ group, x, y }) => {
    const halfWidth = y.halfWidth ?? 0;
    // A logarithmic axis has no place for an interval that reaches 0.
    const low = spec.scales === 'log' && y.mean - halfWidth <= 0 ? y.mean : y.mean - halfWidth;
    return {
      x,
      y: y.mean * spec.y.scale,
      yLow: low * spec.y.scale,
      yHigh: (y.mean + halfWidth) * spec.y.scale,
      series: placeName(group.place, seriesAxes),
      label: spec.along === null && axes.includes('epsilon') ? group.place.epsilon : '',
    };
  });
}

function pointPlot(points: readonly Point[], spec: PlotSpec): string {
  const series = [...new Set(points.map((point) => point.series))];
  const sizes = points.flatMap(({ x, y }) => [x, y]);
  const ends = [Math.min(...sizes), Math.max(...sizes)];
  const along = points.toSorted((a, b) => a.x - b.x);
  const lines =
    spec.isComparison === true
      ? Plot.line(ends, {
          x: Plot.identity,
          y: Plot.identity,
          z: null,
          stroke: '#999',
          strokeDasharray: '4 4',
        })
      : Plot.line(along, { x: 'x', y: 'y', z: 'series', stroke: 'series', strokeWidth: 1.5 });
  return draw(spec.title, series, {
    x: { label: spec.x.label, type: spec.scales, nice: true, labelAnchor: 'center', ...ticksOf(spec, 'x') },
    y: {
      label: spec.y.label,
      type: spec.scales,
      nice: true,
      labelAnchor: 'center',
      grid: true,
      ...ticksOf(spec, 'y'),
    },
    marks: [
      lines,
      Plot.ruleX(points, { x: 'x', y1: 'yLow', y2: 'yHigh', stroke: 'series' }),
      Plot.dot(points, { x: 'x', y: 'y', fill: 'series', r: 4 }),
      Plot.text(points, { x: 'x', y: 'y', text: 'label', dx: 8, textAnchor: 'start', fontSize: 10 }),
    ],
  });
}

/** A logarithmic axis over less than a decade or two would be crowded by its default labels. */
function ticksOf({ scales }: PlotSpec, axis: 'x' | 'y'): Plot.ScaleOptions {
  if (scales === 'linear') return axis === 'y' ? { zero: true } : {};
  return { ticks: 6, tickFormat: writeTick };
}

function writeTick(value: number): string {
  if (value >= 1e6) return `${Number((value / 1e6).toPrecision(3))} M`;
  return value >= 1e4 ? `${Number((value / 1e3).toPrecision(3))} k` : String(Number(value.toPrecision(3)));
}

function timePlot(groups: readonly SweepGroup[], axes: readonly GroupAxis[]): SweepPlot[] {
  const bars = groups.flatMap((group) => {
    const seconds = group.means.seconds;
    return seconds === null
      ? []
      : [{ name: placeName(group.place, axes) || group.place.target, seconds: seconds.mean }];
  });
  if (bars.length === 0) return [];
  const title = 'Seconds of planning, solving and verifying';
  const longest = Math.max(...bars.map(({ name }) => name.length));
  const svg = draw(title, [], {
    height: 90 + 26 * bars.length,
    marginLeft: Math.min(360, 30 + 6.5 * longest),
    x: { label: 'seconds', labelAnchor: 'center', grid: true, zero: true },
    y: { label: null, domain: bars.map(({ name }) => name) },
    marks: [Plot.barX(bars, { x: 'seconds', y: 'name', fill: colours[0] ?? 'black' }), Plot.ruleX([0])],
  });
  return [{ file: 'time.svg', title, svg }];
}

/** Returns the SVG of a plot with title and legend on a white ground, so that it can be read wherever it is shown. */
function draw(title: string, series: readonly string[], options: Plot.PlotOptions): string {
  const { document } = parseHTML('<html><body></body></html>');
  const named = series.length > 1 ? series : [];
  const top = 44 + legendLine * named.length;
  const svg = Plot.plot({
    document: document as unknown as NonNullable<Plot.PlotOptions['document']>,
    width,
    marginTop: top,
    marginLeft: 72,
    marginRight: 36,
    marginBottom: 44,
    style: { background: 'white', color: '#222', fontSize: '12px' },
    color: {
      domain: [...series],
      range: series.map((_, index) => colours[index % colours.length] ?? 'black'),
    },
    ...options,
    height: (options.height ?? height) + legendLine * named.length,
  });
  svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  return `${svg.outerHTML.replace(/<\/svg>$/, '')}${legend(title, named)}</svg>\n`;
}

function legend(title: string, series: readonly string[]): string {
  const lines = series.map((name, index) => {
    const y = 38 + legendLine * index;
    const colour = colours[index % colours.length];
    return `<circle cx="24" cy="${y}" r="4" fill="${colour}"/><text x="36" y="${y + 4}">${escapeMarkup(name)}</text>`;
  });
  return `<g text-anchor="start" fill="#222" font-size="12"><text x="18" y="20" font-size="15" font-weight="600">${escapeMarkup(title)}</text>${lines.join('')}</g>`;
}
