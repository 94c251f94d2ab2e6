/**
 * Chooses the block size and the gain of one layer: the pair that needs the fewest source columns per successful row.
 *
 * A block of n samples costs n columns; rows that miss cost all of theirs again. So n / P(row succeeds) is minimised over a
 * ladder of sizes and, in tolerance mode, gains. In exact mode the gain is fixed by the quantum.
 */
import { misuse } from '../errors.ts';
import { exactBlockSizeMax, gridBitsMax } from '../limits.ts';
import { isEasyBlock } from './block-cost.ts';
import type { LayerView } from './layer-view.ts';
import {
  type ProbeResult,
  type ProbeSetting,
  type ProbeSpec,
  probe,
  type WeightCensus,
  weightCensus,
} from './probe.ts';

/** How to turn a block size and a gain factor into a probe. */
export interface BlockOption {
  readonly blockSize: number;
  /** Largest sample over the layer's largest |weight|; ignored in exact mode. */
  readonly gainFactor: number;
}

/** A chosen block. */
export interface BlockChoice extends BlockOption {
  readonly spec: Omit<ProbeSpec, 'trials'>;
  readonly result: ProbeResult;
}

/** What the search over sizes needs to know. */
export interface BlockSearch {
  readonly setting: ProbeSetting;
  readonly view: LayerView;
  readonly blocksPerWeight: 1 | 2;
  /** Relative tolerance, 0 in exact mode. */
  readonly epsilon: number;
  /** Sizes to try; one if the user fixed it. */
  readonly sizes: readonly number[];
  /** Returns what is to be sampled for a size and gain. */
  readonly specOf: (option: BlockOption) => Omit<ProbeSpec, 'trials'>;
}

/** A search and its layer's weights. */
type CountedSearch = BlockSearch & { readonly census: WeightCensus };

/** The gain factors tried in tolerance mode. */
export const gainFactors = [0.35, 0.5, 0.7, 1] as const;
/** Rows that fail this often are worth no further thought. */
const expectedTriesMax = 50;
/**
 * Only behind a size whose rows take no more tries do costs that rise say that the best is found. Before it a lucky set of univariate
 * weights can make one size look better than the next few, where all are far too small.
 */
const settledTriesMax = 4;

/** Returns the block sizes worth trying for a tolerance or a number of grid bits: n ≈ log₂(1/ε) gives the first subsets. */
export function sizeLadder(resolutionBits: number): number[] {
  const first = Math.min(exactBlockSizeMax, Math.max(4, Math.floor(resolutionBits) + 1));
  const sizes: number[] = [];
  for (let size = first; size <= exactBlockSizeMax; size += size < 16 ? 1 : 2) sizes.push(size);
  return sizes;
}

/**
 * Returns the best block size and gain.
 * @throws TombolaError (misuse) when even the largest block misses too often.
 */
export async function chooseBlock(asked: BlockSearch): Promise<BlockChoice> {
  const search: CountedSearch = { ...asked, census: weightCensus(asked.view) };
  let best: { choice: BlockOption; cost: number } | undefined;
  let rising = 0;
  for (const blockSize of search.sizes) {
    const found = await bestGain(search, blockSize);
    if (best === undefined || found.cost < best.cost) {
      best = found;
      rising = 0;
    } else if (best.cost <= settledTriesMax * best.choice.blockSize && ++rising === 3) break;
  }
  if (best === undefined || !Number.isFinite(best.cost)) throw hopeless(search);
  const spec = search.specOf(best.choice);
  const result = await run(search, spec, finalTrials(search, spec));
  return { ...best.choice, spec, result };
}

async function bestGain(
  search: CountedSearch,
  blockSize: number,
): Promise<{ choice: BlockOption; cost: number }> {
  let best: { choice: BlockOption; cost: number } | undefined;
  for (const gainFactor of search.setting.exact ? [1] : gainFactors) {
    const choice = { blockSize, gainFactor };
    const spec = search.specOf(choice);
    if (spec.tolerance < 0) continue;
    const result = await run(search, spec, finalTrials(search, spec) / 16);
    const cost = blockSize * expectedTries(result.rowSuccess);
    if (best === undefined || cost < best.cost) best = { choice, cost };
  }
  return best ?? { choice: { blockSize, gainFactor: 1 }, cost: Number.POSITIVE_INFINITY };
}

function run(search: CountedSearch, spec: Omit<ProbeSpec, 'trials'>, trials: number): Promise<ProbeResult> {
  const { setting, view, blocksPerWeight, census } = search;
  return probe(setting, view, {
    ...spec,
    trials: Math.ceil(trials),
    census,
    blocksPerWeight,
  });
}

/** Mean number of rows tried per copy, infinite beyond reason. */
function expectedTries(rowSuccess: Float64Array): number {
  const mean = rowSuccess.reduce((sum, success) => sum + 1 / success, 0) / Math.max(1, rowSuccess.length);
  return mean > expectedTriesMax ? Number.POSITIVE_INFINITY : mean;
}

/**
 * Trials of a probe: enough that a miss rate that would spoil every tenth row shows some twenty times, within what takes about a
 * second; fewer where a block is costly (half sums of 2^(n/2) entries).
 */
function finalTrials(
  { setting, view, blocksPerWeight }: BlockSearch,
  spec: Omit<ProbeSpec, 'trials'>,
): number {
  const { rule, gridBits } = setting;
  const cheap = isEasyBlock({ ...spec, rule, gridBits });
  const affordable = cheap ? 192_000 : (192_000 * 64) / 2 ** (spec.blockSize / 2);
  const blocksPerRow = blocksPerWeight * view.channels * view.taps;
  return Math.max(8_000, Math.min(192_000, affordable, 200 * blocksPerRow));
}

function hopeless({ view, epsilon, sizes, setting }: BlockSearch): Error {
  const wanted = setting.exact ? `exact mode with ${setting.gridBits} grid bits` : `ε = ${epsilon}`;
  const mends = setting.exact ? ['fewer --grid-bits'] : ['a larger --epsilon'];
  if (!setting.exact && setting.gridBits < gridBitsMax) mends.push('more --grid-bits');
  if (sizes.length === 1 && sizes[0] !== exactBlockSizeMax) mends.push('more --copies');
  return misuse(
    `Cannot plan ${view.title}: with blocks of ${[...new Set([sizes[0], sizes.at(-1)])].join(' to ')} samples too few rows would become copies at ${wanted}, expected ${mends.join(' or ')}`,
  );
}
