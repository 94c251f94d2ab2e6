/** An engine as the store of one construction's tile results. */
import { decodeTileResult, encodeTileResult } from '../../src/core/format/tile-result.ts';
import type { TileResult } from '../../src/core/plan/tile.ts';
import type { TileStore } from '../construct.ts';
import type { Engine } from './engine.ts';

/** Returns the result that is stored for a tile; undefined where there is none, a damaged one, or that of another tile. */
export async function readTileResult(
  engine: Pick<Engine, 'readResult'>,
  job: string,
  tileId: string,
): Promise<TileResult | undefined> {
  const bytes = await engine.readResult(job, tileId);
  const result = bytes === undefined ? undefined : decodeTileResult(bytes);
  return result?.tileId === tileId ? result : undefined;
}

/**
 * Returns the store of a job's tiles. A result is durable when its write resolves; one that was damaged, or lies under another
 * tile's id, counts as absent. A write replaces what is there. The engine stays its owner's to close.
 */
export function tileStoreOf(engine: Engine, job: string): TileStore {
  return {
    read: (tileId) => readTileResult(engine, job, tileId),
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
