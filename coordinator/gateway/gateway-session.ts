/**
 * The gateway's side of one connection. Its states: `greeting` until a hello that is let in, `open` until either side ends it,
 * `closed`. Everything a peer sends is measured before it is read, read before it is believed, and believed only by the ledger.
 *
 * Close codes: 1002, 1003, 1007, 1009 as codec.ts has it; 1008 no hello in time, a second hello, or too much at once; 4001 version,
 * 4002 build, 4003 token, 4004 banned, 4005 full: what the `reject` before it says.
 */
import {
  bufferedBytesForGrants,
  gatewayCountMax,
  heartbeatMsDefault,
  helloFrameBytesMax,
  leaseMsTrusted,
  leaseMsVolunteer,
  leasesPerSessionMax,
} from '../../src/core/limits.ts';
import { decodeWorkerMessage, encodeMessage } from '../../src/core/protocol/codec.ts';
import {
  type GatewayMessage,
  type Hello,
  protocolVersions,
  type RejectCode,
  type WorkerMessage,
} from '../../src/core/protocol/messages.ts';
import { ProtocolError } from '../../src/core/protocol/protocol-error.ts';
import type { Transport } from '../../src/core/protocol/transport.ts';
import type { WorkerKind } from '../ledger.ts';
import type { Access, CheckAccess } from './access.ts';
import type { LedgerShell } from './ledger-shell.ts';
import type { Log } from './log.ts';
import { banMs, type Offences } from './offences.ts';
import { TokenBucket } from './token-bucket.ts';

/** What all sessions of a gateway share. */
export interface SessionSetting {
  readonly shell: LedgerShell;
  /** Hex SHA-256 of the kernel that results have to come from. */
  readonly build: string;
  readonly checkAccess: CheckAccess;
  /** Returns URLs of gateways that serve the same jobs, as far as whoever connected may reach them. */
  readonly gateways: (origin: ConnectionOrigin) => readonly string[];
  readonly offences: Offences;
  readonly log: Log;
  readonly nowMs: () => number;
}

/** Where a connection comes from. */
export interface ConnectionOrigin {
  readonly session: string;
  readonly address: string;
  /** Who it is by its Authorization header; null: its hello has to say. */
  readonly access: Access | null;
  /** A web page's: those may volunteer and nothing else. */
  readonly isPage: boolean;
  /** Largest frame it may send. */
  readonly frameBytesMax: number;
}

/** A worker as people see it. */
export interface WorkerView {
  readonly session: string;
  readonly worker: string;
  readonly kind: WorkerKind;
  readonly runtime: 'node' | 'browser';
  readonly threads: number;
  readonly address: string;
  readonly claimedBlocksPerSecond: number;
}

const rejectCloseCodes: Readonly<Record<RejectCode, number>> = {
  version: 4001,
  build: 4002,
  token: 4003,
  banned: 4004,
  full: 4005,
};

/** A check costs 10 µs. */
const tokenCheckMs = 2000;

/** Codes that a connection of ours never ends with. */
const offenceCodes: ReadonlySet<number> = new Set([1002, 1003, 1007, 1008, 1009]);

/** A worker of 64 threads on the easiest tiles sends some hundred results and 160 MB a second, a volunteer far less. */
const allowances = {
  trusted: {
    messages: { perSecond: 1000, burst: 4000 },
    bytes: { perSecond: 2 ** 28, burst: 2 ** 29 },
  },
  volunteer: {
    messages: { perSecond: 50, burst: 200 },
    bytes: { perSecond: 2 ** 23, burst: 2 ** 24 },
  },
} as const;

/** One connection. */
export class GatewaySession {
  readonly origin: ConnectionOrigin;
  private readonly setting: SessionSetting;
  private readonly transport: Transport;
  private state: 'greeting' | 'open' | 'closed' = 'greeting';
  private messages: TokenBucket;
  private bytes: TokenBucket;
  private worker: WorkerView | undefined;
  private access: Access | null;
  private checkTokenAt: number;
  /** Slots asked for while too much was waiting to be sent. */
  private deferredSlots: number | undefined;

