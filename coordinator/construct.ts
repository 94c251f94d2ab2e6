/**
 * The search itself: source layer by source layer, tile by tile, from a plan to a ticket.
 *
 *     for each target layer:  problem ─ tiles of pass 0 ─ solve ─ verify ─ store ─ merge ─ (still short? reserve pass) ─ seal
 *
 * Within a pass tiles are independent and come back in any order; which rows became copies is read off the merged set, so the
 * ticket does not depend on the number of solvers, on their speed or on what was resumed.
 */
import type { Network } from '../src/core/network/network.ts';
import {
  type ConstantNeuron,
  chooseConstantEdges,
  constantEdges,
  deeperConstants,
  univariateConstants,
} from '../src/core/plan/constants.ts';
import { stagePlan } from '../src/core/plan/join-plans.ts';
import {
  type LayerInputs,
  type LayerPlace,
  layerPlan,
  layerProblem,
} from '../src/core/plan/layer-problem.ts';
import { type LayerView, layerViews } from '../src/core/plan/layer-view.ts';
import { firstConstantRow, type Plan } from '../src/core/plan/plan.ts';
import { constructionOf, stagesOf } from '../src/core/plan/stage.ts';
import {
  blocksPerRow,
  type LayerProblem,
  rowMaskBytes,
  type Solver,
  type Tile,
  type TileNeuron,
  type TileResult,
} from '../src/core/plan/tile.ts';
import {
  cutTiles,
  layerProblemDigest,
  poolPass,
  reservePass,
  type TileSize,
  tileBlocksFor,
} from '../src/core/plan/tiles.ts';
import { assignInputs, noInput, univariateGroups } from '../src/core/plan/univariate.ts';
import { LayerMerge, type SealedLayer, type VerifiedTile } from '../src/core/ticket/merge.ts';
import type { Ticket, TicketLayer } from '../src/core/ticket/ticket.ts';
import { openFastVerifier } from '../src/core/verify/fast/fast-verifier.ts';
import { type TileVerdict, verifyTile } from '../src/core/verify/verify-tile.ts';
import { joinStages, type StageConstruction, ticketLayer } from './join-stages.ts';
import { MissPlaces, missingCopies } from './shortfall.ts';
import type { TileObserver } from './tile-observer.ts';

/** Keeps tile results across restarts, by tile id. */
export interface TileStore {
  read(problem: LayerProblem, tile: Tile): Promise<TileResult | undefined>;
  write(result: TileResult): Promise<void>;
}

/** What happened, for progress and metrics. */
export interface ConstructEvent {
  readonly kind: 'layer' | 'tile' | 'pass';
  /** 0-based target layer. */
  readonly layer: number;
  readonly pass: number;
  /** Copies found and wanted in this layer so far. */
  readonly copies: number;
  readonly copiesWanted: number;
  /** Blocks solved in the tile; 0 for other events. */
  readonly blocks: number;
  /** The tile came from the store. */
  readonly resumed: boolean;
  /** Tiles done and known in this layer so far; a reserve pass adds to both. */
  readonly tilesDone: number;
  readonly tilesKnown: number;
}

/** What a construction runs with. */
export interface ConstructOptions {
  readonly solver: Solver;
  readonly store: TileStore;
  readonly targetSha256: string;
  /**
   * Every how many copies the residuals of a result, fresh or stored, are rechecked; the finished ticket is rechecked in full anyway.
   * 0: none, for a solver and a store that give only what has been verified.
   */
  readonly checkOneIn: number;
  /** If not as plan/tiles.ts has it. The ticket does not depend on it, but stored tiles are found again only with the same. */
  readonly tileSize?: TileSize | undefined;
  readonly onEvent: (event: ConstructEvent) => void;
  readonly observer?: TileObserver;
  readonly signal: AbortSignal;
}

/** What came out. */
export interface Construction {
  readonly ticket: Ticket;
  /** Rows tried that are no copies. */
  readonly missedRows: number;
  /** Blocks solved, in all rows that became copies and up to the miss in those that did not. */
  readonly blocks: number;
  /** Copies the plan wanted and the reserve could not give. */
  readonly missingCopies: number;
}

/** A layer that is done, and what the next one reads. */
interface LayerState {
  readonly inputs: LayerInputs;
  readonly constants: readonly ConstantNeuron[];
}

/**
 * Returns the ticket that the plan's source holds for the network.
 * @throws TombolaError (failure) when a neuron that is needed has no copy left to try, saying how many are missing.
 * @throws the signal's reason when it aborts; what was solved by then is in the store.
 */
