/** What this tab has done for the search since it was loaded. Times are milliseconds of one clock. */

/** The figures. */
export interface ContributionView {
  /** Tiles whose results are durable at the coordinator. */
  readonly tiles: number;
  /** Blocks in these. */
  readonly blocks: number;
  /** Blocks solved per second of late. */
  readonly blocksPerSecond: number;
}

/** The rate is taken over so long. */
const rateMs = 15_000;

/** Counts. */
export class Contribution {
  private tiles = 0;
  private blocks = 0;
  /** Blocks of tiles that are solved and not acknowledged, by tile. */
  private readonly pending = new Map<string, number>();
  private recent: { readonly atMs: number; readonly blocks: number }[] = [];
  private startedAtMs: number | undefined;

  /** Solving begins, after a pause: the rate is taken from here. */
  begin(nowMs: number): void {
    this.startedAtMs = nowMs;
    this.recent = [];
  }

  /** A tile has been solved here. */
  solve(tile: string, blocks: number, nowMs: number): void {
    this.pending.set(tile, blocks);
    this.recent.push({ atMs: nowMs, blocks });
  }

  /** The coordinator has a tile's result. */
  commit(tile: string): void {
    this.tiles++;
    this.blocks += this.pending.get(tile) ?? 0;
    this.pending.delete(tile);
  }

  /** The coordinator does not want a tile's result. */
  forget(tile: string): void {
    this.pending.delete(tile);
  }

  /** Returns the figures. */
  read(nowMs: number): ContributionView {
    this.recent = this.recent.filter(({ atMs }) => atMs > nowMs - rateMs);
    const sum = this.recent.reduce((total, { blocks }) => total + blocks, 0);
    const elapsedMs = Math.min(rateMs, nowMs - (this.startedAtMs ?? nowMs));
    return {
      tiles: this.tiles,
      blocks: this.blocks,
      blocksPerSecond: elapsedMs > 0 ? (sum * 1000) / elapsedMs : 0,
    };
  }
}
