/**
 * Workers in quarantine, for all gateways: a cell `quarantine.<worker>` with the time at which it ends, so that a worker that one gateway
 * has caught does not begin anew at another. Trust itself is earned at each gateway: a stranger costs only checks.
 */
import type { Cells } from '../engine/nats/cells.ts';
import { nameOfToken, tokenOf } from '../engine/nats/names.ts';
import { ExpiringMap } from './expiring-map.ts';

const prefix = 'quarantine.';
/** What is told again differs by the time it took to be told. */
const sameMs = 5000;

/** Follows quarantines and tells of them. */
export class Quarantines {
  private readonly cells: Cells;
  /** When each ends, in milliseconds since 1970: clocks of gateways may differ by seconds, quarantines last minutes. */
  private readonly ends = new ExpiringMap<number>(() => Date.now());
  private stop: () => void = () => undefined;

  constructor(cells: Cells) {
    this.cells = cells;
  }

  async open(): Promise<void> {
    this.stop = await this.cells.watch(`${prefix}*`, (key, cell) => {
      const worker = nameOfToken(key.slice(prefix.length));
      const endMs = cell === null ? 0 : Number(new TextDecoder().decode(cell.value));
      if (endMs > Date.now()) this.ends.set(worker, endMs, endMs);
      else this.ends.delete(worker);
    });
  }

  /** Returns how long the worker's quarantine still lasts, in milliseconds; 0: it has none. */
  leftMs(worker: string): number {
    return Math.max(0, (this.ends.get(worker) ?? 0) - Date.now());
  }

  /** Tells all gateways that a worker is in quarantine for a while. */
  tell(worker: string, ms: number): void {
    const endMs = Date.now() + ms;
    if (endMs - (this.ends.get(worker) ?? 0) < sameMs) return;
    this.ends.set(worker, endMs, endMs);
    const text = new TextEncoder().encode(String(endMs));
    // One that is not told is caught again.
    this.cells.put(prefix + tokenOf(worker), text).catch(() => undefined);
  }

  /** Forgets those that are over; called when a gateway starts, so that cells do not gather for ever. */
  async sweep(): Promise<void> {
    for (const key of await this.cells.keys()) {
      if (!key.startsWith(prefix)) continue;
      const cell = await this.cells.read(key);
      const endMs = Number(new TextDecoder().decode(cell?.value));
      if (cell !== undefined && endMs < Date.now()) await this.cells.remove(key, cell.revision);
    }
  }

  close(): void {
    this.stop();
  }
}
