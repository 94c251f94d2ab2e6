/** What is kept of jobs' tiles for the dashboard, while they are solved and for the latest jobs after that. */
import { liveBoardsMax } from '../../../src/core/limits.ts';
import type { TileStatus } from '../../ledger/status.ts';
import type { SolvedTile, TileObserver } from '../../tile-observer.ts';
import { TokenBucket } from '../token-bucket.ts';
import { LayerBoard } from './layer-board.ts';
import { RateHistory } from './rate-history.ts';
import { sampleResiduals } from './residual-sample.ts';

/** The step that a job's rates begin with. */
export const rateEveryMs = 2000;
/** Results that are sampled: at 0.1 ms each they cost the event loop 0.2 % at most. */
const sampling = { perSecond: 20, burst: 40 };

/** One job's tiles. */
export interface JobBoard {
  readonly layers: readonly LayerBoard[];
  readonly rates: RateHistory;
}

/** A board as it is kept. */
interface KeptBoard extends JobBoard {
  readonly layers: LayerBoard[];
  isJobOver: boolean;
}

/** Boards by job. */
export class JobBoards {
  private readonly boards = new Map<string, KeptBoard>();
  private readonly nowMs: () => number;
  private readonly statusOf: (job: string, tile: string) => TileStatus | undefined;
  private readonly budget: TokenBucket;
  private sampled = 0;

  constructor(options: {
    readonly nowMs: () => number;
    readonly statusOf: (job: string, tile: string) => TileStatus | undefined;
  }) {
    this.nowMs = options.nowMs;
    this.statusOf = options.statusOf;
    this.budget = new TokenBucket(sampling, options.nowMs());
  }

  find(job: string): JobBoard | undefined {
    return this.boards.get(job);
  }

  /** Returns who keeps a job's board. */
  observer(job: string): TileObserver {
    const board = this.open(job);
    return {
      begun: (layer) => {
        board.layers[layer - 1]?.close();
        board.layers.length = layer;
        board.layers.push(new LayerBoard());
      },
      cut: (layer, tileIds) => board.layers[layer]?.cut(tileIds),
      done: (layer, solved) => {
        board.layers[layer]?.done(solved, this.statusOf(job, solved.tile.id)?.isRetried ?? false);
        if (!solved.isResumed) board.rates.add(solved.blocks);
        this.sample(board.layers[layer], solved);
      },
    };
  }

  /** Nobody could solve the tile. */
  fail(job: string, tile: string): void {
    this.boards.get(job)?.layers.at(-1)?.fail(tile);
  }

  /** Lets time pass for a job that is being solved. */
  pass(job: string): void {
    this.boards.get(job)?.rates.pass(this.nowMs());
  }

  /** The job is not worked on any more. */
  close(job: string): void {
    const board = this.boards.get(job);
    if (board === undefined) return;
    board.isJobOver = true;
    board.layers.at(-1)?.close();
  }

  /** The job is not worked on here any more. If it is not over, it goes on elsewhere, and its board would stay as it is. */
  leave(job: string): void {
    if (this.boards.get(job)?.isJobOver === false) this.boards.delete(job);
  }

  remove(job: string): void {
    this.boards.delete(job);
  }

  private open(job: string): KeptBoard {
    const [oldest] = this.boards.keys();
    if (this.boards.size >= liveBoardsMax && oldest !== undefined) this.boards.delete(oldest);
    const board = { layers: [], rates: new RateHistory(this.nowMs(), rateEveryMs), isJobOver: false };
    this.boards.delete(job);
    this.boards.set(job, board);
    return board;
  }

  private sample(layer: LayerBoard | undefined, solved: SolvedTile): void {
    if (layer === undefined || !this.budget.take(1, this.nowMs())) return;
    // The golden ratio's multiples spread evenly over rows and blocks (Weyl 1916).
    const choice = (this.sampled++ * 0.6180339887498949) % 1;
    layer.addResiduals(sampleResiduals(solved, choice));
  }
}
