/**
 * The shell around a worker's session in Node: connections, timers and the solver. It holds what the session only names: layer
 * problems while jobs need them, and tiles at work.
 */
import { performance } from 'node:perf_hooks';
import { keptSpecCountMax } from '../../src/core/limits.ts';
import type { LayerProblem } from '../../src/core/plan/tile.ts';
import { decodeGatewayMessage, encodeMessage } from '../../src/core/protocol/codec.ts';
import { problemOf } from '../../src/core/protocol/layer-spec.ts';
import { checkTile, tileOf } from '../../src/core/protocol/lease-tile.ts';
import type { Lease, Reject, Spec, TileName } from '../../src/core/protocol/messages.ts';
import { ProtocolError } from '../../src/core/protocol/protocol-error.ts';
import type { BodyForm, Connect, Transport } from '../../src/core/protocol/transport.ts';
import { apply, nextWakeMs, type Session, type SessionEffect, type SessionEvent } from '../session.ts';
import type { SolverPool } from './pool.ts';

/** What a shell works with; whoever made these closes them. */
export interface WorkerShellOptions {
  readonly session: Session;
  readonly connect: Connect;
  readonly pool: Pick<SolverPool, 'solveBody'>;
  readonly form: BodyForm;
  /** Told what people should know. */
  readonly onReport: (text: string) => void;
}

/** A session that runs. */
export interface WorkerShell {
  /** Finishes or gives back what it holds within the time, and ends. Idempotent. */
  drain(graceMs: number): void;
  /** Ends at once; the gateway finds out by itself. */
  cut(): void;
  /** Resolves with the reason when the session has ended. */
  readonly ended: Promise<string>;
}

/** WebSocket's code for an orderly end. */
const normalClose = 1000;

/** The close code for a token that is not good here; a refused handshake has it too (web-socket.ts). */
export const tokenCloseCode = 4003;

/** Starts the session. */
export function startWorkerShell(options: WorkerShellOptions): WorkerShell {
  const shell = new Shell(options);
  shell.happen({ kind: 'start' });
  return {
    drain: (graceMs) => shell.happen({ kind: 'drain', graceMs }),
    cut: () => shell.end('cut'),
    ended: shell.ended,
  };
}

class Shell {
  readonly ended: Promise<string>;
  private readonly options: WorkerShellOptions;
  /** Least recently used first. */
  private readonly problems = new Map<string, LayerProblem>();
  private readonly atWork = new Map<string, AbortController>();
  private connection: { readonly transport: Transport } | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private settleEnded: (reason: string) => void = () => undefined;
  private isEnded = false;

  constructor(options: WorkerShellOptions) {
    this.options = options;
    this.ended = new Promise((resolve) => {
      this.settleEnded = resolve;
    });
  }

  /** Applies one event and carries out what follows from it. */
  happen(event: SessionEvent): void {
    if (this.isEnded) return;
    const { session } = this.options;
    for (const effect of apply(session, performance.now(), event)) this.carryOut(effect);
    if (!this.isEnded) this.setTimer();
  }

  end(reason: string): void {
    if (this.isEnded) return;
    this.isEnded = true;
    clearTimeout(this.timer);
    for (const stop of this.atWork.values()) stop.abort();
    this.disconnect(reason);
    this.settleEnded(reason);
  }

  private setTimer(): void {
    clearTimeout(this.timer);
    const wakeMs = Math.max(0, nextWakeMs(this.options.session, performance.now()));
    if (!Number.isFinite(wakeMs)) return;
    const tick = (): void => this.happen({ kind: 'tick', chance: Math.random() });
    this.timer = setTimeout(tick, Math.min(wakeMs, 2 ** 31 - 1));
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
        this.atWork.get(keyOf(effect.name))?.abort();
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
    const stop = new AbortController();
    this.atWork.set(keyOf(name), stop);
    this.solved(lease, stop.signal).then(
      (event) => {
        this.atWork.delete(keyOf(name));
        if (event !== undefined) this.happen(event);
      },
      (error: unknown) => {
        this.atWork.delete(keyOf(name));
        const reason = error instanceof Error ? error.message : String(error);
        if (!stop.signal.aborted) this.happen({ kind: 'solve-failed', name, reason });
      },
    );
  }

  private async solved(lease: Lease, signal: AbortSignal): Promise<SessionEvent | undefined> {
    const name = { job: lease.job, tile: lease.tile };
    const { pool, form } = this.options;
    const problem = this.problems.get(lease.spec);
    if (problem === undefined) throw new Error(`the spec ${lease.spec} is not known`);
    this.keep(lease.spec, problem);
    const tile = tileOf(lease);
    checkTile(problem, tile);
    const { body, computeMs } = await pool.solveBody(problem, tile, { signal, form });
    return signal.aborted ? undefined : { kind: 'solved', name, body, computeMs };
  }
}

/** A token that is refused before the connection is made is refused for good. */
function tokenRefused(reason: string): Reject {
  return { kind: 'reject', code: 'token', reason: reason.slice(0, 200), retryMs: 0 };
}

function keyOf({ job, tile }: TileName): string {
  return `${job}/${tile}`;
}
