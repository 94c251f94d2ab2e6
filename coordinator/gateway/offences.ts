/**
 * Who has broken the protocol of late. A worker of ours never does, so a volunteer that does so again and again is not let in for a
 * while: a handshake that is refused costs a tenth of a connection that is made, flooded and ended. Trusted workers are not
 * counted: they share one token, and one that is broken must not shut the others out.
 */
import { offendersRememberedMax } from '../../src/core/limits.ts';
import type { Access } from './access.ts';
import { TokenBucket } from './token-bucket.ts';

/** After three breaches at once: time until one is forgiven. */
export const banMs = 1_200_000;
const forgiven = { perSecond: 1000 / banMs, burst: 3 };

/** Breaches of the protocol, by the token's id. */
export class Offences {
  private readonly buckets = new Map<string, TokenBucket>();

  /** Counts a breach. */
  count({ scope, id }: Pick<Access, 'scope' | 'id'>, nowMs: number): void {
    if (scope === 'volunteer') (this.buckets.get(id) ?? this.open(id, nowMs)).take(1, nowMs);
  }

  /** Returns whether the bearer has to wait. */
  isBanned({ scope, id }: Pick<Access, 'scope' | 'id'>, nowMs: number): boolean {
    const bucket = scope === 'volunteer' ? this.buckets.get(id) : undefined;
    return bucket !== undefined && !bucket.has(1, nowMs);
  }

  /** The longest known goes first: many names must not take our memory. */
  private open(id: string, nowMs: number): TokenBucket {
    const [oldest] = this.buckets.keys();
    if (this.buckets.size >= offendersRememberedMax && oldest !== undefined) this.buckets.delete(oldest);
    const bucket = new TokenBucket(forgiven, nowMs);
    this.buckets.set(id, bucket);
    return bucket;
  }
}
