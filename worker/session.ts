/**
 * The worker's side of a session: a pure state machine. {@link apply} takes the state, the time and one event, changes the state it
 * owns and returns effects for a shell (Node: worker/node, browser: worker/browser) to carry out. No clock, no chance, no I/O.
 *
 *   offline    no connection; waits out a backoff, then asks the shell to connect to the next gateway   → opening
 *   opening    connected, hello sent                                     → open (welcome) / offline (reject, close, silence)
 *   open       wants work while it has free slots, beats every heartbeatMs, solves what it is granted, submits
 *   draining   asked to stop: takes no more, finishes or gives back what it holds, says bye, and ends     → ended
 *   ended      nothing more happens
 *
 * A result is kept from the moment it is solved until it is acknowledged (`committed`) or refused for good; after a reconnect, to
 * any gateway, it is submitted again. A gateway answers every beat with one; silent for three heartbeats it counts as gone. Backoff is exponential with full
 * jitter; the random numbers come in with the events. A `reject` with retryMs 0 ends the session for that gateway.
 *
 * The shell ticks when {@link nextWakeMs} says, or oftener. It has one connection at a time: after `close`, and after it has said
 * `disconnected`, it delivers nothing more of the old one and gives up one that is still being made. `now` is monotonic milliseconds.
 */
import type { GatewayMessage, TileName, WorkerMessage } from '../src/core/protocol/messages.ts';
import {
  acceptRejection,
  closeConnection,
  connectionWakeMs,
  end,
  greet,
  keepConnection,
  leaveDraining,
  loseConnection,
  open,
} from './session-connection.ts';
import { keyOf, type Session, type SessionOptions } from './session-state.ts';
import {
  acceptRefusal,
  cancelLeases,
  failSolve,
  forgetResult,
  giveBack,
  hide,
  keepResult,
  slowDown,
  submitResults,
  takeLeases,
  wantWork,
  workWakeMs,
} from './session-work.ts';

export type { Session, SessionOptions } from './session-state.ts';

/** What happens to a session. */
export type SessionEvent =
  | { readonly kind: 'start' }
  | { readonly kind: 'connected' }
  /** The connection ended or could not be made. */
  | { readonly kind: 'disconnected'; readonly reason: string }
  | { readonly kind: 'message'; readonly message: GatewayMessage }
  /** The solver is done with a tile; the shell encoded the result. */
  | {
      readonly kind: 'solved';
      readonly name: TileName;
      readonly body: Uint8Array;
      readonly computeMs: number;
    }
  | { readonly kind: 'solve-failed'; readonly name: TileName; readonly reason: string }
  | { readonly kind: 'drain'; readonly graceMs: number }
  | { readonly kind: 'hidden'; readonly hidden: boolean }
  /** Time has passed. `chance` ∈ [0, 1) feeds the jitter. */
  | { readonly kind: 'tick'; readonly chance: number };

/** What the shell has to do. */
export type SessionEffect =
  | { readonly kind: 'connect'; readonly url: string }
  | { readonly kind: 'send'; readonly message: WorkerMessage }
  | { readonly kind: 'close'; readonly reason: string }
  /** Keep a layer's spec for the grants that follow. */
  | { readonly kind: 'keep-spec'; readonly message: Extract<GatewayMessage, { kind: 'spec' }> }
  | { readonly kind: 'solve'; readonly lease: Extract<GatewayMessage, { kind: 'grant' }>['leases'][number] }
  | { readonly kind: 'cancel'; readonly name: TileName }
  /** For people: connection state, refusals, progress. */
  | { readonly kind: 'report'; readonly text: string }
  | { readonly kind: 'ended'; readonly reason: string };

/** Returns a session that waits for `start`. */
export function createSession(options: SessionOptions): Session {
  return {
    options,
    state: 'offline',
    gateways: options.gateways.map((url) => ({ url, notBefore: Number.NEGATIVE_INFINITY })),
    gateway: 0,
    connections: 0,
    failures: 0,
    connectAt: Number.POSITIVE_INFINITY,
    openedAt: 0,
    heardAt: 0,
    beatAt: 0,
    heartbeatMs: 0,
    leaseCountMax: 0,
    frameBytesMax: 0,
    credit: 0,
    wantAt: Number.NEGATIVE_INFINITY,
    solveFailures: 0,
    leases: new Map(),
    outbox: new Map(
      (options.results ?? []).map((message) => [
        keyOf(message),
        { message, state: 'waiting', dueAt: Number.NEGATIVE_INFINITY, refusals: 0 },
      ]),
    ),
    sentCount: 0,
    hidden: false,
    drainUntil: null,
    chance: 0.5,
    effects: [],
  };
}

