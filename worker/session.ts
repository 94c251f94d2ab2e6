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
 * any gateway, it is submitted again. A gateway silent for three heartbeats counts as gone. Backoff is exponential with full
 * jitter; the random numbers come in with the events. A `reject` with retryMs 0 ends the session for that gateway.
 */
import type { GatewayMessage, TileName, WorkerMessage } from '../src/core/protocol/messages.ts';

/** What happens to a session. */
export type SessionEvent =
  | { readonly kind: 'start' }
  | { readonly kind: 'connected' }
  /** The connection ended or could not be made. */
  | { readonly kind: 'disconnected'; readonly reason: string }
  | { readonly kind: 'message'; readonly message: GatewayMessage }
  /** The solver is done with a tile; the shell encoded the result. */
  | { readonly kind: 'solved'; readonly name: TileName; readonly body: Uint8Array; readonly computeMs: number }
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
