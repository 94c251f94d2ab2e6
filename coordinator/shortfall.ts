/**
 * What is said where a layer ends without a copy of some neuron: how many are missing, and what may help. Rows that all miss in the same
 * place miss for one reason, which more rows share: then only other numbers help, another seed.
 */
import { failure, type TombolaError } from '../src/core/errors.ts';
import { blocksPerRow, type LayerProblem, type Tile, type TileResult } from '../src/core/plan/tile.ts';

const noMiss = -1;
const severalPlaces = -2;

/** Where the rows of each neuron missed, as far as it is one place. */
export class MissPlaces {
  private readonly problem: LayerProblem;
  /** Shape [neurons]: a place, or {@link noMiss}, or {@link severalPlaces}. */
  private readonly places: Int32Array;

  constructor(problem: LayerProblem, neurons: number) {
    this.problem = problem;
    this.places = new Int32Array(neurons).fill(noMiss);
  }

  /** Counts the misses of a verified result. */
  add({ neurons }: Tile, { misses }: TileResult): void {
    let at = 0;
    for (let index = 0; index < misses.length; index += 2) {
      const row = misses[index] ?? 0;
      // Misses come neuron by neuron, as the neurons of the tile do.
      const found = neurons.findIndex(
        ({ firstRow, rowCount }, k) => k >= at && row >= firstRow && row < firstRow + rowCount,
      );
      if (found < 0) continue;
      at = found;
      this.count(neurons[found]?.neuron ?? 0, this.placeOf(misses[index + 1] ?? 0));
    }
  }

  /** Returns what all misses of these neurons have in common, in words, or null. */
  shared(neurons: readonly number[]): string | null {
    const [place = noMiss] = neurons.map((neuron) => this.places[neuron] ?? noMiss);
    if (place < 0 || neurons.some((neuron) => this.places[neuron] !== place)) return null;
    const { problem } = this;
    if (place === blocksPerRow(problem) - 1) return 'the bias block';
    const channel = problem.groupChannels[Math.floor(place / problem.taps)];
    return problem.groupMultipliers === null
      ? `one block, that of input ${channel}, kernel position ${place % problem.taps}`
      : `the blocks of input ${channel}, which share their univariate weights`;
  }

  private count(neuron: number, place: number): void {
    const before = this.places[neuron] ?? noMiss;
    this.places[neuron] = before === noMiss || before === place ? place : severalPlaces;
  }

  /** A block; behind the univariate layer the first block of the same sign group, whose taps share their multipliers. */
  private placeOf(block: number): number {
    const { taps, groupMultipliers } = this.problem;
    const isBias = block === blocksPerRow(this.problem) - 1;
    return groupMultipliers === null || isBias ? block : block - (block % taps);
  }
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
    `Cannot complete layer ${layerName}: ${without.length} of ${wanted.length} neurons have no copy and ${missing} copies are missing in all, expected 0; ${shared === null ? '' : `all their rows missed in ${shared}; `}try ${mends.slice(0, -1).join(', ')} or ${mends.at(-1)}`,
  );
}
