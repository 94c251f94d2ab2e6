/** Drives toy jobs through the simulated coordinator: the second stage follows from the first, and what is sealed was read back. */
import { promise } from './clockwork.ts';
import { hashText } from './prng.ts';
import type { SimCoordinator } from './sim-coordinator.ts';
import {
  honestBody,
  largeTileBlocks,
  secondStage,
  type ToyJob,
  type ToyTile,
  verifyBody,
} from './toy-job.ts';
import type { World } from './world.ts';

/** A job at work. */
export interface RunningJob {
  readonly plan: ToyJob;
  stage: 1 | 2;
  tiles: Map<string, ToyTile>;
  /** Tiles of this stage that are not done. */
  readonly missing: Set<string>;
  second: readonly ToyTile[];
}

/** The jobs of a coordinator. */
export class SimJobs {
  private readonly world: World;
  private readonly coordinator: SimCoordinator;

  constructor(world: World, coordinator: SimCoordinator) {
    this.world = world;
    this.coordinator = coordinator;
  }

  /** Makes a job's tiles known that the store does not have. */
  startJob(plan: ToyJob): void {
    const { store } = this.world;
    if (store.read(`${plan.job}/sealed`) !== undefined) return;
    const job: RunningJob = { plan, stage: 1, tiles: new Map(), missing: new Set(), second: [] };
    this.coordinator.jobs.set(plan.job, job);
    this.coordinator.happen({ kind: 'job-added', job: plan.job, priority: plan.priority });
    this.startStage(job, plan.first);
  }

  private startStage(job: RunningJob, tiles: readonly ToyTile[]): void {
    const { plan } = job;
    job.tiles = new Map([...job.tiles, ...tiles.map((tile) => [tile.id, tile] as const)]);
    for (const tile of tiles) {
      const isCommitted = this.world.store.keys(`${plan.job}/${tile.id}`).length > 0;
      if (isCommitted || this.world.wronglyTrusted.has(tile.id)) continue;
      job.missing.add(tile.id);
      this.world.audit.reopened(plan.job, tile.id);
    }
    // Another boot counts each tile anew.
    this.ask(job, [...job.missing]);
    this.advance(job);
  }

  private ask(job: RunningJob, ids: readonly string[]): void {
    if (ids.length === 0) return;
    this.coordinator.happen({
      kind: 'tiles-added',
      job: job.plan.job,
      // One in eight is too large for volunteers.
      tiles: ids.map((tile) => ({ tile, blocks: hashText(tile) % 8 === 0 ? largeTileBlocks : 20 })),
    });
  }

  /** Counts a tile. */
  tileDone(name: string, tile: string): void {
    const job = this.coordinator.jobs.get(name);
    if (job === undefined) return;
    promise(job.missing.delete(tile), 'each tile is counted once');
    this.advance(job);
  }

  /** Goes on to the next stage, or seals, when nothing is missing and everything reads back as what it should be. */
  private advance(job: RunningJob): void {
    const { plan } = job;
    const { shell } = this.world.bug ?? {};
    const isEarly = shell?.startsEarly === true && job.stage === 1 && job.missing.size <= 1;
    if (job.missing.size > 0 && !isEarly) return;
    const first = plan.first.map((tile) => this.readBack(job, tile) ?? (isEarly ? honestBody(0) : undefined));
    const wantsFirst = first.some((body) => body === undefined);
    if (wantsFirst) {
      this.reopen(
        job,
        plan.first.filter((_, index) => first[index] === undefined),
      );
      return;
    }
    const bodies = first.map((body) => body ?? '');
    if (job.stage === 1) {
      job.stage = 2;
      job.second = secondStage(plan, bodies);
      this.startStage(job, job.second);
      return;
    }
    // What the second stage asks for was settled when it began.
    const tiles = job.second;
    const second = tiles.map((tile) => this.readBack(job, tile));
    const lost = tiles.filter((_, index) => second[index] === undefined);
    if (lost.length > 0) this.reopen(job, lost);
    else this.seal(job, [...bodies, ...second].join('|'));
  }

  private seal(job: RunningJob, ticket: string): void {
    const { world, coordinator } = this;
    const { epoch } = coordinator;
    const { plan } = job;
    world.store.commit(`${plan.job}/sealed`, ticket, (outcome) => {
      if (epoch !== coordinator.epoch) return;
      if (outcome === 'failed') {
        this.coordinator.later(1_000, () => this.advance(job));
        return;
      }
      world.clockwork.trace('coordinator', 'sealed', plan.job);
      this.coordinator.jobs.delete(plan.job);
      if (world.bug?.shell?.forgetsJobs !== true)
        this.coordinator.happen({ kind: 'job-removed', job: plan.job });
    });
  }

  private reopen(job: RunningJob, tiles: readonly ToyTile[]): void {
    promise(this.world.mayRot, 'what was committed can be read back');
    for (const { id } of tiles) {
      this.world.clockwork.trace('coordinator', 'reopen', id);
      this.world.store.drop(`${job.plan.job}/${id}`);
      this.world.audit.reopened(job.plan.job, id);
      job.tiles.set(id, tiles.find((tile) => tile.id === id) as ToyTile);
      job.missing.add(id);
    }
    this.ask(
      job,
      tiles.map(({ id }) => id),
    );
  }

  private readBack(job: RunningJob, tile: ToyTile): string | undefined {
    const body = this.world.store.read(`${job.plan.job}/${tile.id}`);
    if (this.world.bug?.shell?.sealsUnread === true) return body ?? '';
    return body !== undefined && verifyBody(tile.base, body).isValid ? body : undefined;
  }
}
