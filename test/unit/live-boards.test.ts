/** What the dashboard shows of tiles. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { JobBoards } from '../../coordinator/gateway/live/job-boards.ts';
import { RateHistory } from '../../coordinator/gateway/live/rate-history.ts';
import { sampleResiduals } from '../../coordinator/gateway/live/residual-sample.ts';
import type { TileStatus } from '../../coordinator/ledger/status.ts';
import type { SolvedTile } from '../../coordinator/tile-observer.ts';
import { cellOf, cellsOf, stateCodes, tilesPerCell } from '../../src/core/live/tile-cells.ts';
import { blocksPerRow, type LayerProblem, type Tile } from '../../src/core/plan/tile.ts';
import { verifyTile } from '../../src/core/verify/verify-tile.ts';
import { kernel } from '../support/job-life.ts';
import { layerAndTile } from '../support/layer-problems.ts';

describe('cells', () => {
  test('are the tiles themselves while there is room', () => {
    const states = Uint8Array.from(Object.values(stateCodes));
    const cells = [...cellsOf(states, tilesPerCell(states.length, 4096))].map((c) => cellOf(c.charCodeAt(0)));
    expect(cells).toEqual([
      { level: 0, mark: 'none' },
      { level: 0, mark: 'working' },
      { level: 0, mark: 'retried' },
      { level: 7, mark: 'none' },
      { level: 7, mark: 'retried' },
      { level: 0, mark: 'failed' },
    ]);
  });

  test('stand for several tiles where there is not, are full only when all of them are done, and hide no failure', () => {
    const states = new Uint8Array(100_000).fill(stateCodes.done);
    states[50_000] = stateCodes.waiting;
    states[99_999] = stateCodes.failed;
    const perCell = tilesPerCell(states.length, 4096);
    const text = cellsOf(states, perCell);
    expect(perCell).toBe(25);
    expect(text).toHaveLength(4000);
    expect(cellOf(text.charCodeAt(0))).toEqual({ level: 7, mark: 'none' });
    expect(cellOf(text.charCodeAt(2000))).toEqual({ level: 6, mark: 'none' });
    expect(cellOf(text.charCodeAt(3999))).toEqual({ level: 6, mark: 'failed' });
    expect(cellsOf(new Uint8Array(0), 1)).toBe('');
  });
});

async function solve([problem, tile]: [LayerProblem, Tile]): Promise<SolvedTile> {
  return { problem, tile, result: await kernel.solve(problem, tile), blocks: 5, isResumed: false };
}

/** Solved tiles of all kinds of layers that have copies with residuals. */
const examples = (await Promise.all(fc.sample(layerAndTile, { seed: 5, numRuns: 100 }).map(solve))).filter(
  ({ problem, result }) => result.copyRows.length > 0 && problem.tolerance > 0,
);
const [solved] = examples.filter(({ result }) => result.masks.some((byte) => byte > 0));
if (solved === undefined) throw new Error('no example has a copy');
const { problem, tile, result } = solved;

function boardsOf(retried: readonly string[] = []): JobBoards {
  const statusOf = (_: string, id: string): TileStatus => ({
    tile: id,
    state: 'done',
    isRetried: retried.includes(id),
  });
  return new JobBoards({ nowMs: () => 0, statusOf });
}

const marks = (cells: string | undefined): string => [...(cells ?? '')].join('');

