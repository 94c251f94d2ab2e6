/**
 * Names of ours as tokens of NATS subjects, keys and objects: letters, digits, `-` and `_` stay, any other character becomes `=` and
 * its code in two hexadecimal digits, so that no name has a dot or a wildcard and no two become one.
 */
import { jobKey } from '../record.ts';

/** Returns a name of printable ASCII characters as one token. */
export function tokenOf(name: string): string {
  return name.replace(/[^A-Za-z0-9_-]/g, (character) => {
    return `=${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
}

/** Returns the name of a token. */
export function nameOfToken(token: string): string {
  return token.replace(/=([0-9a-f]{2})/g, (_, code: string) =>
    String.fromCharCode(Number.parseInt(code, 16)),
  );
}

/** Returns the token of a job. @throws TombolaError (misuse) when that is no name. */
export function jobToken(job: string): string {
  checkName(job);
  return tokenOf(job);
}

/** Returns `job.tile` as tokens. @throws TombolaError (misuse) when one of them is no name. */
export function tileTokens(job: string, tile: string): string {
  checkName(tile);
  return `${jobToken(job)}.${tokenOf(tile)}`;
}

/** The other engines' keys know what a name is. */
function checkName(name: string): void {
  jobKey(name);
}
