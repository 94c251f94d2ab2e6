/** A sum of intervals, and how large the terms are that it was made of. */

/** Σ factor·[low, high], with Σ |factor|·max(|low|, |high|): what rounding is relative to. */
export class Bounds {
  low = 0;
  high = 0;
  size = 0;

  /** Empties the sum. */
  clear(): void {
    this.low = this.high = this.size = 0;
  }

  /** Adds factor·[low, high]. */
  add(factor: number, low: number, high: number): void {
    if (factor >= 0) {
      this.low += factor * low;
      this.high += factor * high;
    } else {
      this.low += factor * high;
      this.high += factor * low;
    }
    this.size += Math.abs(factor) * Math.max(Math.abs(low), Math.abs(high));
  }

  /** Adds the smallest interval around `ends`. */
  addHull(ends: readonly number[]): void {
    this.low += Math.min(...ends);
    this.high += Math.max(...ends);
    this.size += Math.max(...ends.map(Math.abs));
  }
}
