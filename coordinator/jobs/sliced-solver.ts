/** Solves large tiles in slices. */
import type { Solver, Tile, TileResult } from '../../src/core/plan/tile.ts';

/**
 * Returns a solver that hands the neurons of a tile over in slices of at most `neuronsMax`, all at once, and puts the results
 * together: neurons are independent, so the result is the same. A planner's probe has thousands of neurons and would keep whoever
 * passes it on for a tenth of a second; in slices it also keeps several threads busy.
 */
export function slicedSolver(solver: Solver, neuronsMax: number): Solver {
  return {
    concurrency: solver.concurrency,
    solve: async (problem, tile) => {
      const slices = slicesOf(tile, neuronsMax, problem.channels * problem.taps);
      const results = await Promise.all(slices.map((slice) => solver.solve(problem, slice)));
      return joined(tile.id, results);
    },
  };
}

function slicesOf(tile: Tile, neuronsMax: number, targetCount: number): Tile[] {
  const slices: Tile[] = [];
  for (let from = 0; from < tile.neurons.length; from += neuronsMax) {
    const to = from + neuronsMax;
    slices.push({
      ...tile,
      neurons: tile.neurons.slice(from, to),
      targets: tile.targets.slice(from * targetCount, to * targetCount),
      biasTargets: tile.biasTargets.slice(from, to),
    });
  }
  return slices;
}

function joined(tileId: string, results: readonly TileResult[]): TileResult {
  const bytes = (arrays: readonly Uint8Array[]): Uint8Array =>
    filled(arrays, (length) => new Uint8Array(length));
  const integers = (arrays: readonly Int32Array[]): Int32Array =>
    filled(arrays, (length) => new Int32Array(length));
  return {
    tileId,
    copyCounts: integers(results.map(({ copyCounts }) => copyCounts)),
    copyRows: integers(results.map(({ copyRows }) => copyRows)),
    masks: bytes(results.map(({ masks }) => masks)),
    misses: integers(results.map(({ misses }) => misses)),
  };
}

function filled<T extends Uint8Array | Int32Array>(arrays: readonly T[], make: (length: number) => T): T {
  const whole = make(arrays.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const array of arrays) {
    whole.set(array, at);
    at += array.length;
  }
  return whole;
}
