/**
 * How strangers become volunteers: `POST /join` gives a token of their own to whoever asks, good for a day. With it one may solve
 * tiles, under a volunteer's small limits, and see how far the search is, and nothing else. What a network may ask for is limited,
 * since a fresh token is a fresh name without a past.
 */
import { issueToken, type TokenKeys } from '../tokens.ts';
import { isLoopback, siteOf } from './network-of.ts';
import { Networks } from './networks.ts';
import { TokenBucket } from './token-bucket.ts';

/** A volunteer's token. */
export interface Joined {
  readonly token: string;
  /** Milliseconds from now until it is no longer good. */
  readonly ttlMs: number;
}

/** Gives tokens to volunteers. */
export interface Join {
  /** Returns a token, or in how many seconds to ask again. */
  mint(address: string, nowMs: number): Joined | { readonly retrySeconds: number };
}

const ttlMs = 86_400_000;
/** A school behind one address may start at once; then one may join every ten seconds. */
const perNetwork = { perSecond: 0.1, burst: 40 };
/** Whoever has an IPv6 /48 has 65 536 networks in it. */
const perSite = { perSecond: 1, burst: 200 };
/** All together; those on this machine too, behind which a proxy may hide the world. */
const altogether = { perSecond: 20, burst: 400 };

/** Returns how to join with tokens signed by the keys. */
export function openJoin(keys: TokenKeys, nowMs: number): Join {
  const all = new TokenBucket(altogether, nowMs);
  const networks = new Networks(perNetwork);
  const sites = new Networks(perSite, siteOf);
  return {
    mint: (address, now) => {
      // The wider one first: whom it refuses is not remembered, and the table of networks stays small.
      if (!all.has(1, now)) return { retrySeconds: 1 };
      if (!isLoopback(address)) {
        const site = sites.of(address, now);
        if (site?.rate.has(1, now) !== true) return { retrySeconds: 1 / perSite.perSecond };
        if (networks.of(address, now)?.rate.take(1, now) !== true)
          return { retrySeconds: 1 / perNetwork.perSecond };
        site.rate.take(1, now);
      }
      all.take(1, now);
      return { token: issueToken(keys, { scope: 'volunteer', ttlMs }, Date.now()), ttlMs };
    },
  };
}
