/** A gateway of the scale simulation (scale.ts): the real ledger behind a loop that takes modelled time for messages and bytes. */
import {
  apply as applyToLedger,
  createLedger,
  type Ledger,
  type LedgerEffect,
  type LedgerEvent,
  type LedgerTile,
} from '../../coordinator/ledger.ts';
import { feedPullMax, tilesInFlightMax } from '../../src/core/limits.ts';
import { encodeMessage } from '../../src/core/protocol/codec.ts';
import type { GatewayMessage, Lease, WorkerMessage } from '../../src/core/protocol/messages.ts';
import type { Member } from './scale-member.ts';
import type { Swarm } from './scale-swarm.ts';

/** Milliseconds of a gateway's loop per message, and per byte: 16.8 k results and grants of 256 B a second, 48 MB/s at 64 KiB. */
const messageMs = 0.03;
const byteMs = 1 / 48_000;
/** Milliseconds of a gateway's loop for a new connection with TLS. */
const connectMs = 1;
/** From a verdict to a durable result, where the gateway keeps its own. */
const commitMs = 5;
/** Milliseconds of a gateway's loop per tile that it takes out of a shared queue; its driver's costs as much (--cluster-load: 1.6 in all). */
const shareMs = 0.7;
/** Between two looks at a shared queue, and the way to it. */
const pullMs = 50;
const adoptMs = 10;
const specDigest = 'ab'.repeat(32);

/** What a stretch of time came to. */
export interface Tally {
  results: number;
  doubled: number;
  bytesUp: number;
  bytesDown: number;
  messages: number;
  hellos: number;
  hellosPerSecondMax: number;
  loopMs: number;
  /** Real milliseconds in ledger and encoding. */
  ledgerMs: number;
  waitMsMax: number;
}

/** A gateway. */
export class Gateway {
  readonly url: string;
  ledger: Ledger = createLedger();
  isUp = true;
  epoch = 0;
  /** Virtual time until which its loop is busy. */
  busyUntil = 0;
  tally = emptyTally();
  readonly members = new Map<string, Member>();
  private readonly swarm: Swarm;
  private readonly index: number;
  /** Tiles of the shared queue that its ledger has. */
  private known = new Set<string>();
  private tileCount = 0;
  private resultCount = 0;
  private helloSecond = -1;
  private helloCount = 0;

  constructor(swarm: Swarm, index: number) {
    this.swarm = swarm;
    this.index = index;
    this.url = `wss://gateway-${index}`;
  }

  boot(): void {
    this.isUp = true;
    this.epoch++;
    this.ledger = createLedger({ seed: this.epoch });
    this.busyUntil = this.swarm.clockwork.now;
    this.known = new Set();
    const { engine, setting } = this.swarm;
    for (let job = 0; job < setting.jobs; job++) {
      this.happen({ kind: 'job-added', job: `job${job}`, priority: 0 });
      if (engine === null) for (let tile = 0; tile < tilesInFlightMax; tile++) this.addTile(`job${job}`);
    }
    engine?.drive(this);
    if (engine !== null) this.feed(this.epoch);
    this.tick(this.epoch);
  }

  crash(): void {
    this.isUp = false;
    this.epoch++;
    const members = [...this.members.values()];
    this.members.clear();
    for (const member of members) member.lost('reset');
  }

  /** Takes a message when the loop gets to it. */
  receive(member: Member, message: WorkerMessage): void {
    const { epoch, swarm } = this;
    const bytes = sizeOf(message, this.tally) + (message.kind === 'result' ? swarm.setting.tile.upBytes : 0);
    this.tally.bytesUp += bytes;
    this.inTurn(messageMs + bytes * byteMs + (message.kind === 'hello' ? connectMs : 0), () => {
      if (epoch === this.epoch) this.act(member, message);
    });
  }

  leave(member: Member): void {
    if (this.members.delete(member.name)) this.happen({ kind: 'worker-left', session: member.name });
  }

