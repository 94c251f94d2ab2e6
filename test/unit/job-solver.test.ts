import fc from 'fast-check';
import { expect, it } from 'vitest';
import { memoryDisk, memoryEngine } from '../../coordinator/engine/memory-engine.ts';
import { DeadTile, type JobTiles, jobSolver } from '../../coordinator/jobs/job-solver.ts';
import { jobEngineOf } from '../../coordinator/jobs/job-store.ts';
import type { LedgerPort } from '../../coordinator/jobs/ledger-port.ts';
import { TombolaError } from '../../src/core/errors.ts';
import { tilesPerJobMax } from '../../src/core/limits.ts';
import type { LayerProblem, Tile } from '../../src/core/plan/tile.ts';
import { layerAndTile } from '../support/layer-problems.ts';

const [[problem, tile]] = fc.sample(layerAndTile, { numRuns: 1, seed: 1 }) as [[LayerProblem, Tile]];

/** Tiles of a job that nobody can solve, and how many have been asked for. */
function unsolvableTiles(): { tiles: JobTiles; asked: () => number } {
  let asked = 0;
  const ledger: LedgerPort = {
    addJob: () => undefined,
    addTile: async () => {
      asked++;
      return { kind: 'dead', reason: 'too hard' };
    },
    removeJob: () => undefined,
  };
  const store = jobEngineOf(memoryEngine({ disk: memoryDisk() }));
  const { signal } = new AbortController();
  return { tiles: { job: 'j', store, ledger, signal, committed: new Set() }, asked: () => asked };
}

it('a construction asks for no more tiles than a ledger takes, and fails with what to do', async () => {
  const { tiles, asked } = unsolvableTiles();
  const solver = jobSolver(tiles);
  const outcomeOf = (): Promise<unknown> => solver.solve(problem, tile).catch((error: unknown) => error);
  for (let count = 1; count < tilesPerJobMax; count++) await outcomeOf();
  expect(await outcomeOf()).toBeInstanceOf(DeadTile);
  const error = await outcomeOf();
  expect(error).toBeInstanceOf(TombolaError);
  expect(error).toMatchObject({
    kind: 'failure',
    message: /asked for 1000000, .* run it again .*--tile-seconds on the coordinator.*--copies/,
  });
  expect(asked()).toBe(tilesPerJobMax);
});
