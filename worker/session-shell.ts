/**
 * The shell around a worker's session, the same in Node and in browsers: carries out what the session decides, with the connections,
 * timers and solver that its platform gives it. It holds what the session only names: layer problems while jobs need them, and
 * tiles at work.
 */
import { keptSpecCountMax } from '../src/core/limits.ts';
import type { LayerProblem, Tile } from '../src/core/plan/tile.ts';
import { decodeGatewayMessage, encodeMessage } from '../src/core/protocol/codec.ts';
import { problemOf } from '../src/core/protocol/layer-spec.ts';
import { checkTile, tileOf } from '../src/core/protocol/lease-tile.ts';
import type { Lease, Reject, Spec } from '../src/core/protocol/messages.ts';
import { ProtocolError } from '../src/core/protocol/protocol-error.ts';
import type { Connect, Transport } from '../src/core/protocol/transport.ts';
import { apply, nextWakeMs, type Session, type SessionEffect, type SessionEvent } from './session.ts';
import { keyOf } from './session-state.ts';

/** A clock, chance and timers. */
export interface ShellPlatform {
  /** Returns monotonic milliseconds. */
  nowMs(): number;
  /** Returns a number in [0, 1). */
  chance(): number;
  /** Calls `step` once, after the time; returns how to call that off. */
  startTimer(delayMs: number, step: () => void): () => void;
}

/** A result as the body of a message. */
export interface SolvedBody {
  readonly body: Uint8Array;
  /** Time that solving and encoding took, without waiting. */
  readonly computeMs: number;
}

/** A tile at work. */
export interface TileAtWork {
  readonly solved: Promise<SolvedBody>;
  /** Nobody wants it any more; what becomes of `solved` does not matter then. */
  cancel(): void;
}

/** What a shell works with; whoever made these closes them. */
export interface SessionShellOptions {
  readonly session: Session;
  readonly connect: Connect;
  readonly solve: (problem: LayerProblem, tile: Tile) => TileAtWork;
  readonly platform: ShellPlatform;
  /** Told what people should know. */
  readonly onReport: (text: string) => void;
  /** Told of every event once it has been carried out. */
  readonly onEvent?: (event: SessionEvent) => void;
}

/** A session that runs. */
export interface SessionShell {
  /** Passes on what happens outside: the page is hidden, the worker is to end. */
  happen(event: Extract<SessionEvent, { kind: 'hidden' | 'drain' }>): void;
  /** Ends at once; the gateway finds out by itself. */
  cut(): void;
  /** Resolves with the reason when the session has ended. */
  readonly ended: Promise<string>;
}

/** Platforms take a longer time for none. */
const timerMsMax = 2 ** 31 - 1;

/** WebSocket's code for an orderly end. */
const normalClose = 1000;

/** The close code for a token that is not good here. A connection that cannot be made for that reason ends with it too. */
export const tokenCloseCode = 4003;

/** Starts the session. */
export function startSessionShell(options: SessionShellOptions): SessionShell {
  const shell = new Shell(options);
  shell.happen({ kind: 'start' });
  return {
    happen: (event) => shell.happen(event),
    cut: () => shell.end('cut'),
    ended: shell.ended,
  };
}

class Shell {
  readonly ended: Promise<string>;
  private readonly options: SessionShellOptions;
  /** Least recently used first. */
  private readonly problems = new Map<string, LayerProblem>();
  private readonly atWork = new Map<string, { cancel(): void }>();
  private connection: { readonly transport: Transport } | undefined;
  private stopTimer: () => void = () => undefined;
  private settleEnded: (reason: string) => void = () => undefined;
  private isEnded = false;

  constructor(options: SessionShellOptions) {
    this.options = options;
    this.ended = new Promise((resolve) => {
      this.settleEnded = resolve;
    });
  }

  /** Applies one event and carries out what follows from it. */
  happen(event: SessionEvent): void {
    if (this.isEnded) return;
    const { session, platform, onEvent } = this.options;
    for (const effect of apply(session, platform.nowMs(), event)) this.carryOut(effect);
    if (!this.isEnded) this.setTimer();
    onEvent?.(event);
  }

  end(reason: string): void {
    if (this.isEnded) return;
    this.isEnded = true;
    this.stopTimer();
    for (const work of this.atWork.values()) work.cancel();
    this.disconnect(reason);
    this.settleEnded(reason);
  }