describe('a board', () => {
  test('shows what is cut, worked on, tried again, done and given up', () => {
    const boards = boardsOf();
    const observer = boards.observer('job');
    const other = { ...tile, id: 'other' };
    observer.begun(0);
    observer.cut(0, [tile.id, other.id, 'third']);
    const layer = boards.find('job')?.layers[0];
    expect(marks(layer?.view([]).cells)).toBe('000');
    const hand: TileStatus[] = [
      { tile: tile.id, state: 'leased', isRetried: false },
      { tile: 'other', state: 'open', isRetried: true },
      { tile: 'third', state: 'open', isRetried: false },
      { tile: 'of another layer', state: 'leased', isRetried: false },
    ];
    expect(layer?.view(hand)).toMatchObject({ cells: '8@0', working: 2, retried: 1, failed: 0 });
    observer.done(0, solved);
    boards.fail('job', 'other');
    boards.fail('job', 'other');
    expect(layer?.view([])).toMatchObject({ cells: '7H0', working: 0, retried: 0, failed: 1 });
  });

  test('counts what was found: blocks, kept edges, misses, tiles that came late', () => {
    const boards = boardsOf([tile.id]);
    const observer = boards.observer('job');
    observer.begun(0);
    observer.cut(0, [tile.id]);
    observer.done(0, solved);
    const kept = [...result.masks].reduce(
      (sum, byte) => sum + byte.toString(2).replaceAll('0', '').length,
      0,
    );
    expect(kept).toBeGreaterThan(0);
    expect(boards.find('job')?.layers[0]?.view([])).toMatchObject({
      cells: 'G',
      retried: 1,
      keptEdges: kept,
      blocks: result.copyRows.length * blocksPerRow(problem),
      misses: result.misses.length / 2,
    });
  });

  test('begins anew when its layer or its job does, and keeps the layers before', () => {
    const boards = boardsOf();
    const observer = boards.observer('job');
    for (const layer of [0, 1]) {
      observer.begun(layer);
      observer.cut(layer, [tile.id]);
      observer.done(layer, solved);
    }
    observer.begun(1);
    expect(boards.find('job')?.layers.map((layer) => layer.view([]).cells)).toEqual(['7', '']);
    boards.observer('job').begun(0);
    expect(boards.find('job')?.layers.map((layer) => layer.view([]).cells)).toEqual(['']);
  });

  test('is gone when its job goes on elsewhere, and stays when that is over', () => {
    const boards = boardsOf();
    for (const job of ['over', 'elsewhere']) {
      const observer = boards.observer(job);
      observer.begun(0);
      observer.cut(0, [tile.id]);
    }
    boards.close('over');
    for (const job of ['over', 'elsewhere', 'never seen']) boards.leave(job);
    expect(boards.find('over')?.layers.map((layer) => layer.view([]).cells)).toEqual(['0']);
    expect(boards.find('elsewhere')).toBeUndefined();
    boards.observer('over').begun(0);
    boards.leave('over');
    expect(boards.find('over'), 'it was submitted again').toBeUndefined();
  });
});

describe('sampled residuals', () => {
  test('are as large as the verifier finds them', () => {
    let compared = 0;
    for (const example of examples)
      for (let choice = 0; choice < 1; choice += 0.15) {
        const largest = Math.max(0, ...sampleResiduals(example, choice));
        expect(largest).toBeLessThanOrEqual(1);
        const tolerance = Math.round(largest * example.problem.tolerance) - 1;
        if (tolerance < 0) continue;
        compared++;
        const stricter = { ...example.problem, tolerance };
        const verdict = verifyTile(stricter, { ...example, isChecked: () => true });
        expect(verdict.kind).toBe('refused');
      }
    expect(compared).toBeGreaterThan(50);
  });

  test('are the targets themselves where the masks keep nothing', () => {
    const empty = { ...result, masks: new Uint8Array(result.masks.length) };
    const size = problem.channels * problem.taps;
    const neuron = result.copyCounts.findIndex((count) => count > 0);
    const targets = [...tile.targets.subarray(neuron * size, (neuron + 1) * size)];
    const shares = targets.map((target) => Math.min(1, Math.abs(target) / problem.tolerance));
    const sampled = sampleResiduals({ ...solved, result: empty }, 0);
    expect(Math.max(...sampled)).toBe(Math.max(...shares));
    expect(shares).toEqual(expect.arrayContaining(sampled));
  });

  test('are none where there is nothing to sample', () => {
    const none = { ...result, copyRows: new Int32Array(0), masks: new Uint8Array(0) };
    expect(sampleResiduals({ ...solved, result: none }, 0.5)).toEqual([]);
    expect(sampleResiduals({ ...solved, problem: { ...problem, tolerance: 0 } }, 0.5)).toEqual([]);
  });
});

describe('a history of rates', () => {
  test('covers the whole job in a bounded number of figures', () => {
    const history = new RateHistory(0, 1000);
    for (let second = 1; second <= 1000; second++) {
      history.add(50);
      history.pass(1000 * second);
    }
    const { rates, rateEveryMs } = history.view();
    expect(rates.length).toBeLessThanOrEqual(240);
    expect(rateEveryMs).toBe(16_000 / 2);
    expect(new Set(rates)).toEqual(new Set([50]));
  });
});
