/**
 * The keys that sign access tokens, as they are kept: in a file (token-keys-file.ts) or in the engine (shared-token-keys.ts).
 *
 *   {"current": {"id", "secret"}, "previous": {"id", "secret"} | null, "rotatedAtMs": number, "revoked": [{"id", "key"}…]}
 *
 * Secrets are base64url. `revoked` has the ids of tokens and of the key that was current then; a text without it is an older one.
 * `previous` counts for a day after the rotation.
 */
import { z } from 'zod';
import { newTokenKey, rotateKeys, type TokenKey, type TokenKeys } from '../../../coordinator/tokens.ts';

/** What is kept; `previous` also when its day is over. */
export interface StoredKeys extends TokenKeys {
  readonly rotatedAtMs: number;
}

const keySchema = z.strictObject({
  id: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/),
  secret: z.string().regex(/^[A-Za-z0-9_-]{43,}$/),
});
const textSchema = z.strictObject({
  current: keySchema,
  previous: keySchema.nullable(),
  rotatedAtMs: z.number(),
  revoked: z.array(z.strictObject({ id: keySchema.shape.id, key: keySchema.shape.id })).default([]),
});

/** Tokens of the previous key are accepted for so long after a rotation. */
const graceMs = 24 * 3600 * 1000;

/** Returns the keys of a text. Throws whatever is wrong with one that is damaged. */
export function readKeysText(text: string): StoredKeys {
  const { current, previous, rotatedAtMs, revoked } = textSchema.parse(JSON.parse(text));
  return {
    current: keyOf(current),
    previous: previous === null ? null : keyOf(previous),
    rotatedAtMs,
    revoked: new Map(revoked.map(({ id, key }) => [id, key])),
  };
}

/** Returns the text of keys. */
export function keysTextOf({ current, previous, rotatedAtMs, revoked = new Map() }: StoredKeys): string {
  const described = ({ id, secret }: TokenKey) => ({
    id,
    secret: Buffer.from(secret).toString('base64url'),
  });
  const text = JSON.stringify({
    current: described(current),
    previous: previous === null ? null : described(previous),
    rotatedAtMs,
    revoked: [...revoked].map(([id, key]) => ({ id, key })),
  });
  return `${text}\n`;
}

/** Returns the keys that are valid now. */
export function validKeys({ rotatedAtMs, previous, ...keys }: StoredKeys): TokenKeys {
  return { ...keys, previous: Date.now() < rotatedAtMs + graceMs ? previous : null };
}

/** Returns the first keys, new. */
export function firstKeys(): StoredKeys {
  return { current: newTokenKey(), previous: null, rotatedAtMs: Date.now() };
}

/** Returns the keys with a new current one; tokens of the last one are good for a day. */
export function rotatedKeys(keys: TokenKeys): StoredKeys {
  return { ...rotateKeys(keys, newTokenKey()), rotatedAtMs: Date.now() };
}

/** Returns keys that are at any time what `look` returns. */
export function followingKeys(look: () => TokenKeys): TokenKeys {
  return {
    get current() {
      return look().current;
    },
    get previous() {
      return look().previous;
    },
    get revoked() {
      return look().revoked ?? new Map();
    },
  };
}

function keyOf({ id, secret }: z.infer<typeof keySchema>): TokenKey {
  return { id, secret: new Uint8Array(Buffer.from(secret, 'base64url')) };
}