  private setTimer(): void {
    const { session, platform } = this.options;
    this.stopTimer();
    const wakeMs = Math.max(0, nextWakeMs(session, platform.nowMs()));
    if (!Number.isFinite(wakeMs)) return;
    const tick = (): void => this.happen({ kind: 'tick', chance: platform.chance() });
    this.stopTimer = platform.startTimer(Math.min(wakeMs, timerMsMax), tick);
  }

  private carryOut(effect: SessionEffect): void {
    switch (effect.kind) {
      case 'connect':
        this.connect(effect.url);
        return;
      case 'send':
        this.connection?.transport.send(encodeMessage(effect.message));
        return;
      case 'close':
        this.disconnect(effect.reason);
        return;
      case 'keep-spec':
        this.keepSpec(effect.message);
        return;
      case 'solve':
        this.solve(effect.lease);
        return;
      case 'cancel':
        this.atWork.get(keyOf(effect.name))?.cancel();
        return;
      case 'report':
        this.options.onReport(effect.text);
        return;
      case 'ended':
        this.end(effect.reason);
        return;
      default:
        throw new Error(`Broken invariant: no effect is of kind ${JSON.stringify(effect satisfies never)}`);
    }
  }

  /** What comes from a connection that is no longer this one's is dropped. */
  private connect(url: string): void {
    this.disconnect('another connection');
    let isHeard = true;
    const heard = (step: () => void): void => {
      if (isHeard && !this.isEnded) step();
    };
    const transport = this.options.connect(url, {
      onOpen: () => heard(() => this.happen({ kind: 'connected' })),
      onMessage: (bytes) => heard(() => this.receive(bytes)),
      onClose: (code, reason) =>
        heard(() => {
          this.connection = undefined;
          const cause = reason || 'the connection was lost';
          if (code === tokenCloseCode) this.happen({ kind: 'message', message: tokenRefused(cause) });
          this.happen({ kind: 'disconnected', reason: `${cause} (${code})` });
        }),
    });
    this.connection = {
      transport: {
        ...transport,
        close: (code, reason) => {
          isHeard = false;
          transport.close(code, reason);
        },
      },
    };
  }

  private disconnect(reason: string, code = normalClose): void {
    const { connection } = this;
    this.connection = undefined;
    connection?.transport.close(code, reason);
  }

  private receive(bytes: Uint8Array): void {
    let event: SessionEvent;
    try {
      event = { kind: 'message', message: decodeGatewayMessage(bytes) };
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.disconnect(error.message, error.closeCode);
      event = { kind: 'disconnected', reason: error.message };
    }
    this.happen(event);
  }

  /** A spec that makes no sense is not kept: leases of it then fail one by one. */
  private keepSpec(spec: Spec): void {
    try {
      this.keep(spec.digest, this.problems.get(spec.digest) ?? problemOf(spec));
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.options.onReport(error.message);
    }
  }

  private keep(digest: string, problem: LayerProblem): void {
    this.problems.delete(digest);
    this.problems.set(digest, problem);
    const [oldest] = this.problems.keys();
    if (this.problems.size > keptSpecCountMax && oldest !== undefined) this.problems.delete(oldest);
  }

  private solve(lease: Lease): void {
    const name = { job: lease.job, tile: lease.tile };
    const work = this.begin(lease);
    let isWanted = true;
    const entry = {
      cancel: () => {
        isWanted = false;
        work.cancel();
      },
    };
    this.atWork.set(keyOf(name), entry);
    const finish = (event: SessionEvent): void => {
      // Cancelled and granted again, the tile is at work a second time.
      if (this.atWork.get(keyOf(name)) === entry) this.atWork.delete(keyOf(name));
      if (isWanted) this.happen(event);
    };
    work.solved.then(
      ({ body, computeMs }) => finish({ kind: 'solved', name, body, computeMs }),
      (error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        finish({ kind: 'solve-failed', name, reason });
      },
    );
  }

  private begin(lease: Lease): TileAtWork {
    try {
      const problem = this.problems.get(lease.spec);
      if (problem === undefined) throw new Error(`the spec ${lease.spec} is not known`);
      this.keep(lease.spec, problem);
      const tile = tileOf(lease);
      checkTile(problem, tile);
      return this.options.solve(problem, tile);
    } catch (error) {
      return { solved: Promise.reject(error), cancel: () => undefined };
    }
  }
}

/** A token that is refused before the connection is made is refused for good. */
function tokenRefused(reason: string): Reject {
  return { kind: 'reject', code: 'token', reason: reason.slice(0, 200), retryMs: 0 };
}
