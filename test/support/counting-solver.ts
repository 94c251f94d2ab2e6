/** Solvers for tests: they count, stop, or break. */
import type { Solver } from '../../src/core/plan/tile.ts';

/** A solver that knows which tiles it was asked for. */
export interface CountingSolver extends Solver {
  readonly tiles: string[];
  /** Resolves when the solver has been asked `count` times. */
  asked(count: number): Promise<void>;
}

/** Returns the solver, counting; after `limit` tiles it answers no more. */
export function countingSolver(solver: Solver, limit = Number.POSITIVE_INFINITY): CountingSolver {
  const tiles: string[] = [];
  const waiters: { count: number; tell: () => void }[] = [];
  return {
    concurrency: solver.concurrency,
    tiles,
    asked: (count) =>
      tiles.length >= count
        ? Promise.resolve()
        : new Promise((tell) => {
            waiters.push({ count, tell });
          }),
    solve: (problem, tile) => {
      tiles.push(tile.id);
      for (const { count, tell } of waiters) if (tiles.length >= count) tell();
      if (tiles.length > limit) return new Promise(() => undefined);
      return solver.solve(problem, tile);
    },
  };
}