  constructor(transport: Transport, origin: ConnectionOrigin, setting: SessionSetting) {
    this.transport = transport;
    this.origin = origin;
    this.setting = setting;
    this.access = origin.access;
    const now = setting.nowMs();
    this.checkTokenAt = now + tokenCheckMs;
    this.messages = new TokenBucket(allowances.volunteer.messages, now);
    this.bytes = new TokenBucket(allowances.volunteer.bytes, now);
  }

  /** The worker, once it has been let in. */
  get view(): WorkerView | undefined {
    return this.state === 'open' ? this.worker : undefined;
  }

  /** Whether nothing is taken any more. */
  get isEnded(): boolean {
    return this.state === 'closed';
  }

  /** Takes a frame. */
  onMessage(bytes: Uint8Array): void {
    if (this.state === 'closed') return;
    const now = this.setting.nowMs();
    if (!this.messages.take(1, now) || !this.bytes.take(bytes.length, now)) {
      this.end(1008, 'too much at once; slow down');
      return;
    }
    let message: WorkerMessage;
    try {
      const frameBytes = this.state === 'greeting' ? helloFrameBytesMax : this.origin.frameBytesMax;
      message = decodeWorkerMessage(bytes, { frameBytes });
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.end(error.closeCode, error.message);
      return;
    }
    this.take(message);
  }

  /** Takes a ping or a pong, which cost us as much as a small message. */
  onControlFrame(): void {
    if (this.state === 'closed' || this.messages.take(1, this.setting.nowMs())) return;
    this.end(1008, 'too much at once; slow down');
  }

  /** The connection has ended. */
  onClose(): void {
    if (this.state === 'open') this.setting.shell.leave(this.origin.session);
    this.state = 'closed';
  }

  /** Lets time pass. */
  tick(): void {
    if (this.state === 'closed') return;
    this.checkToken();
    if (this.deferredSlots === undefined || this.transport.bufferedBytes() > bufferedBytesForGrants) return;
    const slots = this.deferredSlots;
    this.deferredSlots = undefined;
    if (this.state === 'open') this.setting.shell.receive(this.origin.session, { kind: 'want', slots });
  }

  private checkToken(): void {
    const now = this.setting.nowMs();
    if (this.access === null || now < this.checkTokenAt) return;
    this.checkTokenAt = now + tokenCheckMs;
    if (this.access.isStillGood()) return;
    const reason =
      'Cannot go on with this worker: its token has expired or was revoked, expected a good one; ask the operator (tombola token)';
    this.reject('token', reason);
  }

  /** Ends a connection that has not said hello in time. */
  expireGreeting(): void {
    if (this.state === 'greeting') this.close(1008, 'no hello in time');
  }

  /** Sends a message; what cannot be sent is lost, as messages may be. */
  send(message: GatewayMessage): void {
    if (this.state !== 'closed') this.transport.send(encodeMessage(message));
  }

  /** Ends the connection and says why; codes for breaches of the protocol are remembered against whoever bears the token. */
  end(code: number, reason: string): void {
    if (this.state !== 'closed' && offenceCodes.has(code)) this.offend();
    this.close(code, reason);
  }

  /** Remembers a breach of the protocol. */
  offend(): void {
    if (this.access !== null) this.setting.offences.count(this.access, this.setting.nowMs());
  }

  private close(code: number, reason: string): void {
    if (this.state === 'closed') return;
    const { session, address } = this.origin;
    this.setting.log('session-ended', { session, address, code, reason });
    this.onClose();
    this.transport.close(code, reason);
  }

  private take(message: WorkerMessage): void {
    const { session } = this.origin;
    if (message.kind === 'hello') {
      this.state === 'greeting' ? this.greet(message) : this.end(1008, 'a second hello');
      return;
    }
    if (this.state === 'greeting') {
      this.end(1008, `a ${message.kind} before hello`);
      return;
    }
    if (message.kind === 'bye') {
      this.end(1000, 'bye');
      return;
    }
    if (message.kind === 'want') this.want(message.slots);
    else this.setting.shell.receive(session, message);
  }