export async function construct(
  plan: Plan,
  network: Network,
  options: ConstructOptions,
): Promise<Construction> {
  const parts: StageConstruction[] = [];
  for (const stage of stagesOf(network, constructionOf(plan))) {
    const copyRows = parts.at(-1)?.layers.at(-1)?.copyRows ?? null;
    const { network, firstLayer } = stage;
    parts.push(await constructStage(stagePlan(plan, stage, copyRows), network, { ...options, firstLayer }));
  }
  return joinStages(plan, parts, options.targetSha256);
}

/** What one stage (plan/stage.ts) is constructed with. */
interface StageOptions extends ConstructOptions {
  /** 0-based target layer that the stage begins with. */
  readonly firstLayer: number;
}

async function constructStage(
  plan: Plan,
  network: Network,
  options: StageOptions,
): Promise<StageConstruction> {
  const views = layerViews(network);
  const inputs = assignInputs(plan, views[0]?.usedChannels ?? new Uint8Array(0));
  let state = firstState(plan, { views, inputs });
  const layers: TicketLayer[] = [];
  const totals = { missedRows: 0, blocks: 0, missingCopies: 0 };
  for (const [index, view] of views.entries()) {
    const place = { plan, index, view };
    const problem = layerProblem(place, state.inputs);
    const wanted = wantedCopies(place, views[index + 1]);
    const solved = await solveLayer(place, { problem, wanted, options });
    totals.missedRows += solved.sealed.missedRows;
    totals.blocks += solved.blocks;
    totals.missingCopies += missingCopies({
      layerName: view.layer.name,
      wanted,
      found: solved.sealed.copyCounts,
      misses: solved.misses,
      hasCopies: index > 0,
    });
    const choices = chooseConstantEdges(
      constantPlace(plan, index + 1, layerPlan(place).constantRows),
      state.inputs.constants,
      view,
    );
    layers.push(
      ticketLayer(place, {
        problem,
        sealed: solved.sealed,
        constantElements: choices.map(({ element }) => element),
      }),
    );
    state = nextState(place, { state, sealed: solved.sealed, choices, next: views[index + 1] });
  }
  const { constantRows, extendedInput, signGroups } = plan.univariate;
  const { slice } = plan.source;
  const places = slice === undefined ? inputs : inputs.map((input) => slice.elements[input] ?? noInput);
  return { univariate: { inputs: places, constantRows, extendedInput, signGroups }, layers, ...totals };
}

function firstState(
  plan: Plan,
  { views, inputs }: { views: readonly LayerView[]; inputs: Int32Array },
): LayerState {
  const view = views[0];
  if (view === undefined) throw new Error('a network has at least one layer');
  const { activation, constantRows, extendedInput } = plan.univariate;
  const constants = univariateConstants(constantPlace(plan, 0, constantRows), activation, {
    view,
    isExtended: extendedInput,
  });
  return {
    constants,
    inputs: {
      groups: univariateGroups(plan, inputs, view.channels),
      constants: constantEdges(constants, view, false),
    },
  };
}

function nextState(
  place: LayerPlace,
  done: {
    state: LayerState;
    sealed: SealedLayer;
    choices: ReturnType<typeof chooseConstantEdges>;
    next: LayerView | undefined;
  },
): LayerState {
  const { plan, index, view } = place;
  const { state, sealed, choices, next } = done;
  const constants = deeperConstants(constantPlace(plan, index + 1, choices.length), {
    choices,
    edges: state.inputs.constants,
    view,
  });
  let first = 0;
  const groups = Array.from(sealed.copyCounts, (count, channel) => {
    const columns = Array.from(sealed.copyRows.subarray(first, first + count));
    first += count;
    return { channel, columns, multipliers: null };
  });
  return {
    constants,
    inputs: { groups, constants: next === undefined ? [] : constantEdges(constants, next, true) },
  };
}

function constantPlace(
  plan: Plan,
  sourceLayer: number,
  rowCount: number,
): Parameters<typeof univariateConstants>[0] {
  return {
    source: plan.source,
    sourceLayer,
    rowCount,
    firstRow: firstConstantRow(plan.source, sourceLayer, rowCount),
  };
}

/** Copies each neuron needs: none if nothing downstream reads it. */
function wantedCopies(place: LayerPlace, next: LayerView | undefined): Int32Array {
  const { copies } = layerPlan(place);
  return Int32Array.from({ length: place.view.neurons }, (_, neuron) =>
    next === undefined || next.usedChannels[neuron] === 1 ? copies : 0,
  );
}

