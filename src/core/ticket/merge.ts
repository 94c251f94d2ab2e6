/**
 * Merging verified tiles into a layer. A merge is a set of tiles, keyed by their content hash, so it does not matter in which order
 * tiles are added, nor how often. Only {@link VerifiedTile}, which only verify/verify-tile.ts makes, can be added.
 *
 * Masks are put where they will stay as they come, in one area for the whole layer: nothing holds them twice, and the tiles'
 * own arrays can go at once. Half a gigabyte for a layer of 4096 × 4096.
 */
import type { Tile, TileResult } from '../plan/tile.ts';

declare const verified: unique symbol;

/** A tile with a result whose residuals have been checked. */
export interface VerifiedTile {
  readonly tile: Tile;
  readonly result: TileResult;
  readonly [verified]: true;
}

/** The rows that became copies of the neurons of one layer. */
export interface SealedLayer {
  /** Shape [neurons]. */
  readonly copyCounts: Int32Array;
  /** Neuron by neuron, ascending; shape [Σ copyCounts]. */
  readonly copyRows: Int32Array;
  /** Shape [Σ copyCounts, rowBytes]. */
  readonly masks: Uint8Array;
  /** Rows that were tried and are no copies. */
  readonly missedRows: number;
}

/** The copies of one layer, as tiles come in. */
export class LayerMerge {
  /** Copies of each neuron so far; shape [neurons]. */
  readonly copyCounts: Int32Array;
  private readonly rowBytes: number;
  /** Shape [neurons + 1]: first place of each neuron's copies, of as many as are wanted. */
  private readonly places: Int32Array;
  private readonly rows: Int32Array;
  private readonly masks: Uint8Array;
  private readonly known = new Set<string>();
  private missedRows = 0;

  /** `wanted` is the most copies each neuron gets from all tiles, shape [neurons]; `allocate` gives the memory for the masks, zeroed. */
  constructor({
    wanted,
    rowBytes,
    allocate = (bytes) => new Uint8Array(bytes),
  }: {
    readonly wanted: Int32Array;
    readonly rowBytes: number;
    readonly allocate?: (bytes: number) => Uint8Array;
  }) {
    this.rowBytes = rowBytes;
    this.copyCounts = new Int32Array(wanted.length);
    this.places = new Int32Array(wanted.length + 1);
    for (const [neuron, count] of wanted.entries())
      this.places[neuron + 1] = (this.places[neuron] ?? 0) + count;
    const copies = this.places[wanted.length] ?? 0;
    this.rows = new Int32Array(copies);
    this.masks = allocate(copies * rowBytes);
  }

  /** Adds a tile, whose arrays are copied. A tile's answer is unique, so one that is known already changes nothing. */
  add({ tile, result }: VerifiedTile): void {
    if (this.known.has(tile.id)) return;
    this.known.add(tile.id);
    let copy = 0;
    for (const [index, { neuron }] of tile.neurons.entries())
      for (let end = copy + (result.copyCounts[index] ?? 0); copy < end; copy++)
        this.insert(neuron, result.copyRows[copy] ?? -1, this.maskOf(result.masks, copy));
    this.missedRows += result.misses.length / 2;
  }

  /** Returns the copies of every neuron, in row order. The merge is over: nothing can be added any more. */
  seal(): SealedLayer {
    const { rowBytes, rows, masks } = this;
    let filled = 0;
    for (const [neuron, count] of this.copyCounts.entries()) {
      const first = this.places[neuron] ?? 0;
      if (first !== filled) {
        rows.copyWithin(filled, first, first + count);
        masks.copyWithin(filled * rowBytes, first * rowBytes, (first + count) * rowBytes);
      }
      filled += count;
    }
    return {
      copyCounts: this.copyCounts,
      copyRows: rows.subarray(0, filled),
      masks: masks.subarray(0, filled * rowBytes),
      missedRows: this.missedRows,
    };
  }

  /** Puts a copy behind those of lower rows; nearly always that is behind all there are. */
  private insert(neuron: number, row: number, mask: Uint8Array): void {
    const { rowBytes, rows, masks } = this;
    const first = this.places[neuron] ?? 0;
    const end = first + (this.copyCounts[neuron] ?? 0);
    if (end >= (this.places[neuron + 1] ?? 0))
      throw new Error(`neuron ${neuron} has more copies than the ${end - first} it wants`);
    let place = end;
    while (place > first && (rows[place - 1] ?? 0) > row) place--;
    rows.copyWithin(place + 1, place, end);
    masks.copyWithin((place + 1) * rowBytes, place * rowBytes, end * rowBytes);
    rows[place] = row;
    masks.set(mask, place * rowBytes);
    this.copyCounts[neuron] = end - first + 1;
  }

  private maskOf(masks: Uint8Array, copy: number): Uint8Array {
    return masks.subarray(copy * this.rowBytes, (copy + 1) * this.rowBytes);
  }
}

/** Marks a tile as verified. For verify/verify-tile.ts alone. */
export function markVerified(tile: Tile, result: TileResult): VerifiedTile {
  return { tile, result } as VerifiedTile;
}
