/**
 * A coordinator in the simulation: the real ledger, a shell that carries out its effects against the simulated network and store, and
 * a driver for toy jobs. It may crash and start again, or stand still for a while.
 */
import {
  apply,
  createLedger,
  type Ledger,
  type LedgerEffect,
  type LedgerEvent,
} from '../../coordinator/ledger.ts';
import { specOf } from '../../src/core/protocol/layer-spec.ts';
import { leaseOf } from '../../src/core/protocol/lease-tile.ts';
import type { GatewayMessage, Lease, WorkerMessage } from '../../src/core/protocol/messages.ts';
import { type NodeClock, promise } from './clockwork.ts';
import { checkEffects, checkLedger } from './ledger-checks.ts';
import { hashText } from './prng.ts';
import { type RunningJob, SimJobs } from './sim-jobs.ts';
import type { Connection } from './sim-net.ts';
import { honestBody, largeTileBlocks, poolSize, toyProblem, toyTileOf, verifyBody } from './toy-job.ts';
import type { World } from './world.ts';

const specDigest = 'ab'.repeat(32);
const spec = specOf(toyProblem, specDigest);
const emptyToken = new Uint8Array(32);

interface Peer {
  readonly session: string;
  readonly connection: Connection;
  readonly worker: string;
  hasSpec: boolean;
}

interface PendingResult {
  readonly job: string;
  readonly tile: string;
  readonly body: string;
  readonly worker: string;
}

/** The coordinator of a world. */
export class SimCoordinator {
  ledger: Ledger = createLedger();
  isUp = false;
  /** Stands still until then (virtual time). */
  frozenUntil = 0;
  readonly peers = new Map<string, Peer>();
  readonly jobs = new Map<string, RunningJob>();
  private readonly driver: SimJobs;
  private readonly results = new Map<string, PendingResult>();
  private readonly world: World;
  private readonly clock: NodeClock;
  epoch = 0;
  private sessionCount = 0;
  private resultCount = 0;
  solvingHere = 0;

  constructor(world: World, clock: NodeClock) {
    this.world = world;
    this.clock = clock;
    this.driver = new SimJobs(world, this);
  }

  /** Starts, with whatever the store still has: what is planned and not committed is to be solved. */
  boot(): void {
    const { world } = this;
    world.clockwork.trace('coordinator', 'boot');
    this.epoch++;
    this.isUp = true;
    this.frozenUntil = 0;
    const seed = world.random.ledger.below(2 ** 32);
    this.ledger = createLedger({ seed, volunteerTileBlocksMax: largeTileBlocks - 1, ...world.bug?.settings });
    for (const plan of world.plans) this.driver.startJob(plan);
    this.scheduleTick();
  }

  /** Loses everything in memory, and in the store what was not durable. */
  crash(): void {
    const { world } = this;
    world.clockwork.trace('coordinator', 'crash');
    const granted = new Set<string>();
    for (const job of this.jobs.values())
      for (const id of job.tiles.keys())
        if (this.ledger.jobs.get(job.plan.job)?.tiles.get(id)?.state === 'leased') granted.add(id);
    if (world.bug?.shell?.trustsLeasesOnRestart === true)
      for (const id of granted) world.wronglyTrusted.add(id);
    this.isUp = false;
    this.epoch++;
    for (const { connection } of this.peers.values())
      if (world.random.faults.chance(0.3)) connection.vanish(1);
      else connection.reset();
    this.peers.clear();
    this.jobs.clear();
    this.results.clear();
    this.solvingHere = 0;
    world.store.crash();
    world.audit.crashed();
  }

  /** Takes a connection; returns what to do with what it brings. */
  accept(connection: Connection): { onMessage: (message: unknown) => void; onClose: () => void } {
    const { epoch } = this;
    let peer: Peer | null = null;
    return {
      onMessage: (raw) =>
        this.whenAwake(epoch, () => {
          const message = this.world.received(raw) as WorkerMessage;
          if (peer !== null) this.receive(peer, message);
          else if (message.kind === 'hello') {
            peer = {
              session: `s${++this.sessionCount}`,
              connection,
              worker: message.workerId,
              hasSpec: false,
            };
            this.join(peer, message);
          }
        }),
      onClose: () =>
        this.whenAwake(epoch, () => {
          if (peer !== null && this.peers.delete(peer.session))
            this.happen({ kind: 'worker-left', session: peer.session });
        }),
    };
  }

  /** Tells everyone that it is going away. */
  drain(): void {
    for (const peer of this.peers.values()) this.send(peer, { kind: 'drain', graceMs: 5_000, gateways: [] });
  }

