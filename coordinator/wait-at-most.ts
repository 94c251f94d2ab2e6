/** Waiting that ends: a coordinator ends in time, whatever does not answer. */
import { setTimeout as delay } from 'node:timers/promises';

/** Resolves when the promise does, or so many milliseconds later; rejects where the promise does before. */
export async function waitAtMost(ms: number, promise: Promise<unknown>): Promise<void> {
  const ending = new AbortController();
  const late = delay(ms, undefined, { signal: ending.signal }).catch(() => undefined);
  try {
    await Promise.race([promise, late]);
  } finally {
    ending.abort();
  }
}
