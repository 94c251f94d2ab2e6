/**
 * Tokens: HMAC-SHA256 over what they claim, so that any coordinator with the keys can check them and nobody has to keep them.
 *
 * Access token, text:   scope.keyId.expiry.id.mac
 *   expiry   milliseconds since 1970, decimal; the first moment at which the token is no longer valid
 *   id       names the bearer in logs and bans and as the owner of jobs: 24 random hexadecimal digits unless something else was asked for
 *   mac      base64url of HMAC(secret of keyId, "tombola access 1\n" + the token up to the last dot)
 * Lease token, 28 bytes:   expiry (float64, little-endian), attempt (uint32, little-endian), then the first 16 bytes of
 *   HMAC(key, "tombola lease 1\n" + JSON of [job, tile, attempt, worker, expiry])
 *
 * Two keys are valid at a time. Rotation makes a new one current and keeps the last one for tokens already out; a second rotation,
 * or dropping `previous`, ends these. A token that is known to others is revoked by its id, which ends all tokens with that id; the
 * revocation is kept until a second rotation has ended them anyway. Scopes do not contain each other but for `admin`; {@link isAllowed} is the whole table.
 */
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { misuse } from '../src/core/errors.ts';
import { accessTokenLengthMax, revokedTokensMax } from '../src/core/limits.ts';

/** What a token is for: `volunteer` works like `worker`, with small limits, and is believed nothing. */
export type TokenScope = 'admin' | 'submit' | 'worker' | 'volunteer' | 'read';

/** What needs a scope: keys and bans; jobs; their tickets; status and metrics; how far the search is; leases. */
export type TokenAction = 'administer' | 'submit' | 'cancel' | 'fetch' | 'read' | 'watch' | 'work';

/** A signing key. */
export interface TokenKey {
  /** Names the key in tokens: letters, digits, - and _. */
  readonly id: string;
  /** At least 32 bytes. */
  readonly secret: Uint8Array;
}

/** The keys that are valid. */
export interface TokenKeys {
  /** Signs new tokens. */
  readonly current: TokenKey;
  /** Still accepted. */
  readonly previous: TokenKey | null;
  /** Ids of tokens that are accepted no more, each with the id of the key that was current when it was revoked. */
  readonly revoked?: ReadonlyMap<string, string>;
}

/** What a lease token proves: this worker was granted this tile. */
export interface LeaseClaim {
  readonly job: string;
  readonly tile: string;
  readonly worker: string;
}

/** What else a lease token says. */
interface LeaseTerms {
  readonly attempt: number;
  readonly expiryMs: number;
}

const actionsOfScope: Readonly<Record<TokenScope, readonly TokenAction[]>> = {
  admin: ['administer', 'submit', 'cancel', 'fetch', 'read', 'watch', 'work'],
  submit: ['submit', 'cancel', 'fetch', 'read', 'watch'],
  worker: ['work'],
  volunteer: ['watch', 'work'],
  read: ['read', 'watch'],
};

/** All scopes, for help texts and checks. */
export const tokenScopes: readonly TokenScope[] = ['admin', 'submit', 'worker', 'volunteer', 'read'];

const idPattern = /^[A-Za-z0-9_-]{1,64}$/;
const secretBytesMin = 32;
const leaseMacBytes = 16;
const leaseTermsBytes = 12;
const leaseTokenBytes = leaseTermsBytes + leaseMacBytes;

/** Returns whether a bearer of the scope may do this. */
export function isAllowed(scope: TokenScope, action: TokenAction): boolean {
  return actionsOfScope[scope].includes(action);
}

/** Returns a fresh random key. */
export function newTokenKey(): TokenKey {
  return { id: randomBytes(6).toString('base64url'), secret: new Uint8Array(randomBytes(secretBytesMin)) };
}

/** Returns the keys after a rotation: `fresh` signs from now on, the current key is still accepted, the one before is not. */
export function rotateKeys({ current, revoked = new Map() }: TokenKeys, fresh: TokenKey): TokenKeys {
  return {
    current: fresh,
    previous: current,
    revoked: new Map([...revoked].filter(([_, key]) => key === current.id)),
  };
}

/**
 * Returns the keys under which tokens of this id are accepted no more.
 * @throws TombolaError (misuse) when there is no such id, or too many are revoked.
 */
export function revokeTokens({ current, previous, revoked = new Map() }: TokenKeys, id: string): TokenKeys {
  if (!idPattern.test(id))
    throw misuse(
      `Cannot revoke "${id.slice(0, 100)}": expected a token's id, 1 to 64 letters, digits, - or _`,
    );
  if (revoked.size >= revokedTokensMax && !revoked.has(id))
    throw misuse(
      `Cannot revoke another token: ${revoked.size} are revoked, expected fewer; rotate the key twice, which ends all tokens`,
    );
  return { current, previous, revoked: new Map([...revoked, [id, current.id]]) };
}

