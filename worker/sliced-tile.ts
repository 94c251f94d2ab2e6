/**
 * A tile solved a few rows at a time, so that whoever solves it can stop, rest or look at its messages in between. The result is that
 * of solving it at once: rows are tried in the same order, and every answer is unique.
 */
import { joined } from '../src/core/format/joined.ts';
import type { LayerProblem, Tile, TileNeuron, TileResult } from '../src/core/plan/tile.ts';

/** A tile in the course of being solved. */
export class SlicedTile {
  private readonly problem: LayerProblem;
  private readonly tile: Tile;
  private readonly solve: (problem: LayerProblem, tile: Tile) => TileResult;
  private readonly parts: TileResult[] = [];
  private readonly copyCounts: Int32Array;
  /** The neuron in hand, and how many of its rows have been tried. */
  private index = 0;
  private triedCount = 0;

  constructor(
    solve: (problem: LayerProblem, tile: Tile) => TileResult,
    { problem, tile }: { readonly problem: LayerProblem; readonly tile: Tile },
  ) {
    this.solve = solve;
    this.problem = problem;
    this.tile = tile;
    this.copyCounts = new Int32Array(tile.neurons.length);
  }

  /** Whether all of it is solved. */
  get isDone(): boolean {
    return this.index === this.tile.neurons.length;
  }

  /** Solves the next `rowCount` rows, at least 1, or fewer where copies are found early. */
  solveSome(rowCount: number): void {
    const slice = this.nextSlice(rowCount);
    const part = this.solve(this.problem, slice);
    this.parts.push(part);
    slice.neurons.forEach((tried, k) => {
      const found = part.copyCounts[k] ?? 0;
      const whole = this.tile.neurons[this.index] as TileNeuron;
      this.copyCounts[this.index] = (this.copyCounts[this.index] as number) + found;
      this.triedCount += tried.rowCount;
      if (found < tried.wanted && this.triedCount < whole.rowCount) return;
      this.index++;
      this.triedCount = 0;
    });
  }

  /** Returns the whole result, once it is done. */
  result(): TileResult {
    return {
      tileId: this.tile.id,
      copyCounts: this.copyCounts,
      copyRows: Int32Array.from(this.parts.flatMap(({ copyRows }) => [...copyRows])),
      masks: joined(this.parts.map(({ masks }) => masks)),
      misses: Int32Array.from(this.parts.flatMap(({ misses }) => [...misses])),
    };
  }

  /** Whole neurons while they fit, and a part of the next: of all but the last it is then known that they are done. */
  private nextSlice(rowCount: number): Tile {
    const { tile } = this;
    const neurons: TileNeuron[] = [];
    let room = Math.max(1, rowCount);
    for (let at = this.index; at < tile.neurons.length && room > 0; at++) {
      const { neuron, firstRow, rowCount: rows, wanted } = tile.neurons[at] as TileNeuron;
      const tried = at === this.index ? this.triedCount : 0;
      const taken = Math.min(rows - tried, room);
      const found = this.copyCounts[at] as number;
      neurons.push({ neuron, firstRow: firstRow + tried, rowCount: taken, wanted: wanted - found });
      room -= Math.max(1, taken);
    }
    const length = this.problem.channels * this.problem.taps;
    const end = this.index + neurons.length;
    return {
      ...tile,
      neurons,
      targets: tile.targets.subarray(this.index * length, end * length),
      biasTargets: tile.biasTargets.subarray(this.index, end),
    };
  }
}