  private act(member: Member, message: WorkerMessage): void {
    const session = member.name;
    switch (message.kind) {
      case 'hello':
        this.countHello();
        this.members.set(session, member);
        this.send(member, {
          kind: 'welcome',
          protocol: 1,
          heartbeatMs: 10_000,
          leaseMs: 60_000,
          frameBytesMax: 1 << 24,
          leaseCountMax: 64,
          gateways: this.swarm.urls,
        });
        this.happen({
          kind: 'worker-joined',
          session,
          worker: session,
          workerKind: 'trusted',
          threads: this.swarm.setting.threads,
        });
        this.hold(session, message.holding);
        return;
      case 'want':
        this.happen({ kind: 'wanted', session, slots: message.slots });
        return;
      case 'beat':
        this.happen({ kind: 'beat', session });
        this.send(member, { kind: 'beat', cancel: [] });
        this.hold(session, message.holding);
        return;
      case 'nack':
        this.happen({ kind: 'given-back', session, job: message.job, tile: message.tile });
        return;
      case 'bye':
        this.leave(member);
        return;
      case 'result': {
        const { job, tile } = message;
        const result = `r${++this.resultCount}`;
        this.adopt(job, tile, () =>
          this.happen({ kind: 'result', session, job, tile, result, claimsMisses: false }),
        );
      }
    }
  }

  private hold(session: string, holding: readonly { readonly job: string; readonly tile: string }[]): void {
    for (const { job, tile } of holding)
      this.adopt(job, tile, () => this.happen({ kind: 'holds', session, job, tile }));
  }

  /** Goes on when the ledger has a tile that somebody asks for, wherever the shared queue has it. */
  private adopt(job: string, tile: string, next: () => void): void {
    const { engine, clockwork } = this.swarm;
    if (engine === null || this.known.has(tile) || !engine.isAsked(tile)) {
      next();
      return;
    }
    const { epoch } = this;
    clockwork.after(adoptMs, () =>
      this.inTurn(shareMs, () => {
        if (epoch !== this.epoch) return;
        this.know(job, tile);
        next();
      }),
    );
  }

  private tileOf(tile: string): LedgerTile {
    return { tile, blocks: 100_000, expectedMs: this.swarm.setting.tile.solveMs };
  }

  private know(job: string, tile: string): void {
    if (this.known.has(tile)) return;
    this.known.add(tile);
    this.happen({ kind: 'tiles-added', job, tiles: [this.tileOf(tile)] });
  }

  /** Takes as many tiles out of the shared queue as the workers may soon ask for (coordinator/cluster/work-feed.ts). */
  private feed(epoch: number): void {
    if (epoch !== this.epoch) return;
    const { engine, clockwork, setting } = this.swarm;
    const again = (): void => clockwork.after(pullMs, () => this.feed(epoch));
    let room = -this.ledger.openCount;
    for (const { threads, leases } of this.ledger.sessions.values())
      room += Math.max(2 * threads, leases.size);
    const taken = room <= 0 ? [] : (engine?.pull(this, Math.min(room, feedPullMax * setting.jobs)) ?? []);
    const costMs = shareMs + setting.tile.downBytes * byteMs;
    this.inTurn(taken.length * costMs, () => {
      if (epoch !== this.epoch) return;
      for (const { job, tile } of taken) this.know(job, tile);
      again();
    });
  }

  private happen(event: LedgerEvent): void {
    const started = performance.now();
    const effects = applyToLedger(this.ledger, this.swarm.clockwork.now, event);
    this.tally.ledgerMs += performance.now() - started;
    const { clockwork, setting } = this.swarm;
    const { epoch } = this;
    const later = (delayMs: number, next: LedgerEvent): void =>
      clockwork.after(delayMs, () => {
        if (epoch === this.epoch) this.happen(next);
      });
    for (const effect of effects) {
      switch (effect.kind) {
        case 'grant': {
          const leases = effect.leases.map((lease): Lease => ({ ...leaseBase, ...lease }));
          this.tell(effect.session, { kind: 'grant', leases }, leases.length * setting.tile.downBytes);
          break;
        }
        case 'verify':
          later(setting.tile.checkMs, {
            kind: 'verified',
            result: effect.result,
            digest: 'same',
            claimsMisses: false,
          });
          break;
        case 'store':
          this.store(effect, epoch);
          break;
        case 'acknowledge':
          if (effect.outcome === 'new') this.tally.results++;
          else this.tally.doubled++;
          this.tell(effect.session, {
            kind: 'committed',
            job: effect.job,
            tile: effect.tile,
            outcome: effect.outcome,
          });
          break;
        case 'refuse':
          this.tell(effect.session, { ...effect, kind: 'refused' });
          break;
        case 'cancel':
          this.tell(effect.session, { kind: 'beat', cancel: [{ job: effect.job, tile: effect.tile }] });
          break;
        case 'slow':
          this.tell(effect.session, { kind: 'slow', retryMs: effect.retryMs });
          break;
        case 'disconnect': {
          const member = this.members.get(effect.session);
          this.members.delete(effect.session);
          member?.lost(effect.reason);
          break;
        }
        case 'tile-done':
          if (this.swarm.engine === null) this.addTile(effect.job);
          else this.known.delete(effect.tile);
          break;
        default:
          break;
      }
    }
  }

