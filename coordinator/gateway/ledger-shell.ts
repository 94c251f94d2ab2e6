/**
 * The shell around the ledger: turns what peers say into events and the ledger's effects into messages, checks on threads and
 * commits. It holds the bytes that the ledger only names: tiles while somebody waits for them, results until they are durable.
 *
 * A result's way: `result` ─ ledger ─ check pool ─ ledger ─ engine (compare-and-set, synced) ─ ledger ─ `committed` to its sender.
 */
import { randomInt } from 'node:crypto';
import type { Solver } from '../../src/core/plan/tile.ts';
import type { Refused, Result, TileName, WorkerMessage } from '../../src/core/protocol/messages.ts';
import type { BodyForm } from '../../src/core/protocol/transport.ts';
import type { Engine, StoredJob } from '../engine/engine.ts';
import type { LedgerPort, TileFate, TileWork } from '../jobs/ledger-port.ts';
import { apply, createLedger, type Ledger, type LedgerEffect, type LedgerEvent } from '../ledger.ts';
import { reasonOf } from '../reason-of.ts';
import { type Adoption, isAdoptable } from './adoption.ts';
import { AskedTiles, ledgerTile } from './asked-tiles.ts';
import { type GrantMaker, grantMaker } from './grant-maker.ts';
import type { Log } from './log.ts';
import type { ShellObserver } from './metrics.ts';
import type { Peer } from './peer.ts';
import { PendingResults, troubleRetryMs } from './pending-results.ts';
import { type ResultDesk, solveHere, storeResult, verifyResult } from './result-steps.ts';
import type { TileCheckPool } from './tile-check-pool.ts';

/** What a shell works with; whoever made these closes them. */
export interface LedgerShellOptions {
  readonly engine: Engine;
  readonly checks: TileCheckPool;
  /** Solves what no worker could. */
  readonly solver: Solver;
  /** Returns the key that signs leases. */
  readonly leaseKey: () => Uint8Array;
  /** One copy in so many of a trusted worker's results is checked; a volunteer's are checked in full. */
  readonly checkOneIn: number;
  /** How workers send results, and how they are kept. */
  readonly form: BodyForm;
  /** Undefined for a job that is not known here; the tiles of one that runs may be asked for any time. */
  readonly stateOf: (job: string) => StoredJob['state'] | undefined;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
  readonly log: Log;
  readonly observer: ShellObserver;
  /** Where gateways share their work: what comes with workers from others. */
  readonly adoption?: Adoption;
}

/** A ledger that runs. */
export interface LedgerShell {
  /** For the jobs' driver. */
  readonly port: LedgerPort;
  join(peer: Peer): void;
  leave(session: string): void;
  /** Takes a message of a peer that has joined; those of others are dropped. */
  receive(session: string, message: Exclude<WorkerMessage, { kind: 'hello' | 'bye' }>): void;
  /** Lets time pass; to be called several times a second. */
  tick(): void;
  /** To be read through ledger/status.ts. */
  readonly ledger: Ledger;
  /** Grants no more leases; what comes in is still checked, stored and acknowledged. */
  drain(): void;
  /** Resolves when nothing is being checked or stored. */
  settled(): Promise<void>;
}

type RefuseEffect = Extract<LedgerEffect, { kind: 'refuse' }>;

/** A job that plans asks for its first tiles within seconds. */
const unaskedRetryMs = 10_000;

/** Returns a shell around a fresh ledger. */
export function openLedgerShell(options: LedgerShellOptions): LedgerShell {
  const shell = new Shell(options);
  return {
    port: {
      addJob: (job, priority) => shell.addJob(job, priority),
      addTile: (job, work) => shell.addTile(job, work),
      removeJob: (job) => shell.removeJob(job),
    },
    join: (peer) => shell.join(peer),
    leave: (session) => shell.leave(session),
    receive: (session, message) => shell.receive(session, message),
    tick: () => shell.happen({ kind: 'tick' }),
    ledger: shell.ledger,
    drain: () => shell.drain(),
    settled: () => shell.settled(),
  };
}

class Shell {
  readonly ledger = createLedger({ seed: randomInt(2 ** 32) });
  private readonly options: LedgerShellOptions;
  private readonly grants: GrantMaker;
  private readonly tiles = new AskedTiles();
  private readonly peers = new Map<string, Peer>();
  private readonly results = new PendingResults();
  private readonly desk: ResultDesk;
  /** Checks, commits and solutions under way. */
  private readonly work = new Set<Promise<void>>();
  /** The first one is being applied. */
  private readonly events: LedgerEvent[] = [];
  private isDraining = false;

  constructor(options: LedgerShellOptions) {
    this.options = options;
    this.grants = grantMaker(options.leaseKey);
    const { tiles, results } = this;
    this.desk = { ...options, tiles, results, happen: (event) => this.happen(event) };
  }

