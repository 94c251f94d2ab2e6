/** What a search says that ends without a copy of some neuron. */
import { beforeAll, describe, expect, it } from 'vitest';
import {
  blocksPerRow,
  type LayerProblem,
  type Solver,
  type Tile,
  type TileResult,
} from '../../src/core/plan/tile.ts';
import { activationStep, denseLayer } from '../support/evaluation-networks.ts';
import { kernelSolver, searchInProcess } from '../support/in-process-search.ts';

let solver: Solver;
beforeAll(async () => {
  solver = await kernelSolver();
});

const relu = activationStep({ kind: 'relu' });
const network = {
  inputShape: [4],
  inputSteps: [],
  layers: [denseLayer(4, 3, [relu]), denseLayer(3, 2)],
};

/** A result without copies: every row of a tile misses, in the block that `blockOf` names. */
function allMissed(tile: Tile, blockOf: (row: number) => number): TileResult {
  const misses = tile.neurons.flatMap(({ firstRow, rowCount }) =>
    Array.from({ length: rowCount }, (_, k) => [firstRow + k, blockOf(firstRow + k)]),
  );
  return {
    tileId: tile.id,
    copyCounts: new Int32Array(tile.neurons.length),
    copyRows: new Int32Array(0),
    masks: new Uint8Array(0),
    misses: Int32Array.from(misses.flat()),
  };
}

/** A solver that finds no subset in one source layer. */
function failing(sourceLayer: number, blockOf: (row: number, problem: LayerProblem) => number): Solver {
  return {
    concurrency: 1,
    solve: (problem, tile) =>
      tile.sourceLayer === sourceLayer
        ? Promise.resolve(allMissed(tile, (row) => blockOf(row, problem)))
        : solver.solve(problem, tile),
  };
}

const bias = (_: number, problem: LayerProblem): number => blocksPerRow(problem) - 1;

describe('a search that ends without a copy of some neuron', () => {
  it.each([
    [
      'of a first layer that always misses in its biases',
      failing(1, bias),
      /3 of 3 neurons have no copy and \d+ copies are missing in all, expected 0; (\d+) of the \1 rows tried for them missed in the bias block; try another --seed or a smaller --failure-probability$/,
    ],
    [
      'of a first layer that always misses at one input',
      failing(1, () => 2),
      /(\d+) of the \1 rows tried for them missed in the blocks of input 2, which share their univariate weights; try another --seed or /,
    ],
    [
      'of a later layer that always misses in one block',
      failing(2, () => 1),
      /(\d+) of the \1 rows tried for them missed in one block, that of input 1, kernel position 0; try another --seed, more --copies or a smaller --failure-probability$/,
    ],
    [
      'of a later layer that nearly always misses in its biases',
      failing(2, (row, problem) => (row % 5 === 0 ? 1 : bias(row, problem))),
      /\d+ of the \d+ rows tried for them missed in the bias block; try another --seed, more --copies or /,
    ],
    [
      'of a later layer that misses here and there',
      failing(2, (row) => row % 2),
      /expected 0; try a smaller --failure-probability, more --copies or another --seed$/,
    ],
    [
      'of a first layer that misses here and there',
      failing(1, (row) => row % 4),
      /expected 0; try a smaller --failure-probability or another --seed$/,
    ],
  ])('says what may help: %s', async (_, hopeless, message) => {
    const ended = searchInProcess(network, {}, hopeless);
    await expect(ended).rejects.toThrow(/^Cannot complete layer dense: [^\n]*$/);
    await expect(ended).rejects.toThrow(message);
    await expect(ended).rejects.toMatchObject({ kind: 'failure' });
  });
});
