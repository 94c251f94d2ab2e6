/**
 * `tombola token --data DIR --scope SCOPE`: an access token, signed with the keys of a coordinator's data directory; and
 * `tombola token revoke ID --data DIR`: the end of one.
 */
import {
  issueToken,
  revokeTokens,
  type TokenKeys,
  tokenIdOf,
  tokenScopes,
} from '../../../coordinator/tokens.ts';
import { misuse } from '../../core/errors.ts';
import type { CommandContext, Outcome } from '../command-context.ts';
import type { RawOptions } from '../option-table.ts';
import { type NumberRule, numberOption } from '../option-values.ts';
import { engineOptionsOf } from '../remote/engine-options.ts';
import { changeSharedKeys } from '../remote/shared-token-keys.ts';
import { firstKeys, rotatedKeys } from '../remote/stored-keys.ts';
import { makeTokenKeys, revokeTokensOf, rotateTokenKeys } from '../remote/token-keys-file.ts';

const ttlHoursDefault = 168;
const hourMs = 3_600_000;
const hours: NumberRule = {
  wanted: 'a number of hours above 0 and at most 87600, ten years',
  accepts: (value) => value > 0 && value <= 87_600,
};

/** Prints the token, alone on stdout. */
export async function tokenCommand(raw: RawOptions, context: CommandContext): Promise<Outcome> {
  const place = placeOf(raw, 'make a token');
  const isRotation = raw.get('rotate') === 'true';
  const scopeText = raw.get('scope');
  const scope = tokenScopes.find((known) => known === scopeText);
  if (scope === undefined && !(scopeText === undefined && isRotation))
    throw misuse(
      `Cannot make a token${scopeText === undefined ? ' without a scope' : ` of scope ${JSON.stringify(scopeText)}`}: expected --scope ${tokenScopes.join(' | ')}`,
    );
  const ttlMs = (numberOption(raw, 'ttl-hours', hours) ?? ttlHoursDefault) * hourMs;
  const keys = await (isRotation ? place.rotate() : place.make());
  if (scope === undefined) {
    context.note('The key is rotated: tokens of the last one are good for one more day.');
    return 0;
  }
  const now = Date.now();
  const id = raw.get('id');
  const token = issueToken(keys, { scope, ttlMs, ...(id === undefined ? {} : { id }) }, now);
  const expires = new Date(now + ttlMs).toISOString();
  const name = tokenIdOf(token);
  context.note(`Scope ${scope}, id ${name}, until ${expires}. Give it with TOMBOLA_TOKEN or --token-file.`);
  context.print(context.isJson ? JSON.stringify({ token, scope, id: name, expires }) : token);
  return 0;
}

/** Ends a token, named by its id or given whole. */
export async function revokeCommand(
  token: string,
  raw: RawOptions,
  context: CommandContext,
): Promise<Outcome> {
  const place = placeOf(raw, 'revoke a token');
  const id = tokenIdOf(token);
  await place.revoke(id);
  const unseen = /^[0-9a-f]{24}$/.test(id)
    ? ''
    : ' No list of tokens is kept, so check it: an id has 24 digits from 0 to f, as tombola token prints it, unless --id chose another.';
  context.note(
    `Revoked: a coordinator that runs refuses tokens with the id ${id} within three seconds.${unseen}`,
  );
  if (context.isJson) context.print(JSON.stringify({ revoked: id }));
  return 0;
}

/** Where keys are kept. */
interface KeysPlace {
  /** Returns the keys, which are made if there are none. */
  make(): Promise<TokenKeys>;
  rotate(): Promise<TokenKeys>;
  /** Ends all tokens with this id. */
  revoke(id: string): Promise<unknown>;
}

function placeOf(raw: RawOptions, action: string): KeysPlace {
  const directory = raw.get('data');
  if (directory !== undefined)
    return {
      make: async () => makeTokenKeys(directory),
      rotate: async () => rotateTokenKeys(directory),
      revoke: async (id) => revokeTokensOf(directory, id),
    };
  const engine = engineOptionsOf(raw);
  if (engine === undefined)
    throw misuse(
      `Cannot ${action} without keys: name the coordinator's --data DIR, or the --engine URL that several share`,
    );
  return {
    make: () => changeSharedKeys(engine, (keys = firstKeys()) => keys),
    rotate: () => changeSharedKeys(engine, (keys = firstKeys()) => rotatedKeys(keys)),
    revoke: (id) =>
      changeSharedKeys(engine, (keys) => {
        if (keys !== undefined) return { ...revokeTokens(keys, id), rotatedAtMs: keys.rotatedAtMs };
        throw misuse(
          'Cannot revoke a token: the engine has no keys, expected the one that coordinators share',
        );
      }),
  };
}
