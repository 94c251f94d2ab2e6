/** An engine as the store of one construction's tile results. */
import { encodeTileResult } from '../../src/core/format/tile-result.ts';
import type { LayerProblem, Tile, TileResult } from '../../src/core/plan/tile.ts';
import type { TileStore } from '../construct.ts';
import type { Engine } from './engine.ts';
import { decodeStoredResult } from './stored-result.ts';

/** Returns the result that is stored for a tile; undefined where there is none, a damaged one, or that of another tile. */
export async function readTileResult(
  { engine, job }: { readonly engine: Pick<Engine, 'readResult'>; readonly job: string },
  problem: LayerProblem,
  tile: Tile,
): Promise<TileResult | undefined> {
  const value = await engine.readResult(job, tile.id);
  return value === undefined ? undefined : decodeStoredResult(problem, tile, value);
}

/**
 * Returns the store of a job's tiles. A result is durable when its write resolves; one that was damaged, or lies under another
 * tile's id, counts as absent. A write replaces what is there. The engine stays its owner's to close.
 */
export function tileStoreOf(engine: Engine, job: string): TileStore {
  return {
    read: (problem, tile) => readTileResult({ engine, job }, problem, tile),
    write: async (result) => {
      const bytes = encodeTileResult(result);
      if ((await engine.commitResult(job, result.tileId, bytes)) === 'new') return;
      // Asked for together, both go with one sync.
      await Promise.all([
        engine.dropResult(job, result.tileId),
        engine.commitResult(job, result.tileId, bytes),
      ]);
    },
  };
}