  addJob(job: string, priority: number): void {
    if (this.tiles.addJob(job)) this.happen({ kind: 'job-added', job, priority });
  }

  addTile(job: string, work: TileWork): Promise<TileFate> {
    const { fate, isNew } = this.tiles.add(job, work);
    // One that was done is asked for again when what was stored has been lost: the ledger opens it again.
    if (isNew) this.happen({ kind: 'tiles-added', job, tiles: [ledgerTile(work)] });
    return fate;
  }

  removeJob(job: string): void {
    if (this.tiles.removeJob(job)) this.happen({ kind: 'job-removed', job });
  }

  join(peer: Peer): void {
    const { session, worker, workerKind, threads } = peer;
    this.peers.set(session, peer);
    const quarantineMs = this.options.adoption?.quarantineMs(worker) ?? 0;
    this.happen({ kind: 'worker-joined', session, worker, workerKind, threads, quarantineMs });
    this.hold(session, peer.holding);
  }

  leave(session: string): void {
    if (!this.peers.delete(session)) return;
    this.grants.forget(session);
    this.happen({ kind: 'worker-left', session });
  }

  receive(session: string, message: Exclude<WorkerMessage, { kind: 'hello' | 'bye' }>): void {
    if (!this.peers.has(session)) return;
    switch (message.kind) {
      case 'want':
        if (!this.isDraining) this.happen({ kind: 'wanted', session, slots: message.slots });
        return;
      case 'beat':
        this.happen({ kind: 'beat', session });
        // A gateway that has nothing to say must not seem dead.
        this.peers.get(session)?.send({ kind: 'beat', cancel: [] });
        this.hold(session, message.holding);
        return;
      case 'nack':
        // It may have lost a layer's spec: the next grant brings it again.
        this.grants.forget(session);
        this.happen({ kind: 'given-back', session, job: message.job, tile: message.tile });
        return;
      case 'result':
        this.receiveResult(session, message);
        return;
      default:
        throw new Error(`Broken invariant: no message is of kind ${JSON.stringify(message satisfies never)}`);
    }
  }

  /** What a worker says it has in hand is leased to it again, should it have come back, or from another gateway. */
  private hold(session: string, holding: readonly TileName[]): void {
    const isTrusted = this.peers.get(session)?.workerKind === 'trusted';
    for (const name of holding) {
      const tell = (): void => this.happen({ kind: 'holds', session, ...name });
      const adoption = isTrusted ? this.adoptionOf(name) : undefined;
      if (adoption === undefined) tell();
      else this.start(adoption.adopt(name.job, name.tile).then((isHere) => (isHere ? tell() : undefined)));
    }
  }

  /** Undefined for a tile that this ledger knows, or no gateway can: its job is over. */
  private adoptionOf({ job, tile }: TileName): Adoption | undefined {
    const state = this.options.stateOf(job);
    const isOver = state !== undefined && state !== 'running';
    if (isOver || this.tiles.find({ job, tile }) !== undefined) return undefined;
    return this.options.adoption;
  }

  drain(): void {
    this.isDraining = true;
    for (const { session } of this.peers.values()) this.happen({ kind: 'wanted', session, slots: 0 });
  }

  async settled(): Promise<void> {
    while (this.work.size > 0) await Promise.all(this.work);
  }

  /** Applies an event and carries out what follows from it, after what is being carried out now. */
  happen(event: LedgerEvent): void {
    this.events.push(event);
    if (this.events.length > 1) return;
    try {
      for (let next = this.events[0]; next !== undefined; next = this.events[0]) {
        for (const effect of apply(this.ledger, this.options.nowMs(), next)) this.carryOut(effect);
        this.events.shift();
      }
    } catch (error) {
      // Our bug. The ledger stands still at this event, so the process has to end, also where a caller catches what it called.
      this.options.log('broken', { reason: reasonOf(error) });
      queueMicrotask(() => {
        throw error;
      });
      throw error;
    }
  }

  private receiveResult(session: string, message: Result): void {
    const { job, tile, body } = message;
    if (!this.results.hasRoomFor(body.length)) {
      const reason = 'the coordinator has too many results to check; send it again later';
      this.refuse(session, { job, tile, code: 'quota', reason, retryMs: troubleRetryMs });
      return;
    }
    const result = this.results.keep({ sizeBytes: body.length, body, value: undefined });
    const adoption = this.adoptionOf(message);
    const peer = this.peers.get(session);
    if (peer !== undefined && adoption !== undefined && isAdoptable(adoption, peer, message))
      this.start(this.fetch(adoption, { session, message, result }));
    else this.take(session, message, result);
  }

