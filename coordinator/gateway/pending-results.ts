/** The bytes of results that the ledger knows by name, until they are durable or refused. */
import { pendingResultBytesMax } from '../../src/core/limits.ts';

/** Results that there was no room for, or that could not be stored, are sent again after this time. */
export const troubleRetryMs = 5000;

/** A result on its way. */
export interface PendingResult {
  readonly sizeBytes: number;
  /** As it came; gone once it is handed over to be checked. */
  body: Uint8Array | undefined;
  /** As the engine keeps it; there once it is verified. */
  value: Uint8Array | undefined;
}

/** Results by name. */
export class PendingResults {
  private readonly results = new Map<string, PendingResult>();
  private count = 0;
  private bytes = 0;

  hasRoomFor(sizeBytes: number): boolean {
    return this.bytes + sizeBytes <= pendingResultBytesMax;
  }

  /** Returns the name that the result has from now on. */
  keep(pending: PendingResult): string {
    const result = `${++this.count}`;
    this.results.set(result, pending);
    this.bytes += pending.sizeBytes;
    return result;
  }

  find(result: string): PendingResult | undefined {
    return this.results.get(result);
  }

  forget(result: string): void {
    this.bytes -= this.results.get(result)?.sizeBytes ?? 0;
    this.results.delete(result);
  }
}
