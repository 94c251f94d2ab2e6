/**
 * Merging verified tiles into a layer. A merge is a union of sets of tiles keyed by their content hash, so it is commutative,
 * associative and idempotent; {@link sealLayer} then reads the union in neuron order. Only {@link VerifiedTile}, which only
 * verify/verify-tile.ts makes, can be merged.
 */
import type { Tile, TileResult } from '../plan/tile.ts';

declare const verified: unique symbol;

/** A tile with a result whose residuals have been checked. */
export interface VerifiedTile {
  readonly tile: Tile;
  readonly result: TileResult;
  readonly [verified]: true;
}

/** Verified tiles by id. */
export type MergedTiles = ReadonlyMap<string, VerifiedTile>;

/** Returns the union of two sets of verified tiles. A tile's answer is unique, so which of two equal ids stays is no matter. */
export function mergeTiles(a: MergedTiles, b: MergedTiles): MergedTiles {
  const merged = new Map(a);
  for (const [id, tile] of b) merged.set(id, tile);
  return merged;
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

/**
 * Returns the copies of every neuron, in row order.
 * @param allocate gives the memory for the masks, zeroed: half a gigabyte for a layer of 4096 × 4096.
 */
export function sealLayer(
  tiles: MergedTiles,
  {
    neurons,
    rowBytes,
    allocate = (bytes) => new Uint8Array(bytes),
  }: { neurons: number; rowBytes: number; allocate?: (bytes: number) => Uint8Array },
): SealedLayer {
  const copies: { row: number; mask: Uint8Array }[][] = Array.from({ length: neurons }, () => []);
  let missedRows = 0;
  for (const { tile, result } of tiles.values()) {
    let copy = 0;
    tile.neurons.forEach(({ neuron }, index) => {
      for (let end = copy + (result.copyCounts[index] ?? 0); copy < end; copy++)
        copies[neuron]?.push({
          row: result.copyRows[copy] ?? -1,
          mask: result.masks.subarray(copy * rowBytes, (copy + 1) * rowBytes),
        });
    });
    missedRows += result.misses.length / 2;
  }
  for (const list of copies) list.sort((a, b) => a.row - b.row);
  const all = copies.flat();
  const masks = allocate(all.length * rowBytes);
  all.forEach(({ mask }, index) => {
    masks.set(mask, index * rowBytes);
  });
  return {
    copyCounts: Int32Array.from(copies, (list) => list.length),
    copyRows: Int32Array.from(all, ({ row }) => row),
    masks,
    missedRows,
  };
}

/** Marks a tile as verified. For verify/verify-tile.ts alone. */
export function markVerified(tile: Tile, result: TileResult): VerifiedTile {
  return { tile, result } as VerifiedTile;
}
