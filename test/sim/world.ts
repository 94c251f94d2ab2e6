/**
 * One simulated world, everything drawn from one seed: a safety phase with faults, then a liveness phase without, in which every job
 * has to be completed, then a last crash and an audit of what the store holds.
 */
import type { WorkerKind } from '../../coordinator/ledger.ts';
import { decodeGatewayMessage, decodeWorkerMessage, encodeMessage } from '../../src/core/protocol/codec.ts';
import type { GatewayMessage, WorkerMessage } from '../../src/core/protocol/messages.ts';
import { Auditor, type Tally } from './auditor.ts';
import type { Bug } from './bug.ts';
import { Clockwork, nodeClock, promise, Violation } from './clockwork.ts';
import { type Random, randomOf } from './prng.ts';
import { SimCoordinator } from './sim-coordinator.ts';
import { calmNet, type NetFaults, SimNet } from './sim-net.ts';
import { calmStore, SimStore, type StoreFaults } from './sim-store.ts';
import { honestManners, lyingManners, SimWorker, type WorkerManner } from './sim-worker.ts';
import { faultFree, forgetNames, type ToyJob, toyJob } from './toy-job.ts';

/** What a seed came to. */
export interface Outcome {
  readonly seed: number;
  /** Null: every promise was kept. */
  readonly violation: string | null;
  readonly traceHash: number;
  readonly events: number;
  readonly virtualMs: number;
  readonly tally: Tally;
  readonly lines: readonly string[];
}

const eventsMax = 60_000;
const livenessMsMax = 3_600_000;
/** After the last job, workers get this long to have their last results answered. */
const settleMsMax = 420_000;

/** The streams of one seed. */
interface Streams {
  readonly ledger: Random;
  readonly faults: Random;
  readonly coordinator: Random;
  readonly net: Random;
  readonly workers: Random;
}

/** A world. */
export class World {
  readonly clockwork: Clockwork;
  readonly random: Streams;
  readonly bug: Bug | null;
  readonly net: SimNet;
  readonly store: SimStore;
  readonly coordinator: SimCoordinator;
  readonly audit: Auditor;
  readonly plans: readonly ToyJob[];
  readonly workers: readonly SimWorker[];
  readonly wronglyTrusted = new Set<string>();
  isCalm = false;
  isGatewayDown: boolean;
  /** What is durable may rot: results are lost now and then, and found out. */
  readonly mayRot: boolean;
  bootCount = 1;
  /** Claimed misses of volunteers are proven on arrival; else tiles are solved again for them. */
  readonly provesMisses: boolean;
  private readonly usesCodec: boolean;
  private readonly cutOffUntil = new Map<string, number>();
  private readonly manners = new Map<string, WorkerManner>();
  private readonly shape: Random;

  constructor(seed: number, bug: Bug | null, keepsLines: boolean) {
    forgetNames();
    const root = randomOf(seed);
    this.shape = root.fork('shape');
    this.provesMisses = seed % 2 === 0;
    const { shape } = this;
    this.clockwork = new Clockwork(shape.chance(0.5) ? root.fork('ties') : null, keepsLines);
    this.random = {
      ledger: root.fork('ledger'),
      faults: root.fork('faults'),
      coordinator: root.fork('coordinator'),
      net: root.fork('net'),
      workers: root.fork('workers'),
    };
    this.bug = bug;
    this.usesCodec = shape.chance(0.2);
    this.isGatewayDown = shape.chance(0.5);
    this.net = new SimNet(this.clockwork, root.fork('net-faults'), netFaults(shape));
    const faults = storeFaults(shape);
    this.mayRot = faults.rot > 0;
    this.store = new SimStore(this.clockwork, root.fork('store'), faults, bug?.store ?? {});
    this.coordinator = new SimCoordinator(this, nodeClock(this.clockwork, shape));
    this.audit = new Auditor(this);
    const isLong = shape.chance(0.1);
    this.plans = Array.from({ length: 1 + shape.below(3) }, (_, index) =>
      toyJob(`job${index}`, {
        priority: shape.below(2),
        firstCount: isLong ? 20 : 2 + shape.below(6),
        secondCount: isLong ? 20 : 1 + shape.below(5),
      }),
    );
    this.workers = this.makeWorkers(isLong);
  }

  /** Returns whether a worker never sends a wrong result. */
  isHonest(worker: string): boolean {
    const manner = this.manners.get(worker);
    return (
      manner === undefined ||
      honestManners.includes(manner) ||
      manner === 'refusing' ||
      manner === 'repeating'
    );
  }

  /** Returns whether a worker may have a quota above a stranger's. */
  hasEarnedTrust(worker: string): boolean {
    const manner = this.manners.get(worker);
    return manner !== 'garbage' && manner !== 'false-miss';
  }

