/** A rate with a burst: what a peer may use of something. */

/** The rate and the burst of a bucket. */
export interface BucketSize {
  readonly perSecond: number;
  readonly burst: number;
}

/** A bucket that fills with time. Whoever holds one gives it the time, so that it needs no clock of its own. */
export class TokenBucket {
  private readonly size: BucketSize;
  private level: number;
  private filledAtMs: number;

  constructor(size: BucketSize, nowMs: number) {
    this.size = size;
    this.level = size.burst;
    this.filledAtMs = nowMs;
  }

  /** Takes `count` if there is as much, and returns whether there was. */
  take(count: number, nowMs: number): boolean {
    if (!this.has(count, nowMs)) return false;
    this.level -= count;
    return true;
  }

  /** Returns whether there is as much, and takes nothing. */
  has(count: number, nowMs: number): boolean {
    const { perSecond, burst } = this.size;
    const elapsedMs = Math.max(0, nowMs - this.filledAtMs);
    this.level = Math.min(burst, this.level + (elapsedMs * perSecond) / 1000);
    this.filledAtMs = nowMs;
    return this.level >= count;
  }

  /** Whether nothing was taken for so long that the bucket is full again: a fresh one would be the same. */
  isFull(nowMs: number): boolean {
    const { perSecond, burst } = this.size;
    return this.level + ((nowMs - this.filledAtMs) * perSecond) / 1000 >= burst;
  }
}
