/** How far a job is, from the events of its construction. Times are monotonic milliseconds that the caller reads. */
import type { Network } from '../../src/core/network/network.ts';
import { layerViews } from '../../src/core/plan/layer-view.ts';
import type { Plan } from '../../src/core/plan/plan.ts';
import type { ConstructEvent } from '../construct.ts';

/** One target layer. */
export interface LayerProgress {
  readonly name: string;
  /** Tiles known so far: a layer's tiles are cut when the one before is done, and reserve passes add some. */
  readonly tilesDone: number;
  readonly tilesKnown: number;
  readonly copies: number;
  readonly copiesWanted: number;
  readonly pass: number;
  readonly isDone: boolean;
}

/** A whole job. */
export interface JobProgress {
  readonly layers: readonly LayerProgress[];
  /** In [0, 1], by blocks of copies. */
  readonly share: number;
  /** Of copies, in all layers. */
  readonly blocksWanted: number;
  /** Blocks solved per second of late, results read from the store not counted; 0 while nothing is. */
  readonly blocksPerSecond: number;
  /** What the rate was taken over. */
  readonly rateMs: number;
  /** Null while there is no rate. */
  readonly secondsLeft: number | null;
}

/** Returns a progress as it is a while later, when nothing has happened since: the rate goes down. */
export function agedProgress(progress: JobProgress, ageMs: number): JobProgress {
  const { blocksPerSecond, rateMs, secondsLeft } = progress;
  const slower = rateMs / (rateMs + ageMs);
  if (blocksPerSecond === 0 || ageMs <= 0) return progress;
  return {
    ...progress,
    blocksPerSecond: blocksPerSecond * slower,
    rateMs: rateMs + ageMs,
    secondsLeft: secondsLeft === null ? null : secondsLeft / slower,
  };
}

/** The rate is taken over the last one to two of these. */
const rateWindowMs = 30_000;

interface Layer {
  readonly name: string;
  readonly blocksPerCopy: number;
  copiesWanted: number;
  copies: number;
  tilesDone: number;
  tilesKnown: number;
  pass: number;
  isDone: boolean;
}

/** Follows one construction. */
export class ProgressTracker {
  private readonly layers: Layer[];
  private freshBlocks = 0;
  private marks: { older: Mark; newer: Mark };

  constructor(plan: Plan, network: Network, nowMs: number) {
    this.layers = plannedLayers(plan, network);
    const mark = { atMs: nowMs, blocks: 0 };
    this.marks = { older: mark, newer: mark };
  }

  see(event: ConstructEvent, nowMs: number): void {
    this.layers.forEach((layer, index) => {
      if (index < event.layer) layer.isDone = true;
    });
    const layer = this.layers[event.layer];
    if (layer === undefined) return;
    layer.copies = event.copies;
    layer.copiesWanted = event.copiesWanted;
    layer.tilesDone = event.tilesDone;
    layer.tilesKnown = event.tilesKnown;
    layer.pass = event.pass;
    if (!event.resumed) this.freshBlocks += event.blocks;
    if (nowMs - this.marks.newer.atMs >= rateWindowMs)
      this.marks = { older: this.marks.newer, newer: { atMs: nowMs, blocks: this.freshBlocks } };
  }

  /** The construction is complete. */
  finish(): void {
    for (const layer of this.layers) layer.isDone = true;
  }

  /** Returns how far the job is. */
  read(nowMs: number): JobProgress {
    let [done, wanted] = [0, 0];
    for (const { copies, copiesWanted, blocksPerCopy, isDone } of this.layers) {
      wanted += copiesWanted * blocksPerCopy;
      done += (isDone ? copiesWanted : copies) * blocksPerCopy;
    }
    const { older } = this.marks;
    const elapsedMs = nowMs - older.atMs;
    const rate = elapsedMs <= 0 ? 0 : ((this.freshBlocks - older.blocks) * 1000) / elapsedMs;
    return {
      layers: this.layers.map(({ blocksPerCopy: _, ...layer }) => layer),
      share: wanted === 0 ? 1 : done / wanted,
      blocksWanted: wanted,
      blocksPerSecond: rate,
      rateMs: Math.max(0, elapsedMs),
      secondsLeft: rate > 0 ? (wanted - done) / rate : null,
    };
  }
}

interface Mark {
  readonly atMs: number;
  readonly blocks: number;
}

function plannedLayers(plan: Plan, network: Network): Layer[] {
  const views = layerViews(network);
  return views.map((view, index) => {
    const used = views[index + 1]?.usedChannels;
    const needed = used === undefined ? view.neurons : used.reduce((sum, flag) => sum + flag, 0);
    const { signGroups } = (index === 0 ? plan.univariate : plan.deeperUnivariates[index - 1]) ?? {};
    const groups = signGroups === 'both' ? 2 : 1;
    return {
      name: view.layer.name,
      blocksPerCopy: view.channels * view.taps * groups + 1,
      copiesWanted: needed * (plan.layers[index]?.copies ?? 0),
      copies: 0,
      tilesDone: 0,
      tilesKnown: 0,
      pass: 0,
      isDone: false,
    };
  });
}