/** Applies one event: changes `session` and returns what is to be done, in order. */
export function apply(session: Session, now: number, event: SessionEvent): SessionEffect[] {
  const effects: SessionEffect[] = [];
  if (session.state === 'ended') return effects;
  session.effects = effects;
  change(session, now, event);
  wantWork(session, now);
  finishDraining(session, now);
  return effects;
}

/** Returns milliseconds until the session needs a `tick`; Infinity when nothing is due. */
export function nextWakeMs(session: Session, now: number): number {
  if (session.state === 'ended') return Number.POSITIVE_INFINITY;
  const drainMs =
    session.drainUntil === null ? Number.POSITIVE_INFINITY : Math.max(0, session.drainUntil - now);
  return Math.min(drainMs, connectionWakeMs(session, now), workWakeMs(session, now));
}

function change(session: Session, now: number, event: SessionEvent): void {
  switch (event.kind) {
    case 'start':
      if (session.state === 'offline' && session.connections === 0) session.connectAt = null;
      break;
    case 'connected':
      greet(session, now);
      break;
    case 'disconnected':
      loseConnection(session, event.reason);
      break;
    case 'message':
      receive(session, now, event.message);
      break;
    case 'solved':
      keepResult(session, now, event);
      break;
    case 'solve-failed':
      failSolve(session, now, event.name, event.reason);
      break;
    case 'drain':
      startDraining(session, now, event.graceMs);
      break;
    case 'hidden':
      hide(session, now, event.hidden);
      break;
    case 'tick':
      session.chance = event.chance;
      keepConnection(session, now);
      submitResults(session, now);
      break;
  }
}

function receive(session: Session, now: number, message: GatewayMessage): void {
  if (session.state !== 'opening' && session.state !== 'open') return;
  session.heardAt = now;
  if (message.kind === 'welcome') open(session, now, message);
  else if (message.kind === 'reject') acceptRejection(session, now, message);
  else if (session.state !== 'open')
    closeConnection(session, `the gateway sent ${message.kind} before welcome`);
  else receiveOpen(session, now, message);
}

function receiveOpen(
  session: Session,
  now: number,
  message: Exclude<GatewayMessage, { kind: 'welcome' | 'reject' }>,
): void {
  switch (message.kind) {
    case 'spec':
      session.effects.push({ kind: 'keep-spec', message });
      break;
    case 'grant':
      takeLeases(session, now, message);
      break;
    case 'beat':
      cancelLeases(session, message.cancel);
      break;
    case 'committed':
      forgetResult(session, now, message);
      break;
    case 'refused':
      acceptRefusal(session, now, message);
      break;
    case 'slow':
      slowDown(session, now, message.retryMs);
      break;
    case 'drain':
      leaveDraining(session, now, message);
      break;
    case 'bye':
      closeConnection(session, message.reason);
      break;
  }
}

/** Keeps what its threads are at and gives back what waits behind it. */
function startDraining(session: Session, now: number, graceMs: number): void {
  const until = now + graceMs;
  session.drainUntil = session.drainUntil === null ? until : Math.min(until, session.drainUntil);
  if (session.state === 'open') session.effects.push({ kind: 'send', message: { kind: 'want', slots: 0 } });
  returnLeases(session, session.options.threads);
}

function finishDraining(session: Session, now: number): void {
  if (session.drainUntil === null || session.state === 'ended') return;
  const isDone = session.leases.size === 0 && session.outbox.size === 0;
  if (!isDone && now < session.drainUntil) return;
  returnLeases(session, 0);
  const left = session.outbox.size;
  if (session.state === 'open')
    session.effects.push({ kind: 'send', message: { kind: 'bye', reason: 'the worker stops' } });
  if (session.state !== 'offline') session.effects.push({ kind: 'close', reason: 'the worker stops' });
  end(session, left === 0 ? 'drained' : `drained, ${left} results were not acknowledged in time`);
}

/** Gives back all leases but the oldest `kept`. */
function returnLeases(session: Session, kept: number): void {
  for (const [key, { job, tile }] of [...session.leases].slice(kept)) {
    session.leases.delete(key);
    session.effects.push({ kind: 'cancel', name: { job, tile } });
    giveBack(session, { job, tile }, 'the worker is stopping');
  }
}
