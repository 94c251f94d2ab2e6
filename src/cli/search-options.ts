/**
 * A search's options, from texts to values and back: what a run's config.json holds is read by the same function as the
 * command line, so a resumed run cannot differ from the run it resumes.
 */
import { availableParallelism } from 'node:os';
import { misuse } from '../core/errors.ts';
import { gridBitsMax, gridBitsMin, poolThreadsMax } from '../core/limits.ts';
import type { Activation, Interval } from '../core/network/activation.ts';
import { parseActivation } from '../core/network/activation-name.ts';
import type { PlanOptions } from '../core/plan/make-plan.ts';
import type { RawOptions } from './option-table.ts';
import {
  divisor,
  finiteNumber,
  numberOption,
  numbersOption,
  seedOption,
  share,
  wholeNumber,
  wordOption,
} from './option-values.ts';

/** How raw data become inputs; `scale` null: 255 for bytes, 1 for floats. */
export interface ScalingOptions {
  readonly scale: number | null;
  /** One number, or one per channel. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** Which data to compare target and ticket on. */
export interface DataOptions {
  readonly images: string;
  readonly labels: string | null;
  readonly skip: number;
  readonly limit: number | null;
}

/** What searching and verifying share. */
export interface SharedOptions {
  readonly threads: number;
  readonly activation: { readonly name: string; readonly value: Activation } | null;
  readonly scaling: ScalingOptions;
  /** Null where there are no data. */
  readonly data: DataOptions | null;
}

/** A whole search. */
export interface SearchOptions extends SharedOptions {
  readonly plan: PlanOptions;
  /** Nobody said what the inputs' range is, so it is taken to be 0,1. */
  readonly isInputRangeAssumed: boolean;
  readonly name: string | null;
}

/**
 * Returns the options that searching and verifying share.
 * @throws TombolaError (misuse) when one cannot be used.
 */
export function parseSharedOptions(raw: RawOptions): SharedOptions {
  const activation = raw.get('activation');
  return {
    threads: numberOption(raw, 'threads', wholeNumber(1, poolThreadsMax)) ?? availableParallelism(),
    activation: activation === undefined ? null : { name: activation, value: parseActivation(activation) },
    scaling: {
      scale: numberOption(raw, 'scale', divisor) ?? null,
      mean: numbersOption(raw, 'mean', finiteNumber) ?? [0],
      std: numbersOption(raw, 'std', divisor) ?? [1],
    },
    data: parseDataOptions(raw),
  };
}

/**
 * Returns a search's options.
 * @throws TombolaError (misuse) when one cannot be used, or two contradict each other.
 */
export function parseSearchOptions(raw: RawOptions): SearchOptions {
  const shared = parseSharedOptions(raw);
  const isExact = raw.get('exact') === 'true';
  if (isExact && raw.has('epsilon'))
    throw misuse(`Cannot use --exact and --epsilon ${raw.get('epsilon')} together: leave one of them out`);
  const epsilon = numberOption(raw, 'epsilon', share) ?? 0.01;
  const isScaled = raw.has('scale') || raw.has('mean') || raw.has('std');
  const name = raw.get('name')?.trim();
  if (name === '') throw misuse('Cannot use an empty --name: expected some text');
  return {
    ...shared,
    name: name ?? null,
    isInputRangeAssumed: !raw.has('input-range') && !isScaled,
    plan: {
      mode: isExact ? 'exact' : 'tolerance',
      epsilon: isExact ? 0 : epsilon,
      rule: wordOption(raw, 'rule', ['fewest', 'closest']),
      seed: seedOption(raw),
      gridBits: numberOption(raw, 'grid-bits', wholeNumber(gridBitsMin, gridBitsMax)) ?? (isExact ? 8 : 24),
      copies:
        (raw.get('copies') ?? 'auto') === 'auto'
          ? 'auto'
          : (numberOption(raw, 'copies', wholeNumber(1)) ?? 'auto'),
      biasInit: wordOption(raw, 'bias-init', ['uniform', 'zero']),
      failureProbability: numberOption(raw, 'failure-probability', share) ?? 1e-3,
      inputRange: parseInputRange(raw) ?? scaledRange(shared.scaling),
      construction: wordOption(raw, 'construction', ['L+1', '2L']),
    },
  };
}

/** Returns texts that {@link parseSearchOptions} reads as these very options, defaults written out. */
export function describeSearchOptions(options: SearchOptions): Record<string, string> {
  const { plan, data } = options;
  return {
    ...(plan.mode === 'exact' ? { exact: 'true' } : { epsilon: String(plan.epsilon) }),
    'grid-bits': String(plan.gridBits),
    rule: plan.rule,
    seed: plan.seed.toString(),
    copies: String(plan.copies),
    construction: plan.construction ?? 'L+1',
    'bias-init': plan.biasInit,
    'failure-probability': String(plan.failureProbability),
    'input-range': plan.inputRange.join(','),
    threads: String(options.threads),
    ...(options.activation === null ? {} : { activation: options.activation.name }),
    ...(options.name === null ? {} : { name: options.name }),
    ...(data === null ? {} : describeData(data)),
    ...describeScaling(options.scaling),
  };
}

/** Returns the texts of the scaling that differ from its defaults. */
export function describeScaling({ scale, mean, std }: ScalingOptions): Record<string, string> {
  return {
    ...(scale === null ? {} : { scale: String(scale) }),
    ...(mean.join() === '0' ? {} : { mean: mean.join() }),
    ...(std.join() === '1' ? {} : { std: std.join() }),
  };
}

/** Returns the texts of the data options that differ from their defaults. */
export function describeData({ images, labels, skip, limit }: DataOptions): Record<string, string> {
  return {
    images,
    ...(labels === null ? {} : { labels }),
    ...(skip === 0 ? {} : { skip: String(skip) }),
    ...(limit === null ? {} : { limit: String(limit) }),
  };
}

function parseDataOptions(raw: RawOptions): DataOptions | null {
  const images = raw.get('images');
  const skip = numberOption(raw, 'skip', wholeNumber(0)) ?? 0;
  const limit = numberOption(raw, 'limit', wholeNumber(1)) ?? null;
  if (images !== undefined) return { images, labels: raw.get('labels') ?? null, skip, limit };
  const orphan = ['labels', 'skip', 'limit'].find((name) => raw.has(name));
  if (orphan !== undefined) throw misuse(`Cannot use --${orphan} without --images: name the images too`);
  return null;
}

function parseInputRange(raw: RawOptions): Interval | undefined {
  const range = numbersOption(raw, 'input-range', finiteNumber);
  if (range === undefined) return undefined;
  const [low, high] = range;
  if (low === undefined || high === undefined || range.length !== 2 || low >= high)
    throw misuse(`Cannot use --input-range ${raw.get('input-range')}: expected LO,HI with LO below HI`);
  return [low, high];
}

/** The range of ((raw / scale) − mean) / std for raw values of a byte, rounded outwards to what float32 inputs can reach. */
function scaledRange({ scale, mean, std }: ScalingOptions): Interval {
  const largest = scale === null ? 1 : 255 / scale;
  const channels = Math.max(mean.length, std.length);
  const ends = Array.from({ length: channels }, (_, channel) => {
    const centre = mean[channel % mean.length] ?? 0;
    const deviation = std[channel % std.length] ?? 1;
    return [(0 - centre) / deviation, (largest - centre) / deviation];
  }).flat();
  const reachable = ends.flatMap((end) => [end, Math.fround(end)]);
  // Adding 0 turns −0 into 0, which texts do not tell apart.
  return [Math.min(...reachable) + 0, Math.max(...reachable) + 0];
}