/**
 * Returns an access token signed with the current key.
 * @throws TombolaError (misuse) when the id is not 1 to 64 letters, digits, - or _, or the time to live is not positive.
 */
export function issueToken(
  keys: TokenKeys,
  { scope, id, ttlMs }: { readonly scope: TokenScope; readonly id?: string; readonly ttlMs: number },
  nowMs: number,
): string {
  const name = id ?? randomBytes(12).toString('hex');
  if (!idPattern.test(name))
    throw misuse(`Cannot issue a token for "${name}": expected 1 to 64 letters, digits, - or _`);
  const expiry = Math.floor(nowMs + ttlMs);
  if (!(ttlMs > 0 && Number.isSafeInteger(expiry)))
    throw misuse(`Cannot issue a token for ${ttlMs} ms: expected a positive time to live`);
  const claim = `${scope}.${keys.current.id}.${expiry}.${name}`;
  return `${claim}.${accessMac(keys.current, claim)}`;
}

/** Returns the id in an access token; what is no token is taken for an id. */
export function tokenIdOf(token: string): string {
  const parts = token.split('.');
  return parts.length === 5 ? (parts[3] ?? '') : token;
}

/**
 * Returns what an access token stands for, or null if it was not signed with a valid key, has expired or was revoked. Takes the same time for
 * every wrong mac.
 */
export function checkToken(
  keys: TokenKeys,
  token: string,
  nowMs: number,
): { readonly scope: TokenScope; readonly id: string } | null {
  if (token.length > accessTokenLengthMax) return null;
  const parts = token.split('.');
  const [scopeText = '', keyId, expiry = '', id = '', mac = ''] = parts;
  const key = [keys.current, keys.previous].find((each) => each !== null && each.id === keyId);
  if (parts.length !== 5 || key === undefined || key === null) return null;
  if (!isSame(mac, accessMac(key, parts.slice(0, 4).join('.')))) return null;
  if (keys.revoked?.has(id) === true) return null;
  const scope = tokenScopes.find((each) => each === scopeText);
  return scope !== undefined && nowMs < Number(expiry) ? { scope, id } : null;
}

/** Returns the token of the `attempt`th lease of a tile, which ends at `expiryMs`. */
export function leaseToken(
  key: Uint8Array,
  { attempt, expiryMs, ...claim }: LeaseClaim & LeaseTerms,
): Uint8Array {
  const token = new Uint8Array(leaseTokenBytes);
  const view = new DataView(token.buffer);
  view.setFloat64(0, expiryMs, true);
  view.setUint32(8, attempt, true);
  token.set(leaseMac(key, claim, { attempt, expiryMs }), leaseTermsBytes);
  return token;
}

/** Returns whether a token was made with the key for this very claim, and has not expired. Takes the same time for every wrong one. */
export function isLeaseToken(key: Uint8Array, token: Uint8Array, claim: LeaseClaim, nowMs: number): boolean {
  if (token.length !== leaseTokenBytes) return false;
  const view = new DataView(token.buffer, token.byteOffset, token.byteLength);
  const terms = { expiryMs: view.getFloat64(0, true), attempt: view.getUint32(8, true) };
  return (
    timingSafeEqual(token.subarray(leaseTermsBytes), leaseMac(key, claim, terms)) && nowMs < terms.expiryMs
  );
}

function accessMac({ secret }: TokenKey, claim: string): string {
  return createHmac('sha256', longEnough(secret)).update(`tombola access 1\n${claim}`).digest('base64url');
}

function leaseMac(
  key: Uint8Array,
  { job, tile, worker }: LeaseClaim,
  { attempt, expiryMs }: LeaseTerms,
): Uint8Array {
  const claim = JSON.stringify([job, tile, attempt, worker, expiryMs]);
  const mac = createHmac('sha256', longEnough(key)).update(`tombola lease 1\n${claim}`).digest();
  return mac.subarray(0, leaseMacBytes);
}

/** An empty key would sign for everybody; that has to be a bug of ours, since keys come from a file that is checked. */
function longEnough(secret: Uint8Array): Uint8Array {
  if (secret.length < secretBytesMin)
    throw new Error(`a key of ${secret.length} bytes, at least ${secretBytesMin}`);
  return secret;
}

/** Compares digests: timingSafeEqual wants equal lengths. */
function isSame(left: string, right: string): boolean {
  return timingSafeEqual(
    createHash('sha256').update(left).digest(),
    createHash('sha256').update(right).digest(),
  );
}