  private join(peer: Peer, hello: Extract<WorkerMessage, { kind: 'hello' }>): void {
    this.peers.set(peer.session, peer);
    const workerKind = this.world.workerKind(hello.workerId);
    this.send(peer, {
      kind: 'welcome',
      protocol: 1,
      heartbeatMs: 10_000,
      leaseMs: 60_000,
      frameBytesMax: 1 << 20,
      leaseCountMax: 64,
      gateways: ['ws://a', 'ws://b'],
    });
    this.happen({
      kind: 'worker-joined',
      session: peer.session,
      worker: hello.workerId,
      workerKind,
      threads: hello.threads,
    });
    for (const { job, tile } of hello.holding)
      this.happen({ kind: 'holds', session: peer.session, job, tile });
  }

  private receive(peer: Peer, message: WorkerMessage): void {
    const { session } = peer;
    if (!this.peers.has(session)) return;
    this.world.audit.message(peer.worker, message.kind);
    switch (message.kind) {
      case 'hello':
        return;
      case 'want':
        this.happen({ kind: 'wanted', session, slots: message.slots });
        return;
      case 'beat':
        this.happen({ kind: 'beat', session });
        this.tell(session, { kind: 'beat', cancel: [] });
        for (const { job, tile } of message.holding) this.happen({ kind: 'holds', session, job, tile });
        return;
      case 'nack':
        this.happen({ kind: 'given-back', session, job: message.job, tile: message.tile });
        return;
      case 'bye':
        this.peers.delete(session);
        this.happen({ kind: 'worker-left', session });
        return;
      case 'result': {
        const { job, tile, body } = message;
        const result = this.nextResultName();
        const text = String.fromCharCode(...body);
        this.results.set(result, { job, tile, body: text, worker: peer.worker });
        this.happen({ kind: 'result', session, job, tile, result, claimsMisses: true });
      }
    }
  }

  /** Applies an event to the ledger and does what it says. */
  happen(event: LedgerEvent): void {
    const { world, ledger } = this;
    const told = world.bug?.event === undefined ? event : world.bug.event(event, ledger);
    if (told === null) return;
    let effects = apply(ledger, this.clock.now(), told);
    if (world.bug?.effects !== undefined) effects = world.bug.effects(effects, told, ledger);
    checkEffects(ledger, effects);
    checkLedger(ledger, told.kind === 'tick');
    for (const effect of effects) this.carryOut(effect);
  }

  private carryOut(effect: LedgerEffect): void {
    const { world } = this;
    switch (effect.kind) {
      case 'grant':
        this.grant(effect);
        return;
      case 'verify':
        this.later(world.random.coordinator.between(0.5, 30), () => this.verify(effect.result));
        return;
      case 'store':
        this.store(effect);
        return;
      case 'acknowledge': {
        const { session, job, tile, outcome } = effect;
        world.audit.acknowledged(job, tile, this.peers.get(session)?.worker ?? '');
        this.tell(session, { kind: 'committed', job, tile, outcome });
        return;
      }
      case 'refuse': {
        const { session, job, tile, code, reason, retryMs } = effect;
        world.audit.refused(this.peers.get(session)?.worker ?? '', { code, reason });
        this.tell(session, { kind: 'refused', job, tile, code, reason, retryMs });
        return;
      }
      case 'cancel':
        this.tell(effect.session, { kind: 'beat', cancel: [{ job: effect.job, tile: effect.tile }] });
        return;
      case 'slow':
        this.tell(effect.session, { kind: 'slow', retryMs: effect.retryMs });
        return;
      case 'disconnect': {
        const peer = this.peers.get(effect.session);
        world.audit.disconnected(peer, effect.reason);
        this.peers.delete(effect.session);
        peer?.connection.close(1);
        return;
      }
      case 'solve-here':
        this.solveHere(effect.job, effect.tile);
        return;
      case 'tile-done':
        this.driver.tileDone(effect.job, effect.tile);
        return;
      case 'tile-dead':
        promise(false, `a tile was given up: ${effect.reason}`);
        return;
      case 'forget':
        this.results.delete(effect.result);
        promise(
          this.results.size <= this.ledger.results.size + 8,
          'results in memory are those that the ledger knows',
        );
    }
  }

  private grant({ session, leases }: Extract<LedgerEffect, { kind: 'grant' }>): void {
    const peer = this.peers.get(session);
    if (peer === undefined) return;
    if (!peer.hasSpec) this.send(peer, spec);
    peer.hasSpec = true;
    const granted = leases.flatMap(({ job, tile, attempt, leaseMs }): Lease[] => {
      const toy = this.jobs.get(job)?.tiles.get(tile);
      if (toy === undefined) return [];
      this.world.audit.granted(peer.worker, job, tile);
      return [leaseOf(toyTileOf(toy), { job, spec: specDigest, token: emptyToken, attempt, leaseMs })];
    });
    this.send(peer, { kind: 'grant', leases: granted });
  }