  /** Takes a result when its tile is here, wherever the queue had it; it says so where no job asks for it. */
  private async fetch(
    adoption: Adoption,
    { session, message, result }: { session: string; message: Result; result: string },
  ): Promise<void> {
    const { job, tile } = message;
    if (this.options.stateOf(job) === undefined && !(await adoption.learn(job))) {
      this.results.forget(result);
      const reason = 'this gateway has not heard of the job and cannot ask about it; send it again later';
      this.refuse(session, { job, tile, code: 'unknown-tile', reason, retryMs: unaskedRetryMs });
      return;
    }
    await adoption.adopt(job, tile);
    this.take(session, message, result);
  }

  private take(session: string, { job, tile, spec, body }: Result, result: string): void {
    const work = this.tiles.find({ job, tile });
    if (work !== undefined && work.problemDigest !== spec) {
      this.results.forget(result);
      const reason = `the result is for layer ${spec}, expected ${work.problemDigest}`;
      this.refuse(session, { job, tile, code: 'spec', reason, retryMs: 0 });
      return;
    }
    this.options.observer.received(body.length);
    const claimsMisses = this.peers.get(session)?.workerKind === 'volunteer';
    this.happen({ kind: 'result', session, job, tile, result, claimsMisses });
  }

  private carryOut(effect: LedgerEffect): void {
    const { observer } = this.options;
    switch (effect.kind) {
      case 'grant':
        this.grant(effect);
        return;
      case 'verify':
        this.start(verifyResult(this.desk, effect));
        return;
      case 'store':
        this.start(storeResult(this.desk, effect));
        return;
      case 'acknowledge': {
        const { session, job, tile, outcome } = effect;
        observer.acknowledged(outcome);
        this.peers.get(session)?.send({ kind: 'committed', job, tile, outcome });
        return;
      }
      case 'refuse':
        if (effect.code === 'unknown-tile') this.start(this.answerUnknown(effect));
        else this.refuseForLedger(effect);
        return;
      case 'cancel': {
        const { session, job, tile } = effect;
        this.peers.get(session)?.send({ kind: 'beat', cancel: [{ job, tile }] });
        return;
      }
      case 'slow':
        this.options.adoption?.tellQuarantine(this.nameOf(effect.session), effect.retryMs);
        this.peers.get(effect.session)?.send({ kind: 'slow', retryMs: effect.retryMs });
        return;
      case 'disconnect':
        this.peers.get(effect.session)?.disconnect(effect.reason);
        return;
      case 'solve-here':
        this.start(solveHere(this.desk, effect));
        return;
      case 'tile-done':
        this.settle(effect, { kind: 'done' });
        return;
      case 'tile-dead':
        this.options.log('tile-dead', { job: effect.job, tile: effect.tile, reason: effect.reason });
        this.settle(effect, { kind: 'dead', reason: effect.reason });
        return;
      case 'forget':
        this.results.forget(effect.result);
        return;
      default:
        throw new Error(`Broken invariant: no effect is of kind ${JSON.stringify(effect satisfies never)}`);
    }
  }

  private refuseForLedger({ session, job, tile, code, reason, retryMs }: RefuseEffect): void {
    this.options.log('result-refused', { worker: this.nameOf(session), job, tile, code, reason });
    this.refuse(session, { job, tile, code, reason, retryMs });
  }

  private refuse(session: string, refusal: Omit<Refused, 'kind'>): void {
    this.options.observer.refused(refusal.code);
    this.peers.get(session)?.send({ kind: 'refused', ...refusal });
  }

  /**
   * After a restart a worker may come with results before their job has asked for them, or for tiles that were committed and never
   * acknowledged: neither is to be solved again.
   */
  private async answerUnknown(refusal: RefuseEffect): Promise<void> {
    const { session, job, tile } = refusal;
    if (this.options.stateOf(job) !== 'running') return this.refuseForLedger(refusal);
    const stored = await this.options.engine.readResult(job, tile).catch(() => undefined);
    if (stored === undefined) return this.refuseForLedger({ ...refusal, retryMs: unaskedRetryMs });
    this.options.observer.acknowledged('duplicate');
    this.peers.get(session)?.send({ kind: 'committed', job, tile, outcome: 'duplicate' });
  }

  private start(step: Promise<void>): void {
    const tracked = step.finally(() => this.work.delete(tracked));
    this.work.add(tracked);
  }

  private settle({ job, tile }: { job: string; tile: string }, fate: TileFate): void {
    this.tiles.settle({ job, tile }, fate);
    this.options.observer.settled(fate.kind);
  }

  private grant({ session, leases }: Extract<LedgerEffect, { kind: 'grant' }>): void {
    const peer = this.peers.get(session);
    if (peer === undefined) return;
    const granted = leases.flatMap((lease) => {
      const work = this.tiles.find(lease);
      return work === undefined ? [] : [{ lease, work }];
    });
    for (const message of this.grants.messages(peer, granted)) peer.send(message);
  }

  private nameOf(session: string): string {
    return this.peers.get(session)?.worker ?? session;
  }
}
