import { describe, expect, it } from 'vitest';
import {
  checkToken,
  isAllowed,
  isLeaseToken,
  issueToken,
  leaseToken,
  newTokenKey,
  revokeTokens,
  rotateKeys,
  type TokenAction,
  type TokenKeys,
  tokenIdOf,
  tokenScopes,
} from '../../coordinator/tokens.ts';
import { accessTokenLengthMax, revokedTokensMax } from '../../src/core/limits.ts';

const keys: TokenKeys = { current: { id: 'k1', secret: new Uint8Array(32).fill(1) }, previous: null };
const now = 1_800_000_000_000;
const hour = 3_600_000;

describe('an access token', () => {
  it('stands for its scope and its bearer until it expires', () => {
    for (const scope of tokenScopes) {
      const token = issueToken(keys, { scope, id: 'someone-1', ttlMs: hour }, now);
      expect(checkToken(keys, token, now)).toEqual({ scope, id: 'someone-1' });
      expect(checkToken(keys, token, now + hour - 1)).toEqual({ scope, id: 'someone-1' });
      expect(checkToken(keys, token, now + hour)).toBeNull();
    }
  });

  it('has a bearer of its own if none was named, and fits a header, a URL and a hello', () => {
    const tokens = [1, 2].map(() => issueToken(keys, { scope: 'volunteer', ttlMs: hour }, now));
    expect(checkToken(keys, tokens[0] ?? '', now)?.id).not.toBe(checkToken(keys, tokens[1] ?? '', now)?.id);
    const longest = issueToken(keys, { scope: 'volunteer', id: 'x'.repeat(64), ttlMs: hour }, now);
    for (const token of [...tokens, longest]) expect(token).toMatch(/^[A-Za-z0-9._-]+$/);
    expect(longest.length).toBeLessThanOrEqual(accessTokenLengthMax);
  });

  it('is worth nothing with any character changed, left out or doubled', () => {
    const token = issueToken(keys, { scope: 'read', id: 'someone', ttlMs: hour }, now);
    for (let at = 0; at < token.length; at++) {
      for (const other of ['A', 'Z', '0', '9', '.', '_', '='])
        if (token[at] !== other)
          expect(checkToken(keys, token.slice(0, at) + other + token.slice(at + 1), now)).toBeNull();
      expect(checkToken(keys, token.slice(0, at) + token.slice(at + 1), now)).toBeNull();
      expect(checkToken(keys, token.slice(0, at) + (token[at] ?? '') + token.slice(at), now)).toBeNull();
      expect(checkToken(keys, token.slice(0, at), now)).toBeNull();
    }
  });

  it('is worth nothing raised to another scope, prolonged, or handed to somebody else', () => {
    const [, keyId, expiry, id, mac] = issueToken(keys, { scope: 'read', id: 'a', ttlMs: hour }, now).split(
      '.',
    );
    expect(checkToken(keys, `admin.${keyId}.${expiry}.${id}.${mac}`, now)).toBeNull();
    expect(checkToken(keys, `read.${keyId}.${Number(expiry) + 1}.${id}.${mac}`, now)).toBeNull();
    expect(checkToken(keys, `read.${keyId}.0${expiry}.${id}.${mac}`, now)).toBeNull();
    expect(checkToken(keys, `read.${keyId}.${expiry}.b.${mac}`, now)).toBeNull();
    expect(checkToken(keys, `read.${keyId}.${expiry}.${id}.${mac}`, now)).not.toBeNull();
  });

  it.each([
    '',
    '.',
    '....',
    'admin',
    'admin.k1',
    'admin.k1..a.',
    `admin.k1.${now + 1}.a.`,
    'x'.repeat(10_000),
    '.'.repeat(10_000),
  ])('is not %j', (text) => {
    expect(checkToken(keys, text, now)).toBeNull();
  });

  it('is worth nothing once its id is revoked, until two rotations have ended it anyway', () => {
    const leaked = issueToken(keys, { scope: 'worker', id: 'leaked', ttlMs: hour }, now);
    const other = issueToken(keys, { scope: 'worker', id: 'other', ttlMs: hour }, now);
    const revoked = revokeTokens(revokeTokens(keys, 'leaked'), tokenIdOf(leaked));
    expect(checkToken(revoked, leaked, now)).toBeNull();
    expect(checkToken(revoked, other, now)).not.toBeNull();
    const once = rotateKeys(revoked, newTokenKey());
    expect(checkToken(once, leaked, now)).toBeNull();
    expect(checkToken(once, other, now)).not.toBeNull();
    expect(rotateKeys(once, newTokenKey()).revoked?.size).toBe(0);
  });

  it('cannot be revoked by what is no id, nor without end', () => {
    for (const id of ['', 'a b', 'a.b', 'x'.repeat(65)])
      expect(() => revokeTokens(keys, id)).toThrow(/^Cannot/);
    let many = keys;
    for (let k = 0; k < revokedTokensMax; k++) many = revokeTokens(many, `t${k}`);
    expect(() => revokeTokens(many, 'one-more')).toThrow(/rotate the key twice/);
    expect(revokeTokens(many, 't0').revoked?.size).toBe(revokedTokensMax);
  });

  it('of other keys with the same name is worth nothing', () => {
    const others: TokenKeys = { current: { id: 'k1', secret: new Uint8Array(32).fill(2) }, previous: null };
    expect(checkToken(keys, issueToken(others, { scope: 'admin', ttlMs: hour }, now), now)).toBeNull();
  });

  it('outlives one rotation of the keys and not two', () => {
    const old = issueToken(keys, { scope: 'submit', id: 'a', ttlMs: hour }, now);
    const once = rotateKeys(keys, newTokenKey());
    const between = issueToken(once, { scope: 'read', id: 'b', ttlMs: hour }, now);
    expect(checkToken(once, old, now)).toEqual({ scope: 'submit', id: 'a' });
    expect(checkToken({ ...once, previous: null }, old, now)).toBeNull();
    const twice = rotateKeys(once, newTokenKey());
    expect(checkToken(twice, old, now)).toBeNull();
    expect(checkToken(twice, between, now)).toEqual({ scope: 'read', id: 'b' });
    expect(checkToken(keys, between, now)).toBeNull();
  });

  it('is not issued for a name that would break it, for no time, or with a key that anybody could guess', () => {
    for (const id of ['', 'a.b', 'a b', 'ä', 'x'.repeat(65)])
      expect(() => issueToken(keys, { scope: 'read', id, ttlMs: hour }, now)).toThrow(/expected 1 to 64/);
    for (const ttlMs of [0, -1, Number.NaN, Number.POSITIVE_INFINITY])
      expect(() => issueToken(keys, { scope: 'read', ttlMs }, now)).toThrow(/positive/);
    const weak: TokenKeys = { current: { id: 'k', secret: new Uint8Array(0) }, previous: null };
    expect(() => issueToken(weak, { scope: 'read', ttlMs: hour }, now)).toThrow(/key of 0 bytes/);
  });
});