  /** Returns how far the coordinator believes a worker. */
  workerKind(worker: string): WorkerKind {
    return worker.startsWith('trusted') ? 'trusted' : 'volunteer';
  }

  /** Returns whether a worker stood still or was away not long ago. */
  hasBeenStill(name: string): boolean {
    const worker = this.workers.find((known) => known.name === name);
    return worker === undefined || !worker.isUp || worker.frozenUntil > this.clockwork.now - 60_000;
  }

  /** Returns whether a worker cannot reach the coordinator. */
  isCutOff(worker: string): boolean {
    return (this.cutOffUntil.get(worker) ?? 0) > this.clockwork.now;
  }

  /** Returns some tile of some job. */
  anyTile(random: Random): { job: string; tile: string; base: number } {
    const plan = random.pick(this.plans);
    const tiles = [...(this.coordinator.jobs.get(plan.job)?.tiles.values() ?? plan.first)];
    const { id, base } = random.pick(tiles);
    return { job: plan.job, tile: id, base };
  }

  /** Returns a message as it travels. */
  sent(message: WorkerMessage | GatewayMessage): unknown {
    return this.usesCodec ? encodeMessage(message) : message;
  }

  /** Returns a message as it arrives. */
  received(raw: unknown): unknown {
    if (!(raw instanceof Uint8Array)) return raw;
    try {
      return decodeWorkerMessage(raw);
    } catch {
      return decodeGatewayMessage(raw);
    }
  }

  /** Runs the world to its end. */
  run(): void {
    const { clockwork, random } = this;
    this.coordinator.boot();
    for (const worker of this.workers)
      clockwork.after(random.faults.between(0, 5_000), () => {
        worker.boot();
        if (worker.manner === 'crashing') this.scheduleCrash(worker);
      });
    this.scheduleFault();
    this.runUntil(this.shape.between(20_000, 240_000), () => this.isDone);
    this.calmDown();
    this.runUntil(clockwork.now + livenessMsMax, () => this.isDone);
    promise(this.isDone, 'every job is completed once the faults have ended');
    this.runUntil(clockwork.now + settleMsMax, () => this.isSettled);
    this.checkSettled();
    this.checkStore();
  }

  private get isDone(): boolean {
    return this.plans.every(({ job }) => this.store.isDurable(`${job}/sealed`));
  }

  private get isSettled(): boolean {
    const { ledger } = this.coordinator;
    const isEmpty =
      ledger.jobs.size === 0 && ledger.results.size === 0 && ledger.sessions.size <= this.workers.length;
    return (
      isEmpty &&
      this.workers.every(
        (worker) =>
          !this.isHonest(worker.name) || (worker.isUp && worker.isSettled && worker.session.state === 'open'),
      )
    );
  }

  private runUntil(endMs: number, isOver: () => boolean): void {
    while (this.clockwork.now < endMs && !isOver()) {
      promise(this.clockwork.eventCount < eventsMax, `no storm: fewer than ${eventsMax} events`);
      if (!this.clockwork.step()) return;
    }
  }

  private makeWorkers(isLong: boolean): SimWorker[] {
    const { shape } = this;
    const workers: SimWorker[] = [];
    const add = (prefix: string, manner: WorkerManner): void => {
      const name = `${prefix}${workers.length}`;
      this.manners.set(name, manner);
      workers.push(new SimWorker(this, name, manner, nodeClock(this.clockwork, shape)));
    };
    // One worker at least is well; who else is there, the seed decides.
    add(shape.chance(0.5) ? 'trusted' : 'volunteer', 'honest');
    for (let count = 1 + shape.below(3); count > 0; count--)
      add(shape.chance(0.3) ? 'trusted' : 'volunteer', shape.pick(honestManners));
    const liars = isLong ? 1 : shape.below(4);
    // Those of one manner tell the same lies: they conspire.
    for (let count = liars; count > 0; count--)
      add('volunteer', isLong ? 'sleeper' : shape.pick(lyingManners));
    return workers;
  }

  private scheduleCrash(worker: SimWorker): void {
    const { faults } = this.random;
    this.clockwork.after(faults.between(500, 20_000), () => {
      if (this.isCalm) return;
      if (worker.isUp) worker.crash();
      this.clockwork.after(faults.between(100, 10_000), () => {
        if (!worker.isUp) worker.boot();
        this.scheduleCrash(worker);
      });
    });
  }

  private scheduleFault(): void {
    const { faults } = this.random;
    this.clockwork.after(faults.between(500, 20_000), () => {
      if (this.isCalm) return;
      this.hurt(faults);
      this.scheduleFault();
    });
  }

