/** A job's rate from its beginning on: when there are too many figures, neighbours are averaged and the step doubles. */
import { liveRatesMax } from '../../../src/core/limits.ts';

/** Figures at equal steps. */
export class RateHistory {
  private figures: number[] = [];
  private everyMs: number;
  /** Of the step in hand. */
  private blocks = 0;
  private beganAt: number;

  constructor(nowMs: number, everyMs: number) {
    this.beganAt = nowMs;
    this.everyMs = everyMs;
  }

  add(blocks: number): void {
    this.blocks += blocks;
  }

  /** Closes the steps that are over. */
  pass(nowMs: number): void {
    const elapsedMs = nowMs - this.beganAt;
    if (elapsedMs < this.everyMs) return;
    this.figures.push(rounded((1000 * this.blocks) / elapsedMs));
    this.blocks = 0;
    this.beganAt = nowMs;
    if (this.figures.length < liveRatesMax) return;
    this.figures = Array.from({ length: liveRatesMax / 2 }, (_, index) =>
      rounded(((this.figures[2 * index] ?? 0) + (this.figures[2 * index + 1] ?? 0)) / 2),
    );
    this.everyMs *= 2;
  }

  view(): { readonly rates: readonly number[]; readonly rateEveryMs: number } {
    return { rates: [...this.figures], rateEveryMs: this.everyMs };
  }
}

/** Returns a number to three significant digits: what changes in the fourth is not worth sending. */
export function rounded(value: number): number {
  return Number(value.toPrecision(3));
}