  private verify(result: string): void {
    const pending = this.results.get(result);
    if (pending === undefined) return;
    const { shell } = this.world.bug ?? {};
    const toy = this.jobs.get(pending.job)?.tiles.get(pending.tile);
    if (toy === undefined) return;
    const verdict = verifyBody(toy.base, pending.body);
    const otherIsValid =
      shell?.believesOtherTiles === true &&
      [...Array(poolSize).keys()].some((base) => verifyBody(base, pending.body).isValid);
    const isTrusted = this.world.workerKind(pending.worker) === 'trusted';
    const isProven = this.world.provesMisses && !isTrusted;
    const isDisproved =
      isProven && pending.body !== honestBody(toy.base) && shell?.skipsProof !== true && !otherIsValid;
    if ((verdict.isValid && !isDisproved) || shell?.skipsVerify === true || otherIsValid) {
      if (pending.body !== honestBody(toy.base)) this.world.audit.deceived();
      let digest = hashText(pending.body).toString(16);
      if (shell?.sameDigest === true) digest = 'same';
      if (shell?.randomDigest === true) digest = result;
      this.happen({ kind: 'verified', result, digest, claimsMisses: verdict.claimsMisses && !isProven });
      return;
    }
    this.world.audit.invalid(pending.worker, this.ledger);
    this.happen({ kind: 'invalid', result, reason: 'residual' });
  }

  private store({ result, job, tile }: Extract<LedgerEffect, { kind: 'store' }>): void {
    const pending = this.results.get(result);
    const toy = this.jobs.get(job)?.tiles.get(tile);
    promise(pending !== undefined && toy !== undefined, 'what is to be stored is in memory');
    promise(verifyBody(toy.base, pending.body).isValid, 'only verified results are stored');
    this.world.audit.stored({ base: toy.base, body: pending.body, worker: pending.worker });
    const { shell } = this.world.bug ?? {};
    const { epoch } = this;
    const isThere = this.world.store.isDurable(`${job}/${tile}`);
    this.world.store.commit(`${job}/${tile}`, pending.body, (outcome) => {
      this.whenAwake(epoch, () => {
        const isSuccess =
          (outcome !== 'failed' || shell?.failureIsSuccess === true) &&
          !(outcome === 'duplicate' && shell?.duplicateIsFailure === true);
        promise(outcome !== 'new' || !isThere, 'a commit replaces nothing');
        if (outcome === 'new') this.world.audit.committed(job, tile);
        if (isSuccess)
          this.happen({ kind: 'stored', result, outcome: outcome === 'duplicate' ? 'duplicate' : 'new' });
        else this.happen({ kind: 'store-failed', result, reason: 'the disk is full', retryMs: 2_000 });
      });
    });
  }

  private solveHere(job: string, tile: string): void {
    this.solvingHere++;
    promise(this.solvingHere <= 2, 'at most localSolvesMax tiles are solved here at a time');
    this.later(this.world.random.coordinator.between(100, 2_000), () => {
      this.solvingHere--;
      const toy = this.jobs.get(job)?.tiles.get(tile);
      if (toy === undefined) {
        this.happen({ kind: 'unsolvable-here', job, tile, reason: 'the job is gone' });
        return;
      }
      const result = this.nextResultName();
      const body = honestBody(toy.base);
      this.results.set(result, { job, tile, body, worker: 'coordinator' });
      const digest = this.world.bug?.shell?.randomDigest === true ? result : hashText(body).toString(16);
      this.happen({ kind: 'solved-here', job, tile, result, digest });
    });
  }

  private nextResultName(): string {
    this.resultCount++;
    return this.world.bug?.shell?.reusesResultNames === true
      ? `r${this.resultCount % 3}`
      : `r${this.resultCount}`;
  }

  private tell(session: string, message: GatewayMessage): void {
    const peer = this.peers.get(session);
    if (peer !== undefined) this.send(peer, message);
  }

  private send(peer: Peer, message: GatewayMessage): void {
    this.world.clockwork.trace('coordinator', message.kind, peer.worker);
    peer.connection.send(1, this.world.sent(message));
  }

  private scheduleTick(): void {
    const { epoch } = this;
    this.world.clockwork.after(this.clock.virtual(1_000), () => {
      this.whenAwake(epoch, () => {
        this.happen({ kind: 'tick' });
        this.scheduleTick();
      });
    });
  }

  /** Runs something after a delay, unless the coordinator crashes before. */
  later(delayMs: number, run: () => void): void {
    const { epoch } = this;
    this.world.clockwork.after(this.clock.virtual(delayMs), () => this.whenAwake(epoch, run));
  }

  /** Runs something unless the coordinator has crashed; if it stands still, then when it moves again. */
  private whenAwake(epoch: number, run: () => void): void {
    if (epoch !== this.epoch) return;
    const { clockwork } = this.world;
    if (clockwork.now >= this.frozenUntil) run();
    else clockwork.after(this.frozenUntil - clockwork.now + 0.001, () => this.whenAwake(epoch, run));
  }
}