  private store({ result, tile }: Extract<LedgerEffect, { kind: 'store' }>, epoch: number): void {
    const { engine, clockwork, setting } = this.swarm;
    const stored = (outcome: 'new' | 'duplicate'): void => {
      if (epoch === this.epoch) this.happen({ kind: 'stored', result, outcome });
    };
    if (engine === null) clockwork.after(commitMs, () => stored('new'));
    else engine.commit(tile, setting.tile.upBytes, stored);
  }

  private addTile(job: string): void {
    const tile = `${this.index}-${++this.tileCount}`.padStart(64, '0');
    this.happen({ kind: 'tiles-added', job, tiles: [this.tileOf(tile)] });
  }

  private tell(session: string, message: GatewayMessage, extraBytes = 0): void {
    const member = this.members.get(session);
    if (member !== undefined) this.send(member, message, extraBytes);
  }

  private send(member: Member, message: GatewayMessage, extraBytes = 0): void {
    const bytes = sizeOf(message, this.tally) + extraBytes;
    this.tally.bytesDown += bytes;
    const { epoch, connection } = member;
    this.inTurn(messageMs + bytes * byteMs, () => {
      this.swarm.clockwork.after(this.swarm.way(), () => {
        if (epoch === member.epoch && connection === member.connection)
          member.happen({ kind: 'message', message });
      });
    });
  }

  /** The loop does one thing after the other. */
  inTurn(costMs: number, run: () => void): void {
    const { clockwork } = this.swarm;
    this.tally.loopMs += costMs;
    this.tally.waitMsMax = Math.max(this.tally.waitMsMax, this.busyUntil - clockwork.now);
    this.busyUntil = Math.max(this.busyUntil, clockwork.now) + costMs;
    clockwork.after(this.busyUntil - clockwork.now, run);
  }

  private countHello(): void {
    const second = Math.floor(this.swarm.clockwork.now / 1000);
    this.helloCount = second === this.helloSecond ? this.helloCount + 1 : 1;
    this.helloSecond = second;
    this.tally.hellos++;
    this.tally.hellosPerSecondMax = Math.max(this.tally.hellosPerSecondMax, this.helloCount);
  }

  private tick(epoch: number): void {
    if (epoch !== this.epoch) return;
    this.happen({ kind: 'tick' });
    this.swarm.clockwork.after(250, () => this.tick(epoch));
  }
}

const noBytes = new Uint8Array(0);
const leaseBase = {
  spec: specDigest,
  token: new Uint8Array(32),
  sourceLayer: 1,
  pass: 0,
  neurons: noBytes,
  targets: noBytes,
  biasTargets: noBytes,
};

/** Returns counts of nothing. */
export function emptyTally(): Tally {
  return {
    results: 0,
    doubled: 0,
    bytesUp: 0,
    bytesDown: 0,
    messages: 0,
    hellos: 0,
    hellosPerSecondMax: 0,
    loopMs: 0,
    ledgerMs: 0,
    waitMsMax: 0,
  };
}

function sizeOf(message: WorkerMessage | GatewayMessage, tally: Tally): number {
  const started = performance.now();
  const { length } = encodeMessage(message);
  tally.ledgerMs += performance.now() - started;
  tally.messages++;
  return length;
}
