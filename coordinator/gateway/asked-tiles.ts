/** The tiles that jobs have asked for, and who waits for them. */
import { blocksPerRow } from '../../src/core/plan/tile.ts';
import { layerBlockMicroseconds } from '../../src/core/plan/tiles.ts';
import type { TileFate, TileWork } from '../jobs/ledger-port.ts';
import type { LedgerTile } from '../ledger.ts';

interface Asked {
  readonly work: TileWork;
  readonly fate: Promise<TileFate>;
  readonly resolve: (fate: TileFate) => void;
}

/** Tiles by job and id, while somebody waits for them. */
export class AskedTiles {
  private readonly jobs = new Map<string, Map<string, Asked>>();

  /** Returns false for a job that is known already. */
  addJob(job: string): boolean {
    if (this.jobs.has(job)) return false;
    this.jobs.set(job, new Map());
    return true;
  }

  /** Returns the tile's fate to be, and whether the tile is new; a job that is not known has no tiles. */
  add(job: string, work: TileWork): { readonly fate: Promise<TileFate>; readonly isNew: boolean } {
    const tiles = this.jobs.get(job);
    if (tiles === undefined) return { fate: Promise.resolve({ kind: 'removed' }), isNew: false };
    const known = tiles.get(work.tile.id);
    if (known !== undefined) return { fate: known.fate, isNew: false };
    let resolve: (fate: TileFate) => void = () => undefined;
    const fate = new Promise<TileFate>((settle) => {
      resolve = settle;
    });
    tiles.set(work.tile.id, { work, fate, resolve });
    return { fate, isNew: true };
  }

  find({ job, tile }: { readonly job: string; readonly tile: string }): TileWork | undefined {
    return this.jobs.get(job)?.get(tile)?.work;
  }

  /** Tells whoever waits. A tile that was given up stays: a late result of it is still welcome. */
  settle({ job, tile }: { readonly job: string; readonly tile: string }, fate: TileFate): void {
    const tiles = this.jobs.get(job);
    tiles?.get(tile)?.resolve(fate);
    if (fate.kind === 'done') tiles?.delete(tile);
  }

  /** Forgets the job and tells all who wait; false for a job that is not known. */
  removeJob(job: string): boolean {
    const tiles = this.jobs.get(job);
    if (tiles === undefined) return false;
    this.jobs.delete(job);
    for (const { resolve } of tiles.values()) resolve({ kind: 'removed' });
    return true;
  }
}

/** Returns the tile as a ledger knows it: with the blocks of all rows that are wanted. */
export function ledgerTile({ problem, tile }: TileWork): LedgerTile {
  const blocks = tile.neurons.reduce((sum, { wanted }) => sum + wanted * blocksPerRow(problem), 0);
  return { tile: tile.id, blocks, expectedMs: (blocks * layerBlockMicroseconds(problem)) / 1000 };
}