  private hurt(faults: Random): void {
    const { clockwork, coordinator, store } = this;
    const worker = faults.pick(this.workers);
    switch (faults.below(9)) {
      case 0:
      case 1:
        if (coordinator.isUp) this.restart(faults.between(10, 20_000));
        return;
      case 2:
        if (faults.chance(0.5)) coordinator.drain();
        coordinator.frozenUntil = clockwork.now + faults.between(100, 45_000);
        clockwork.trace('coordinator', 'frozen');
        return;
      case 3:
        store.fullUntil = clockwork.now + faults.between(100, 20_000);
        clockwork.trace('store', 'full');
        return;
      case 4:
        this.cutOffUntil.set(worker.name, clockwork.now + faults.between(1_000, 60_000));
        worker.connection?.halfOpen(faults.below(3));
        return;
      case 5:
        worker.connection?.reset();
        return;
      case 6:
        if (worker.isUp) worker.crash();
        clockwork.after(faults.between(10, 20_000), () => {
          if (!worker.isUp) worker.boot();
        });
        return;
      case 7:
        if (worker.connection !== null) worker.connection.isHealthy = false;
        worker.frozenUntil = clockwork.now + faults.between(1_000, 90_000);
        return;
      default:
        worker.drain(faults.between(500, 10_000));
    }
  }

  private restart(downMs: number): void {
    this.coordinator.crash();
    this.clockwork.after(downMs, () => {
      if (this.coordinator.isUp) return;
      this.bootCount++;
      this.coordinator.boot();
    });
  }

  /** Ends all faults; some liars stay. */
  private calmDown(): void {
    const { clockwork } = this;
    clockwork.trace('world', 'calm');
    this.isCalm = true;
    this.net.faults = calmNet;
    this.store.faults = calmStore;
    this.store.fullUntil = 0;
    this.cutOffUntil.clear();
    const keepsLiars = this.shape.chance(0.5);
    if (!this.coordinator.isUp) this.coordinator.boot();
    for (const worker of this.workers) {
      const isLiar = lyingManners.includes(worker.manner);
      if (isLiar && !keepsLiars) {
        if (worker.isUp) worker.crash();
      } else if (!worker.isUp) worker.boot();
    }
  }

  /** In the end everyone honest is connected and has had its answers, and the ledger remembers no more than what is there. */
  private checkSettled(): void {
    for (const worker of this.workers) {
      if (!this.isHonest(worker.name) || (lyingManners.includes(worker.manner) && !worker.isUp)) continue;
      promise(
        worker.isUp && worker.session.state === 'open',
        `${worker.name} (${worker.manner}) finds the coordinator again (${worker.isUp}, ${worker.session.state})`,
      );
      promise(worker.isSettled, `${worker.name} has an answer to each result`);
    }
    const { ledger } = this.coordinator;
    promise(ledger.jobs.size === 0, 'jobs that are over are forgotten');
    promise(ledger.results.size === 0, 'no result is left behind');
    promise(ledger.sessions.size <= 2 * this.workers.length, 'sessions that have gone are forgotten');
  }

  /** What is in the store after one more crash is what a world without faults comes to. */
  private checkStore(): void {
    this.coordinator.crash();
    for (const plan of this.plans) {
      const ticket = this.store.read(`${plan.job}/sealed`);
      promise(ticket !== undefined, 'a sealed job survives a crash');
      promise(ticket === faultFree(plan), 'the ticket is the one without faults');
    }
  }
}

/** Runs one seed. */
export function simulate(seed: number, bug: Bug | null = null, keepsLines = false): Outcome {
  const world = new World(seed, bug, keepsLines);
  let violation: string | null = null;
  try {
    world.run();
  } catch (error) {
    if (!(error instanceof Violation) && bug === null) {
      world.clockwork.lines.push(String((error as Error).stack));
    }
    violation = String(error);
  }
  const { clockwork, audit } = world;
  return {
    seed,
    violation,
    traceHash: clockwork.traceHash,
    events: clockwork.eventCount,
    virtualMs: clockwork.now,
    tally: audit.tally,
    lines: clockwork.lines,
  };
}

function netFaults(shape: Random): NetFaults {
  if (shape.chance(0.15)) return calmNet;
  return {
    delayMs: [1, shape.pick([5, 50, 1_000])],
    duplicate: shape.pick([0, 0.05, 0.5]),
    reset: shape.pick([0, 0.002, 0.03]),
    halfOpen: shape.pick([0, 0.001, 0.01]),
    pause: shape.pick([0, 0.002, 0.02]),
  };
}

function storeFaults(shape: Random): StoreFaults {
  if (shape.chance(0.2)) return calmStore;
  return {
    syncMs: [0.1, shape.pick([1, 20, 2_000])],
    failed: shape.pick([0, 0.05, 0.3]),
    ambiguous: shape.pick([0, 0.05, 0.3]),
    rot: shape.pick([0, 0, 0.05]),
  };
}
