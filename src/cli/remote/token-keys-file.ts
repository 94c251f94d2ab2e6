/**
 * The keys of a coordinator's access tokens in its data directory: keys.json, as stored-keys.ts has it, for its owner alone (mode
 * 0600). A coordinator that runs looks at the file every second, so neither a rotation nor a revocation needs a restart.
 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fchownSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { revokeTokens, type TokenKeys } from '../../../coordinator/tokens.ts';
import { failure, misuse, TombolaError } from '../../core/errors.ts';
import { makeFolder } from '../make-folder.ts';
import { systemErrorCode } from '../read-input-file.ts';
import { quote } from '../report/command-line.ts';
import {
  firstKeys,
  followingKeys,
  keysTextOf,
  readKeysText,
  rotatedKeys,
  type StoredKeys,
  validKeys,
} from './stored-keys.ts';

const keysFileName = 'keys.json';
/** A coordinator looks at the file at most so often. */
const lookMs = 1000;

/**
 * Returns the keys of a directory as they are now, or undefined where it has none.
 * @throws TombolaError (misuse) when others may read the file, (failure) when it is damaged.
 */
export function readTokenKeys(directory: string): TokenKeys | undefined {
  const file = readKeysFile(directory);
  return file && validKeys(file);
}

function readKeysFile(directory: string): StoredKeys | undefined {
  const path = join(directory, keysFileName);
  try {
    const { mode } = statSync(path);
    if (process.platform !== 'win32' && (mode & 0o077) !== 0)
      throw misuse(
        `Cannot use ${path}: others may read it (mode ${(mode & 0o777).toString(8)}), expected 600; run chmod 600, and rotate the keys with: npx tombola token --rotate --data ${quote(directory)}`,
      );
    return readKeysText(readFileSync(path, 'utf8'));
  } catch (cause) {
    if (cause instanceof TombolaError) throw cause;
    const code = systemErrorCode(cause);
    if (code === 'ENOENT') return undefined;
    throw failure(
      `Cannot read ${path}: ${code ?? 'it is damaged'}, expected the keys that tombola token makes; restore it, or delete it, which ends all tokens`,
      cause,
    );
  }
}

/** Returns the keys of a directory, which are made if there are none. */
export function makeTokenKeys(directory: string): TokenKeys {
  const known = readTokenKeys(directory);
  if (known !== undefined) return known;
  const fresh = firstKeys();
  write(directory, fresh, (partial, path) => {
    try {
      // A link, since it does not replace what another process has made meanwhile.
      linkSync(partial, path);
    } catch (cause) {
      if (systemErrorCode(cause) !== 'EEXIST') throw cause;
    }
    rmSync(partial);
  });
  return readTokenKeys(directory) ?? fresh;
}

/** Makes a new key the current one; tokens of the last one are good for a day. */
export function rotateTokenKeys(directory: string): TokenKeys {
  const rotated = rotatedKeys(makeTokenKeys(directory));
  write(directory, rotated, renameSync);
  return rotated;
}

/**
 * Ends all tokens with this id, from the moment at which the coordinator looks at the file.
 * @throws TombolaError (misuse) when the directory has no keys, or the id is none.
 */
export function revokeTokensOf(directory: string, id: string): void {
  const file = readKeysFile(directory);
  if (file === undefined)
    throw misuse(
      `Cannot revoke a token: ${directory} has no keys, expected the coordinator's --data DIR or --engine URL`,
    );
  write(directory, { ...revokeTokens(file, id), rotatedAtMs: file.rotatedAtMs }, renameSync);
  // Another process may have published what it had read before.
  if (readKeysFile(directory)?.revoked?.has(id) !== true)
    throw failure(`Cannot revoke the token: another process changed the keys just now; do it again`);
}

/**
 * Returns the keys of a directory, which are made first if they have to be there, or null where there are none. They follow the file;
 * where it cannot be read any more, they stay as they were and `onTrouble` is told why.
 */
export function followTokenKeys(
  directory: string,
  { isNeeded, onTrouble }: { readonly isNeeded: boolean; readonly onTrouble: (reason: string) => void },
): TokenKeys | null {
  const first = isNeeded ? makeTokenKeys(directory) : readTokenKeys(directory);
  if (first === undefined) return null;
  let keys = first;
  let lookedAt = performance.now();
  return followingKeys(() => {
    if (performance.now() - lookedAt < lookMs) return keys;
    lookedAt = performance.now();
    try {
      keys = readTokenKeys(directory) ?? keys;
    } catch (error) {
      if (!(error instanceof TombolaError)) throw error;
      onTrouble(error.message);
    }
    return keys;
  });
}

function write(directory: string, keys: StoredKeys, publish: (partial: string, path: string) => void): void {
  const path = join(directory, keysFileName);
  const partial = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    makeFolder(directory, 0o700);
    const file = openSync(partial, 'wx', 0o600);
    try {
      writeSync(file, keysTextOf(keys));
      // Made by root (sudo tombola token …) it is still the coordinator's, whose directory this is.
      if (process.getuid?.() === 0) {
        const { uid, gid } = statSync(directory);
        fchownSync(file, uid, gid);
      }
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    publish(partial, path);
  } catch (cause) {
    const code = systemErrorCode(cause);
    if (code === undefined) throw cause;
    throw failure(`Cannot write ${path}: ${code}, expected a directory that can be written to`, cause);
  }
}