async function solveLayer(
  place: LayerPlace,
  { problem, wanted, options }: { problem: LayerProblem; wanted: Int32Array; options: StageOptions },
): Promise<{ sealed: SealedLayer; blocks: number; misses: MissPlaces }> {
  const run = new LayerRun(place, { problem, options, wanted });
  await run.pass(0, poolPass(place, wanted));
  let reserveUsed = 0;
  for (let pass = 1; ; pass++) {
    const missing = wanted.map((count, neuron) => count - (run.merge.copyCounts[neuron] ?? 0));
    const neurons = reservePass(place, missing, reserveUsed);
    if (neurons.length === 0) break;
    reserveUsed += neurons.reduce((sum, neuron) => sum + neuron.rowCount, 0);
    await run.pass(pass, neurons);
  }
  return { sealed: run.merge.seal(), blocks: run.blocks, misses: run.misses };
}

/** One layer's passes: hands tiles to the solver, as many at a time as it can use. */
class LayerRun {
  blocks = 0;
  readonly merge: LayerMerge;
  readonly misses: MissPlaces;
  private copies = 0;
  private tilesDone = 0;
  private tilesKnown = 0;
  private readonly copiesWanted: number;
  private readonly place: LayerPlace;
  private readonly problem: LayerProblem;
  private readonly options: StageOptions;
  /** 0-based target layer, of the whole network. */
  private readonly layer: number;
  private readonly problemDigest: string;
  private readonly fast = openFastVerifier();

  constructor(place: LayerPlace, run: { problem: LayerProblem; options: StageOptions; wanted: Int32Array }) {
    this.place = place;
    this.problem = run.problem;
    this.options = run.options;
    this.layer = run.options.firstLayer + place.index;
    this.copiesWanted = run.wanted.reduce((sum, count) => sum + count, 0);
    this.problemDigest = layerProblemDigest(run.problem);
    this.merge = new LayerMerge({
      wanted: run.wanted,
      rowBytes: rowMaskBytes(run.problem),
      // Where the verifying threads read them without a copy of their own.
      allocate: (bytes) => new Uint8Array(new SharedArrayBuffer(bytes)),
    });
    this.misses = new MissPlaces(run.problem);
    this.options.observer?.begun(this.layer);
    this.report('layer', { pass: 0, blocks: 0, resumed: false });
  }

  async pass(pass: number, neurons: readonly TileNeuron[]): Promise<void> {
    const { problemDigest, options } = this;
    const tileBlocks = tileBlocksFor(this.problem, options.tileSize);
    const tiles = cutTiles(this.place, { pass, neurons, problemDigest, tileBlocks });
    this.tilesKnown += tiles.count;
    options.observer?.cut(
      this.layer,
      Array.from(tiles, ({ id }) => id),
    );
    const waiting = tiles[Symbol.iterator]();
    const lane = async (): Promise<void> => {
      for (const tile of waiting) this.merge.add(await this.solve(tile));
    };
    await Promise.all(Array.from({ length: options.solver.concurrency }, lane));
    this.report('pass', { pass, blocks: 0, resumed: false });
  }

  private async solve(tile: Tile): Promise<VerifiedTile> {
    const { solver, store, signal } = this.options;
    signal.throwIfAborted();
    const stored = await store.read(this.problem, tile);
    const kept = stored === undefined ? undefined : this.verify(tile, stored);
    if (kept?.kind === 'verified') return this.count(tile, kept.tile, true);
    const result = await solver.solve(this.problem, tile);
    const verdict = this.verify(tile, result);
    if (verdict.kind === 'refused') throw new Error(`the solver's result does not verify: ${verdict.reason}`);
    await store.write(result);
    return this.count(tile, verdict.tile, false);
  }

  private verify(tile: Tile, result: TileResult): TileVerdict {
    const { checkOneIn } = this.options;
    const isChecked = (copy: number): boolean => copy % checkOneIn === 0;
    return verifyTile(this.problem, { tile, result, isChecked, fast: this.fast });
  }

  private count(tile: Tile, verified: VerifiedTile, resumed: boolean): VerifiedTile {
    const { copyRows, misses } = verified.result;
    this.misses.add(tile, verified.result);
    this.tilesDone++;
    this.copies += copyRows.length;
    let blocks = copyRows.length * blocksPerRow(this.problem);
    for (let index = 1; index < misses.length; index += 2) blocks += (misses[index] ?? 0) + 1;
    this.blocks += blocks;
    const { observer } = this.options;
    const solved = { problem: this.problem, tile, result: verified.result, blocks, isResumed: resumed };
    observer?.done(this.layer, solved);
    this.report('tile', { pass: tile.pass, blocks, resumed });
    return verified;
  }

  private report(
    kind: ConstructEvent['kind'],
    event: Pick<ConstructEvent, 'pass' | 'blocks' | 'resumed'>,
  ): void {
    const { layer, copies, copiesWanted, tilesDone, tilesKnown } = this;
    this.options.onEvent({ kind, layer, copies, copiesWanted, tilesDone, tilesKnown, ...event });
  }
}
