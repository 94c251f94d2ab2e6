/**
 * A connection that carries whole messages, in order, until it ends. Over a WebSocket (worker/node, worker/browser,
 * coordinator/gateway), within one process ({@link linkedTransports}), or simulated with faults.
 */

/**
 * How the bodies of results travel on a connection: `coded` to few bits (mask-code.ts), or `plain` (core/format/tile-result.ts) where
 * bytes cost nothing: within a process, coding both ways would take half as long as solving the easiest tiles.
 */
export type BodyForm = 'coded' | 'plain';

/** One end of a connection. */
export interface Transport {
  /** Queues a message, which belongs to the transport from then on. Nothing happens on a connection that has ended. */
  send(bytes: Uint8Array): void;
  /** Bytes queued here that the other side has not taken yet. */
  bufferedBytes(): number;
  /** Ends the connection in good order; `code` is a WebSocket close code. Idempotent. */
  close(code: number, reason: string): void;
}

/** What the owner of an end is told. Nothing comes after `onClose`. */
export interface TransportListener {
  /** The connection can be written to from now on. */
  readonly onOpen: () => void;
  /** A frame has arrived. */
  readonly onMessage: (bytes: Uint8Array) => void;
  /** The connection has ended, for whatever cause, or could not be made. */
  readonly onClose: (code: number, reason: string) => void;
}

/** Starts to open a connection; the listener is told how that went, never before the call returns. */
export type Connect = (url: string, listener: TransportListener) => Transport;

/** Called with the far end of every new connection; returns who listens to it. */
export type Accept = (transport: Transport) => Omit<TransportListener, 'onOpen'>;

/**
 * Returns how to connect to `accept` within one process. Messages arrive in order and never during `send`, so that neither side
 * is called back in the middle of a step.
 */
export function linkedTransports(accept: Accept): Connect {
  return (_url, near) => {
    let isOpen = true;
    const soon = (step: () => void): void => {
      Promise.resolve().then(() => {
        if (isOpen) step();
      });
    };
    const close = (code: number, reason: string): void =>
      soon(() => {
        isOpen = false;
        far?.onClose(code, reason);
        near.onClose(code, reason);
      });
    let far: ReturnType<Accept> | undefined;
    soon(() => {
      far = accept({ send: (bytes) => soon(() => near.onMessage(bytes)), bufferedBytes: () => 0, close });
      near.onOpen();
    });
    return { send: (bytes) => soon(() => far?.onMessage(bytes)), bufferedBytes: () => 0, close };
  };
}