  /** A full socket is granted nothing, also of what was asked for before. */
  private want(slots: number): void {
    const isFull = this.transport.bufferedBytes() > bufferedBytesForGrants;
    this.deferredSlots = isFull ? slots : undefined;
    this.setting.shell.receive(this.origin.session, { kind: 'want', slots: isFull ? 0 : slots });
  }

  private greet(hello: Hello): void {
    const { min, max } = protocolVersions;
    if (hello.protocolMin > max || hello.protocolMax < min) {
      this.reject(
        'version',
        `Cannot serve protocol ${hello.protocolMin} to ${hello.protocolMax}, expected ${min} to ${max}: install the version of tombola that the coordinator runs`,
      );
      return;
    }
    if (hello.build !== this.setting.build) {
      this.reject(
        'build',
        `Cannot use kernel ${hello.build.slice(0, 12)}, expected ${this.setting.build.slice(0, 12)}: install the version of tombola that the coordinator runs`,
      );
      return;
    }
    const access = this.origin.access ?? this.setting.checkAccess(hello.token);
    const workerKind = access === null ? null : kindOf(access, this.origin);
    if (access === null || workerKind === null) {
      const wanted = this.origin.isPage ? 'volunteer' : 'worker or volunteer';
      this.reject(
        'token',
        `Cannot let this worker in: its token is ${access === null ? 'missing, unknown or expired' : `for ${access.scope}`}, expected one for ${wanted}; ask the operator for one (tombola token)`,
      );
      return;
    }
    if (this.setting.offences.isBanned(access, this.setting.nowMs())) {
      this.reject(
        'banned',
        'Cannot let this worker in: it broke the protocol again and again; try again in 20 minutes',
        banMs,
      );
      return;
    }
    this.access = access;
    this.open(hello, access, workerKind);
  }

  private open(hello: Hello, access: Access, workerKind: WorkerKind): void {
    const { shell, log, gateways, nowMs } = this.setting;
    const { session, address, frameBytesMax } = this.origin;
    // Trust hangs on the name. A volunteer has a token of its own; trusted workers share one.
    const worker = workerKind === 'volunteer' ? access.id : `${access.id}/${hello.workerId}`;
    const { runtime, threads, holding, blocksPerSecond: claimedBlocksPerSecond } = hello;
    this.state = 'open';
    this.worker = { session, worker, kind: workerKind, runtime, threads, address, claimedBlocksPerSecond };
    this.messages = new TokenBucket(allowances[workerKind].messages, nowMs());
    this.bytes = new TokenBucket(allowances[workerKind].bytes, nowMs());
    log('session-opened', { session, worker, workerKind, address, threads, runtime });
    this.send({
      kind: 'welcome',
      protocol: Math.min(hello.protocolMax, protocolVersions.max),
      heartbeatMs: heartbeatMsDefault,
      leaseMs: workerKind === 'trusted' ? leaseMsTrusted : leaseMsVolunteer,
      frameBytesMax,
      leaseCountMax: leasesPerSessionMax,
      gateways: gateways(this.origin).slice(0, gatewayCountMax),
    });
    shell.join({
      session,
      worker,
      workerKind,
      threads,
      holding,
      send: (message) => this.send(message),
      disconnect: (reason) => this.close(1008, reason),
    });
  }

  private reject(code: RejectCode, reason: string, retryMs = 0): void {
    this.send({ kind: 'reject', code, reason, retryMs });
    this.end(rejectCloseCodes[code], reason);
  }
}

/** Where nobody needs a token, everybody is admin. */
function kindOf({ scope }: Access, { isPage }: ConnectionOrigin): WorkerKind | null {
  if (scope === 'worker' || scope === 'admin') return isPage ? null : 'trusted';
  return scope === 'volunteer' ? 'volunteer' : null;
}
