/**
 * What is said where a layer ends without a copy of some neuron: how many are missing, and what may help. Rows that nearly all miss in the
 * same place miss for one reason, which more rows share: then only other numbers help, another seed.
 */
import { failure, type TombolaError } from '../src/core/errors.ts';
import {
  blocksPerRow,
  type LayerProblem,
  type Tile,
  type TileNeuron,
  type TileResult,
} from '../src/core/plan/tile.ts';

/** Share of the misses from which on one place is to blame. */
const blameShare = 3 / 4;

/** Where the rows of each neuron missed. */
export class MissPlaces {
  private readonly problem: LayerProblem;
  /** Misses by neuron, then place; no more entries than rows that missed. */
  private readonly counts = new Map<number, Map<number, number>>();

  constructor(problem: LayerProblem) {
    this.problem = problem;
  }

  /** Counts the misses of a verified result. */
  add({ neurons }: Tile, { misses }: TileResult): void {
    let at = 0;
    for (let index = 0; index < misses.length; index += 2) {
      // Misses come neuron by neuron, as the neurons of the tile do.
      while (at < neurons.length && !triesRow(neurons[at], misses[index] ?? 0)) at++;
      const neuron = neurons[at]?.neuron;
      if (neuron !== undefined) this.count(neuron, this.placeOf(misses[index + 1] ?? 0));
    }
  }

  /** Returns in words where nearly all misses of these neurons lie, or null if that is no one place. */
  shared(neurons: readonly number[]): string | null {
    const sums = new Map<number, number>();
    for (const neuron of neurons)
      for (const [place, count] of this.counts.get(neuron) ?? [])
        sums.set(place, (sums.get(place) ?? 0) + count);
    const total = [...sums.values()].reduce((sum, count) => sum + count, 0);
    const [most] = [...sums].sort(([, a], [, b]) => b - a);
    if (most === undefined || most[1] < blameShare * total) return null;
    return `${most[1]} of the ${total} rows tried for them missed in ${this.inWords(most[0])}`;
  }

  private inWords(place: number): string {
    const { problem } = this;
    if (place === blocksPerRow(problem) - 1) return 'the bias block';
    const channel = problem.groupChannels[Math.floor(place / problem.taps)];
    return problem.groupMultipliers === null
      ? `one block, that of input ${channel}, kernel position ${place % problem.taps}`
      : `the blocks of input ${channel}, which share their univariate weights`;
  }

  private count(neuron: number, place: number): void {
    const places = this.counts.get(neuron) ?? new Map<number, number>();
    this.counts.set(neuron, places.set(place, (places.get(place) ?? 0) + 1));
  }

  /** A block; behind the univariate layer the first block of the same sign group, whose taps share their multipliers. */
  private placeOf(block: number): number {
    const { taps, groupMultipliers } = this.problem;
    const isBias = block === blocksPerRow(this.problem) - 1;
    return groupMultipliers === null || isBias ? block : block - (block % taps);
  }
}

function triesRow(neuron: TileNeuron | undefined, row: number): boolean {
  return neuron !== undefined && row >= neuron.firstRow && row < neuron.firstRow + neuron.rowCount;
}

/** What a shortfall is told of. */
export interface Shortfall {
  readonly layerName: string;
  readonly wanted: Int32Array;
  /** Copies found; shape [neurons], as `wanted`. */
  readonly found: Int32Array;
  readonly misses: MissPlaces;
  /** The layer's blocks are made of copies, whose number the user may set. */
  readonly hasCopies: boolean;
}

/**
 * Returns how many copies are missing.
 * @throws TombolaError (failure) when a neuron that is needed has none at all: that ends the search.
 */
export function missingCopies(shortfall: Shortfall): number {
  const { wanted, found } = shortfall;
  const without = [...wanted.keys()].filter((neuron) => (wanted[neuron] ?? 0) > 0 && found[neuron] === 0);
  const missing = wanted.reduce((sum, count, neuron) => sum + count - (found[neuron] ?? 0), 0);
  if (without.length > 0) throw refusal(shortfall, { without, missing });
  return missing;
}

function refusal(
  { layerName, wanted, misses, hasCopies }: Shortfall,
  { without, missing }: { without: readonly number[]; missing: number },
): TombolaError {
  const shared = misses.shared(without);
  const moreRows = 'a smaller --failure-probability';
  const moreCopies = hasCopies ? ['more --copies'] : [];
  const mends =
    shared === null
      ? [moreRows, ...moreCopies, 'another --seed']
      : ['another --seed', ...moreCopies, moreRows];
  return failure(
    `Cannot complete layer ${layerName}: ${without.length} of ${wanted.length} neurons have no copy and ${missing} copies are missing in all, expected 0; ${shared === null ? '' : `${shared}; `}try ${mends.slice(0, -1).join(', ')} or ${mends.at(-1)}`,
  );
}
