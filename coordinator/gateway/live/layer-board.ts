/** The picture of one layer's tiles, and what was found in them. */
import { liveCellsMax } from '../../../src/core/limits.ts';
import { cellsOf, stateCodes, tilesPerCell } from '../../../src/core/live/tile-cells.ts';
import type { LiveLayer } from '../../../src/core/live/views.ts';
import { countBits } from '../../../src/core/plan/count-bits.ts';
import { blocksPerRow } from '../../../src/core/plan/tile.ts';
import type { TileStatus } from '../../ledger/status.ts';
import type { SolvedTile } from '../../tile-observer.ts';

/** Bins of the histogram of residuals over [0, 1]. */
const residualBins = 20;

/** What a board adds to a layer's progress. */
export type LayerPicture = Omit<
  LiveLayer,
  'name' | 'copies' | 'copiesWanted' | 'tilesDone' | 'tilesKnown' | 'pass' | 'isDone'
> & {
  /** Tiles that were cut, which the progress knows of only when one of them is done. */
  readonly tileCount: number;
};

/** One layer. Tiles are numbered in the order in which they were cut. */
export class LayerBoard {
  private states = new Uint8Array(0);
  private tileCount = 0;
  private readonly numbers = new Map<string, number>();
  /** Tiles drawn as being worked on. */
  private working: number[] = [];
  private retried = 0;
  private failed = 0;
  private blocks = 0;
  private keptEdges = 0;
  private misses = 0;
  private readonly residuals = new Array<number>(residualBins).fill(0);
  /** The cells while no tile changes. */
  private drawn: string | null = null;

  cut(tileIds: readonly string[]): void {
    const states = new Uint8Array(this.tileCount + tileIds.length);
    states.set(this.states);
    this.states = states;
    for (const id of tileIds) this.numbers.set(id, this.tileCount++);
    this.drawn = null;
  }

  done({ problem, tile, result }: SolvedTile, isRetried: boolean): void {
    const number = this.numbers.get(tile.id);
    if (number !== undefined) this.set(number, isRetried ? 'doneLater' : 'done');
    if (isRetried) this.retried++;
    this.blocks += result.copyRows.length * blocksPerRow(problem);
    this.keptEdges += countBits(result.masks);
    this.misses += result.misses.length / 2;
  }

  fail(tileId: string): void {
    const number = this.numbers.get(tileId);
    if (number === undefined || this.states[number] === stateCodes.failed) return;
    this.set(number, 'failed');
    this.failed++;
  }

  addResiduals(shares: readonly number[]): void {
    for (const share of shares) {
      const bin = Math.min(residualBins - 1, Math.floor(share * residualBins));
      this.residuals[bin] = (this.residuals[bin] ?? 0) + 1;
    }
  }

  /** No tile of it will be spoken of again. */
  close(): void {
    this.view([]);
    this.numbers.clear();
  }

  /** @param hand the job's tiles in hand; those of other layers are passed over. */
  view(hand: readonly TileStatus[]): LayerPicture {
    let retrying = 0;
    for (const number of this.working) if (!this.isOver(number)) this.set(number, 'waiting');
    this.working = [];
    for (const { tile, state, isRetried } of this.numbers.size === 0 ? [] : hand) {
      const number = this.numbers.get(tile);
      if (number === undefined || this.isOver(number)) continue;
      if (isRetried) retrying++;
      // An open tile that was retried before is shown too: it is what an operator looks for.
      if (isRetried || state !== 'open') {
        this.set(number, isRetried ? 'retrying' : 'working');
        this.working.push(number);
      }
    }
    const perCell = tilesPerCell(this.tileCount, liveCellsMax);
    this.drawn ??= cellsOf(this.states.subarray(0, this.tileCount), perCell);
    return {
      tileCount: this.tileCount,
      cells: this.drawn,
      tilesPerCell: perCell,
      working: this.working.length,
      retried: this.retried + retrying,
      failed: this.failed,
      blocks: this.blocks,
      keptEdges: this.keptEdges,
      misses: this.misses,
      residuals: [...this.residuals],
    };
  }

  private set(number: number, state: keyof typeof stateCodes): void {
    this.states[number] = stateCodes[state];
    this.drawn = null;
  }

  private isOver(number: number): boolean {
    return (this.states[number] ?? 0) >= stateCodes.done;
  }
}
