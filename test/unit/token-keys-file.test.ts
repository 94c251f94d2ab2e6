/** Keys of tokens in a coordinator's data directory. */
import {
  chmodSync,
  chownSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkToken, issueToken, tokenIdOf } from '../../coordinator/tokens.ts';
import {
  makeTokenKeys,
  readTokenKeys,
  revokeTokensOf,
  rotateTokenKeys,
} from '../../src/cli/remote/token-keys-file.ts';

let directory = '';
const path = (): string => join(directory, 'keys.json');
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tombola-keys-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const now = Date.now();
const isGood = (token: string): boolean => {
  const keys = readTokenKeys(directory);
  return keys !== undefined && checkToken(keys, token, now) !== null;
};
const issue = (keys: ReturnType<typeof makeTokenKeys>): string =>
  issueToken(keys, { scope: 'read', ttlMs: 60_000 }, now);

test('keys are made once, for their owner alone, and leave nothing else behind', () => {
  expect(readTokenKeys(directory)).toBeUndefined();
  const token = issue(makeTokenKeys(directory));
  expect(issue(makeTokenKeys(directory)).split('.')[1]).toBe(token.split('.')[1]);
  expect(isGood(token)).toBe(true);
  expect(statSync(path()).mode & 0o777).toBe(0o600);
  expect(readdirSync(directory)).toEqual(['keys.json']);
});

test.skipIf(process.getuid?.() !== 0)(
  'keys that root makes or changes are their coordinator’s all the same',
  () => {
    const nobody = 65_534;
    chownSync(directory, nobody, nobody);
    for (const change of [makeTokenKeys, rotateTokenKeys]) {
      change(directory);
      const { uid, gid } = statSync(path());
      expect([uid, gid]).toEqual([nobody, nobody]);
    }
  },
);

test('a token outlives one rotation and not two', () => {
  const token = issue(makeTokenKeys(directory));
  rotateTokenKeys(directory);
  expect(isGood(token)).toBe(true);
  rotateTokenKeys(directory);
  expect(isGood(token)).toBe(false);
  expect(readdirSync(directory)).toEqual(['keys.json']);
});

test('the previous key ends a day after the rotation', () => {
  const token = issue(makeTokenKeys(directory));
  rotateTokenKeys(directory);
  const file = JSON.parse(readFileSync(path(), 'utf8'));
  const dayMs = 24 * 3600 * 1000;
  writeFileSync(path(), JSON.stringify({ ...file, rotatedAtMs: Date.now() - dayMs + 60_000 }));
  expect(isGood(token)).toBe(true);
  writeFileSync(path(), JSON.stringify({ ...file, rotatedAtMs: Date.now() - dayMs }));
  expect(isGood(token)).toBe(false);
});

test('keys that others may read, and damaged ones, are refused', () => {
  makeTokenKeys(directory);
  const text = readFileSync(path(), 'utf8');
  chmodSync(path(), 0o640);
  expect(() => readTokenKeys(directory)).toThrow(
    /mode 640\), expected 600; .* token --rotate --data \S*tombola-keys-/,
  );
  chmodSync(path(), 0o600);
  for (const damaged of ['', '{}', text.slice(0, -3), text.replace(/"secret":"[^"]*"/, '"secret":""')]) {
    writeFileSync(path(), damaged);
    expect(() => makeTokenKeys(directory)).toThrow(/Cannot read .*keys\.json: it is damaged/);
    expect(readFileSync(path(), 'utf8')).toBe(damaged);
  }
});

test('a token is revoked by its id, through a rotation, and no day of grace is prolonged', () => {
  const [leaked, other] = [issue(makeTokenKeys(directory)), issue(makeTokenKeys(directory))];
  rotateTokenKeys(directory);
  const { rotatedAtMs } = JSON.parse(readFileSync(path(), 'utf8'));
  revokeTokensOf(directory, tokenIdOf(leaked));
  expect(isGood(leaked)).toBe(false);
  expect(isGood(other)).toBe(true);
  expect(JSON.parse(readFileSync(path(), 'utf8')).rotatedAtMs).toBe(rotatedAtMs);
  rotateTokenKeys(directory);
  expect([isGood(leaked), isGood(other)]).toEqual([false, false]);
  expect(statSync(path()).mode & 0o777).toBe(0o600);
  expect(readdirSync(directory)).toEqual(['keys.json']);
});

test('a file from before revocations is read, and nothing is revoked where there are no keys', () => {
  expect(() => revokeTokensOf(directory, 'id')).toThrow(/Cannot revoke a token: .* has no keys/);
  const token = issue(makeTokenKeys(directory));
  const { revoked: _, ...old } = JSON.parse(readFileSync(path(), 'utf8'));
  writeFileSync(path(), JSON.stringify(old));
  expect(isGood(token)).toBe(true);
});
