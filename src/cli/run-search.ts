/**
 * A search from target to sealed ticket: plan ─ solve ─ write ─ read back and verify ─ seal ─ compare over data ─ report.
 */
import { join } from 'node:path';
import type { ConstructEvent } from '../../coordinator/construct.ts';
import { openLocalEngine } from '../../coordinator/engine/local-engine.ts';
import { openPool } from '../../worker/node/pool.ts';
import { encodeTicketParts } from '../core/format/ticket-file.ts';
import { formatCount, formatSeconds } from '../core/format-number.ts';
import { isTelling, layerTitle } from '../core/network/layer-name.ts';
import { makePlan } from '../core/plan/make-plan.ts';
import type { Plan } from '../core/plan/plan.ts';
import { secondsSince } from './check-ticket.ts';
import { constructInProcess } from './construct-in-process.ts';
import { finishRun, keepTicket, type SearchFigures, type SearchTask } from './finish-run.ts';
import { estimatePlan, type PlanEstimate } from './plan-estimate.ts';
import type { Progress } from './progress.ts';
import type { Summary } from './report/summary.ts';
import { appendMetrics, runFiles } from './run-folder.ts';
import { timeProbes } from './timed-solver.ts';
import { unlessAborted } from './unless-aborted.ts';

/** A plan and what it will cost. */
export interface EstimatedPlan {
  readonly plan: Plan;
  readonly estimate: PlanEstimate;
  readonly seconds: number;
}

/** Every how many copies a fresh result is rechecked on arrival; the ticket is verified in full before it is sealed. */
const checkOneIn = 16;

/**
 * Returns the plan for a target, with its cost on this machine.
 * @throws TombolaError (misuse) when no plan can do what the options ask.
 */
export async function planSearch({
  target,
  options,
  progress,
  signal,
}: Omit<SearchTask, 'data'>): Promise<EstimatedPlan> {
  const start = performance.now();
  progress.say(`Planning: ${target.network.layers.length} layers, sizes by sampling …`);
  const pool = openPool({ threads: options.threads });
  try {
    const timed = timeProbes(pool, { threads: options.threads, signal });
    const plan = await unlessAborted(signal, makePlan(target.network, options.plan, timed.solver));
    const estimate = estimatePlan(plan, target.network, { times: timed.times, threads: options.threads });
    return { plan, estimate, seconds: secondsSince(start) };
  } finally {
    await pool.close();
  }
}

/**
 * Searches, and fills the run folder. A ticket that does not verify stays unsealed and makes the summary say so.
 * @throws TombolaError when the search cannot go on; what was solved is kept in the folder.
 * @throws the signal's reason when it aborts; likewise.
 */
export async function runSearch(task: SearchTask, folder: string): Promise<Summary> {
  const planned = await planSearch(task);
  const solved = await solveAndKeep(task, planned, folder);
  return finishRun(task, folder, {
    blocks: planned.estimate.blocks,
    search: solved.search,
    seconds: { plan: planned.seconds, solve: solved.seconds },
  });
}

interface Solved {
  readonly search: SearchFigures['search'];
  readonly seconds: number;
}

/** The ticket goes to the disk here, so that it is not in memory twice when it is read back. */
async function solveAndKeep(
  task: SearchTask,
  { plan, estimate }: EstimatedPlan,
  folder: string,
): Promise<Solved> {
  const { target, options, signal } = task;
  const start = performance.now();
  const watch = new SearchWatch(task.progress, estimate, folder);
  const engine = await openLocalEngine(join(folder, runFiles.state));
  try {
    const construction = await constructInProcess(plan, target.network, {
      threads: options.threads,
      engine,
      targetSha256: target.sha256,
      checkOneIn,
      onEvent: (event) => watch.see(event),
      signal,
    });
    const seconds = secondsSince(start);
    keepTicket(folder, encodeTicketParts(construction.ticket));
    const { missedRows, missingCopies } = construction;
    const blocksPerSecond = watch.freshBlocks === 0 ? null : watch.freshBlocks / seconds;
    return {
      search: { misses: missedRows, predictedMisses: estimate.misses, missingCopies, blocksPerSecond },
      seconds,
    };
  } finally {
    task.progress.clear();
    await engine.close();
  }
}

/** Turns events into progress and metrics. */
class SearchWatch {
  /** Blocks solved now rather than read from the store. */
  freshBlocks = 0;
  private readonly start = performance.now();
  /** Blocks in copies of the layers before the one at work, as planned. */
  private blocksBefore = 0;
  private readonly progress: Progress;
  private readonly estimate: PlanEstimate;
  private readonly folder: string;

  constructor(progress: Progress, estimate: PlanEstimate, folder: string) {
    this.progress = progress;
    this.estimate = estimate;
    this.folder = folder;
  }

  see(event: ConstructEvent): void {
    const { kind, layer, pass, copies, copiesWanted, blocks, resumed } = event;
    const seconds = secondsSince(this.start);
    if (!resumed) this.freshBlocks += blocks;
    appendMetrics(this.folder, {
      event: kind,
      seconds: Number(seconds.toFixed(3)),
      'layer/index': layer,
      'layer/pass': pass,
      'layer/copies': copies,
      'layer/copies_wanted': copiesWanted,
      ...(kind === 'tile' ? { 'tile/blocks': blocks, 'tile/resumed': resumed } : {}),
    });
    if (kind === 'layer') this.enter(layer);
    const layerBlocks = this.estimate.layers[layer]?.blocks ?? 0;
    const done = this.blocksBefore + (copiesWanted === 0 ? 0 : (layerBlocks * copies) / copiesWanted);
    const share = this.estimate.blocks === 0 ? 1 : done / this.estimate.blocks;
    const rate = this.freshBlocks / Math.max(seconds, 1e-3);
    const left = rate > 0 ? `, ${formatSeconds((this.estimate.blocks - done) / rate)} left` : '';
    this.progress.show(share, `layer ${layer + 1}, ${formatCount(Math.round(rate))} blocks/s${left}`);
  }

  private enter(layer: number): void {
    const { layers } = this.estimate;
    this.blocksBefore = layers.slice(0, layer).reduce((sum, { blocks }) => sum + blocks, 0);
    const { name = '', copiesWanted = 0, blocks = 0 } = layers[layer] ?? {};
    this.progress.say(
      `Searching layer ${layer + 1} of ${layers.length}${isTelling(name) ? ` (${layerTitle(name, layer)})` : ''}: ${formatCount(copiesWanted)} copies, ${formatCount(blocks)} blocks …`,
    );
  }
}