describe('a scope', () => {
  it.each<[TokenAction, string]>([
    ['administer', 'admin'],
    ['submit', 'admin submit'],
    ['cancel', 'admin submit'],
    ['fetch', 'admin submit'],
    ['read', 'admin submit read'],
    ['work', 'admin worker volunteer'],
  ])('allows to %s: %s', (action, scopes) => {
    expect(tokenScopes.filter((scope) => isAllowed(scope, action)).join(' ')).toBe(scopes);
  });
});

describe('a lease token', () => {
  const key = new Uint8Array(32).fill(3);
  const claim = { job: 'job-1', tile: 'ab'.repeat(32), worker: 'w' };
  const token = leaseToken(key, { ...claim, attempt: 2, expiryMs: now + hour });

  it('proves its claim until it expires, in 28 bytes', () => {
    expect(token.length).toBe(28);
    expect(isLeaseToken(key, token, claim, now)).toBe(true);
    expect(isLeaseToken(key, token, claim, now + hour - 1)).toBe(true);
    expect(isLeaseToken(key, token, claim, now + hour)).toBe(false);
  });

  it('proves no other claim', () => {
    for (const other of [{ job: 'job-2' }, { tile: 'cd'.repeat(32) }, { worker: 'v' }, { job: 'job-1","a' }])
      expect(isLeaseToken(key, token, { ...claim, ...other }, now)).toBe(false);
    expect(isLeaseToken(new Uint8Array(32), token, claim, now)).toBe(false);
  });

  it('proves nothing with any bit turned or any byte missing or added', () => {
    for (let bit = 0; bit < 8 * token.length; bit++) {
      const forged = token.with(bit >> 3, (token[bit >> 3] ?? 0) ^ (1 << (bit & 7)));
      expect(isLeaseToken(key, forged, claim, now)).toBe(false);
    }
    for (const forged of [
      new Uint8Array(0),
      token.slice(1),
      Uint8Array.of(...token, 0),
      new Uint8Array(28).fill(255),
    ])
      expect(isLeaseToken(key, forged, claim, now)).toBe(false);
  });

  it('is no access token of the same key', () => {
    const access = issueToken(
      { current: { id: 'k', secret: key }, previous: null },
      { scope: 'admin', ttlMs: 1 },
      now,
    );
    const mac = Buffer.from(access.split('.')[4] ?? '', 'base64url');
    expect(isLeaseToken(key, Uint8Array.of(...token.slice(0, 12), ...mac.subarray(0, 16)), claim, now)).toBe(
      false,
    );
  });
});
