/** What a sweep tells of each cell, and how a figure is written. */
import { formatNumber } from '../../core/format-number.ts';
import type { Summary } from '../report/summary.ts';

/** How the values of a figure are written. */
type Writing = 'count' | 'share' | 'number' | 'seconds';

/** One figure of a cell. */
interface Figure {
  readonly title: string;
  readonly writing: Writing;
  /** Null where it was not measured. */
  readonly of: (summary: Summary) => number | null;
}

/** Every figure by its name in files; those of time last, since they differ from run to run. */
export const figures = {
  targetDepth: { title: 'target depth', writing: 'count', of: (s) => s.targetDepth },
  sourceDepth: { title: 'source depth', writing: 'count', of: (s) => s.sourceDepth },
  targetWeights: { title: 'target parameters', writing: 'count', of: (s) => s.targetWeights },
  sourceWeights: { title: 'source parameters', writing: 'count', of: (s) => s.sourceWeights },
  keptEdges: { title: 'ticket parameters', writing: 'count', of: (s) => s.keptEdges },
  accuracyTarget: { title: 'target accuracy', writing: 'share', of: (s) => s.accuracy.target },
  accuracyTicket: { title: 'ticket accuracy', writing: 'share', of: (s) => s.accuracy.ticket },
  agreement: { title: 'agreement', writing: 'share', of: (s) => s.agreement },
  error: { title: 'largest error', writing: 'share', of: (s) => ratio(s.maxAbsError, s.outputScale) },
  meanError: { title: 'mean error', writing: 'share', of: (s) => ratio(s.meanAbsError, s.outputScale) },
  certifiedBound: { title: 'certified bound', writing: 'number', of: (s) => s.certifiedBound },
  blocks: { title: 'blocks', writing: 'count', of: (s) => s.blocks },
  copies: { title: 'copies', writing: 'number', of: copiesOf },
  misses: { title: 'misses', writing: 'count', of: (s) => s.misses },
  predictedMisses: { title: 'predicted misses', writing: 'count', of: (s) => s.predictedMisses },
  missingCopies: { title: 'missing copies', writing: 'count', of: (s) => s.missingCopies },
  images: { title: 'images', writing: 'count', of: (s) => s.images },
  ticketBytes: { title: 'ticket bytes', writing: 'count', of: (s) => s.ticketBytes },
  seconds: { title: 'plan, solve, verify', writing: 'seconds', of: secondsOf },
} as const satisfies Readonly<Record<string, Figure>>;

/** The name of a figure. */
export type FigureName = keyof typeof figures;

/** All names, in order. */
export const figureNames = Object.keys(figures) as [FigureName, ...FigureName[]];

/** Figures of one cell. */
export type Figures = Readonly<Record<FigureName, number | null>>;

/** Returns the figures of a run. A bound that is infinite is no figure: JSON has none. */
export function figuresOf(summary: Summary): Figures {
  const entries = figureNames.map((name) => {
    const value = figures[name].of(summary);
    return [name, value === null || !Number.isFinite(value) ? null : value];
  });
  return Object.fromEntries(entries) as Figures;
}

/** Returns a mean and its interval as people read them: 95.8 ± 0.1 %, 6.79 M ± 0.02 M. */
export function writeFigure(name: FigureName, mean: number, halfWidth: number | null): string {
  const { writing } = figures[name];
  const spread = halfWidth === null || halfWidth < 1e-12 * Math.abs(mean) ? null : halfWidth;
  if (writing === 'share') {
    return `${withSpread((value) => (100 * value).toFixed(2), mean, spread)} %`;
  }
  if (writing === 'count') return writeCount(mean, spread);
  if (writing === 'seconds') return withSpread((value) => `${value.toFixed(1)} s`, mean, spread);
  return withSpread(formatNumber, mean, spread);
}

function withSpread(write: (value: number) => string, mean: number, spread: number | null): string {
  return spread === null ? write(mean) : `${write(mean)} ± ${write(spread)}`;
}

/** Both numbers in the unit of the mean. */
function writeCount(mean: number, spread: number | null): string {
  const [unit, digits, mark] = mean >= 1e6 ? [1e6, 2, ' M'] : mean >= 1e4 ? [1e3, 1, ' k'] : [1, 1, ''];
  const write = (value: number): string => {
    const text = (value / unit).toFixed(digits);
    return unit === 1 ? String(Number(text)) : text;
  };
  return `${withSpread(write, mean, spread)}${mark}`;
}

function ratio(value: number | null, scale: number | null): number | null {
  return value === null || scale === null || scale === 0 ? null : value / scale;
}

/** Copies of a hidden neuron, over all hidden layers; 1 where there is none. */
function copiesOf({ layers }: Summary): number | null {
  const hidden = layers.slice(0, -1);
  if (hidden.length === 0) return 1;
  const copies = hidden.reduce<number | null>(
    (sum, layer) => (sum === null || layer.copies === null ? null : sum + layer.copies),
    0,
  );
  return copies === null ? null : copies / hidden.reduce((sum, { neurons }) => sum + neurons, 0);
}

function secondsOf({ seconds: { plan, solve, verify } }: Summary): number | null {
  return plan === null || solve === null || verify === null ? null : plan + solve + verify;
}
