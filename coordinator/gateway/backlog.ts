/** What waits to be read by a peer, and for how long: much at once is a large grant, much for long is a peer that does not read. */
import { bufferedBytesHardMax, bufferedBytesMax, bufferedMsMax } from '../../src/core/limits.ts';

/** One connection's backlog. */
export class Backlog {
  /** Undefined: it was below bufferedBytesMax when last seen. */
  private aboveSinceMs: number | undefined;

  /** Returns whether the connection is to be cut, with so many bytes waiting now. */
  isTooMuch(bufferedBytes: number, nowMs: number): boolean {
    if (bufferedBytes <= bufferedBytesMax) {
      this.aboveSinceMs = undefined;
      return false;
    }
    this.aboveSinceMs ??= nowMs;
    return bufferedBytes > bufferedBytesHardMax || nowMs - this.aboveSinceMs > bufferedMsMax;
  }
}
