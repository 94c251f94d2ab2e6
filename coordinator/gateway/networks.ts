/** What each network beyond this machine uses of something: how much at a time, and how often. */
import { networkCountMax } from '../../src/core/limits.ts';
import { networkOf } from './network-of.ts';
import { type BucketSize, TokenBucket } from './token-bucket.ts';

/** One network's use. */
export interface NetworkUse {
  /** In use now; whoever counts up counts down. */
  count: number;
  readonly rate: TokenBucket;
}

/** Forgetting looks at all that are known, which takes some milliseconds. */
const forgetMs = 1000;

/** Networks that were seen of late, at most networkCountMax of them. */
export class Networks {
  private readonly size: BucketSize;
  private readonly nameOf: (address: string) => string;
  private forgottenAtMs = Number.NEGATIVE_INFINITY;
  private readonly known = new Map<string, NetworkUse>();

  /** `nameOf` says which addresses count as one network. */
  constructor(size: BucketSize, nameOf = networkOf) {
    this.size = size;
    this.nameOf = nameOf;
  }

  /** Returns the use of an address's network; undefined when no more can be remembered, since all that are known use something. */
  of(address: string, nowMs: number): NetworkUse | undefined {
    const name = this.nameOf(address);
    const known = this.known.get(name);
    if (known !== undefined) return known;
    if (this.known.size >= networkCountMax) this.forget(nowMs);
    if (this.known.size >= networkCountMax) return undefined;
    const use = { count: 0, rate: new TokenBucket(this.size, nowMs) };
    this.known.set(name, use);
    return use;
  }

  private forget(nowMs: number): void {
    if (nowMs - this.forgottenAtMs < forgetMs) return;
    this.forgottenAtMs = nowMs;
    for (const [other, { count, rate }] of this.known)
      if (count === 0 && rate.isFull(nowMs)) this.known.delete(other);
  }
}
