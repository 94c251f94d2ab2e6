/** What a construction shows of its tiles to whoever displays them. */
import type { LayerProblem, Tile, TileResult } from '../src/core/plan/tile.ts';

/** A tile and what was found for it. */
export interface SolvedTile {
  readonly problem: LayerProblem;
  readonly tile: Tile;
  readonly result: TileResult;
  /** Blocks solved, in rows that became copies and up to the miss in those that did not. */
  readonly blocks: number;
  /** It came from the store. */
  readonly isResumed: boolean;
}

/** Sees the tiles of one construction. Layers are 0-based target layers. Must return fast, and keep nothing of a result. */
export interface TileObserver {
  /** A layer begins: what was seen of it before counts no more. */
  begun(layer: number): void;
  /** Tiles of the layer were cut; they come behind those cut before. */
  cut(layer: number, tileIds: readonly string[]): void;
  /** A tile is done, whether solved now or found in the store. */
  done(layer: number, solved: SolvedTile): void;
}
