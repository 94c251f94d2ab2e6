/**
 * A solver that knows the time: wraps another one, so that the planner's probes tell how long the search will take.
 */
import type { LayerProblem, Solver, Tile, TileResult } from '../core/plan/tile.ts';

/** Seconds of one thread per block in each target layer's last probe, by 0-based layer. */
export type ProbeTimes = ReadonlyMap<number, number>;

/** A solver that can be told to stop. */
interface AbortableSolver {
  readonly concurrency: number;
  solve(problem: LayerProblem, tile: Tile, options: { readonly signal: AbortSignal }): Promise<TileResult>;
}

/** Probes of target layer ℓ present themselves as source layer 2^20 + ℓ (core/plan/probe.ts). */
const firstProbeLayer = 1 << 20;

/**
 * Returns the solver with its clock. It hands over at most `threads` tiles at a time, so that a tile's time is spent on solving
 * it rather than on waiting for a thread.
 */
export function timeProbes(
  solver: AbortableSolver,
  { threads, signal }: { readonly threads: number; readonly signal: AbortSignal },
): { readonly solver: Solver; readonly times: ProbeTimes } {
  const times = new Map<number, number>();
  const waiting: (() => void)[] = [];
  let free = threads;
  const acquire = async (): Promise<void> => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => waiting.push(resolve));
  };
  const release = (): void => {
    const next = waiting.shift();
    if (next === undefined) free++;
    else next();
  };
  const solve = async (problem: LayerProblem, tile: Tile): Promise<TileResult> => {
    await acquire();
    const start = performance.now();
    try {
      return await solver.solve(problem, tile, { signal });
    } finally {
      const seconds = (performance.now() - start) / 1000;
      if (tile.neurons.length > 0)
        times.set(problem.sourceLayer - firstProbeLayer, seconds / tile.neurons.length);
      release();
    }
  };
  return { solver: { concurrency: solver.concurrency, solve }, times };
}
