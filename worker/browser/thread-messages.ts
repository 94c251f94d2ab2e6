/** What the page and its threads say to each other. */
import type { LayerProblem, Tile } from '../../src/core/plan/tile.ts';

/** Solve a tile; one at a time. */
export interface SolveOrder {
  readonly kind: 'solve';
  readonly id: number;
  /** Null: the layer of the order before. */
  readonly problem: LayerProblem | null;
  readonly tile: Tile;
}

/** What the page tells a solver's thread. */
export type SolverOrder =
  | SolveOrder
  /** Nobody wants the tile any more. */
  | { readonly kind: 'cancel'; readonly id: number }
  /** Share of the time to work, in (0, 1]. */
  | { readonly kind: 'duty'; readonly duty: number };

/** What a solver's thread tells the page. */
export type SolverReport =
  /** It has passed its self-test with the kernel of this digest, hex SHA-256 over the bytes it runs. */
  | { readonly kind: 'ready'; readonly digest: string }
  | { readonly kind: 'unfit'; readonly reason: string }
  | { readonly kind: 'solved'; readonly id: number; readonly body: Uint8Array; readonly computeMs: number }
  | { readonly kind: 'failed'; readonly id: number; readonly reason: string };

/** What the page tells the timers' thread. */
export type TimerOrder =
  | { readonly kind: 'start'; readonly id: number; readonly delayMs: number }
  | { readonly kind: 'stop'; readonly id: number };
