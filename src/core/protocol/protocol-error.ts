/**
 * What a peer did wrong, as the WebSocket close code that answers it.
 */

/**
 * 1002: well-formed, but no message of this protocol; 1003: not a binary frame; 1007: not the MessagePack that codec.ts allows;
 * 1008: against the rules; 1009: too large.
 */
export type ProtocolCloseCode = 1002 | 1003 | 1007 | 1008 | 1009;

/** A peer's bytes that are not what the protocol says. Never our own fault, never worth a stack trace. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
  readonly closeCode: ProtocolCloseCode;

  constructor(closeCode: ProtocolCloseCode, message: string) {
    super(message);
    this.closeCode = closeCode;
  }
}
