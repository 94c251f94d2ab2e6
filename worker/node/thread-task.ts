/** What the pool and its threads say to each other, besides what piscina adds. */
import type { LayerProblem, Tile, TileResult } from '../../src/core/plan/tile.ts';
import type { SolvedBody } from '../session-shell.ts';

/** Solve a tile. */
export interface SolveTask {
  /** The result is wanted as it is, or as the body of a message (transport.ts). */
  readonly kind: 'solve' | 'solve-coded' | 'solve-plain';
  /** Stands for the layer problem: equal keys mean equal problems, so a thread sets a layer up once. */
  readonly layerKey: number;
  /** Its arrays lie in shared memory, so that sending it with every tile costs nothing. */
  readonly problem: LayerProblem;
  readonly tile: Tile;
  /** Shape [1], in shared memory: not 0 once nobody waits for the tile. Null where nobody can give it up. */
  readonly abandoned: Int32Array | null;
}

/** What comes back for each kind of task. */
export interface ThreadReplies {
  /** Undefined for a tile that was abandoned before its turn. */
  readonly solve: TileResult | undefined;
  /** Likewise. */
  readonly 'solve-coded': SolvedBody | undefined;
  readonly 'solve-plain': SolvedBody | undefined;
}
