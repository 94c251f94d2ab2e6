/** A map whose entries end: what is remembered for a while only, of ever new names, is not to gather for ever. */

const sweptSizeMin = 64;

interface Entry<Value> {
  readonly value: Value;
  readonly endMs: number;
}

/** Values by name, each until a time of its own. */
export class ExpiringMap<Value> {
  private readonly nowMs: () => number;
  private readonly entries = new Map<string, Entry<Value>>();
  /** Those that are over are dropped once there are so many: twice as many as were left the last time. */
  private sweptSize = sweptSizeMin;

  constructor(nowMs: () => number) {
    this.nowMs = nowMs;
  }

  /** Entries that are held, some of which may be over. */
  get size(): number {
    return this.entries.size;
  }

  /** Undefined from `endMs` on. */
  get(name: string): Value | undefined {
    const entry = this.entries.get(name);
    return entry !== undefined && entry.endMs > this.nowMs() ? entry.value : undefined;
  }

  set(name: string, value: Value, endMs: number): void {
    this.entries.set(name, { value, endMs });
    if (this.entries.size >= this.sweptSize) this.sweep();
  }

  delete(name: string): void {
    this.entries.delete(name);
  }

  private sweep(): void {
    const now = this.nowMs();
    for (const [name, { endMs }] of this.entries) if (endMs <= now) this.entries.delete(name);
    this.sweptSize = Math.max(sweptSizeMin, 2 * this.entries.size);
  }
}
