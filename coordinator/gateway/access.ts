/**
 * Who may do what. Where the coordinator has keys, everything but /healthz needs a token with the right scope; where it has none (on
 * loopback only) everybody is admin. Web pages may use it only from allowed origins, and a page that made its own name resolve to
 * this machine (DNS rebinding) is refused for the Host it names.
 */
import type { IncomingMessage } from 'node:http';
import { checkToken, type TokenKeys, type TokenScope } from '../tokens.ts';
import { isLoopback } from './network-of.ts';

/** Who bears a token. */
export interface Access {
  readonly scope: TokenScope;
  readonly id: string;
}

/** Says who bears a token ('' for none); null: nobody who may do anything. */
export type CheckAccess = (token: string) => Access | null;

/** Returns how to check tokens; without keys everybody is admin. */
export function accessChecker(keys: TokenKeys | null): CheckAccess {
  if (keys === null) return () => ({ scope: 'admin', id: 'local' });
  return (token) => (token === '' ? null : checkToken(keys, token, Date.now()));
}

/** Returns the token of an Authorization header; '' when it is of another kind; undefined when there is none. */
export function bearerToken({ headers }: IncomingMessage): string | undefined {
  const { authorization } = headers;
  if (authorization === undefined) return undefined;
  return /^Bearer ([!-~]{1,512})$/i.exec(authorization)?.[1] ?? '';
}

/** Returns whether a request may come from the web page, or the host name, that it says it does. */
export function originChecker(options: {
  readonly allowedOrigins: readonly string[];
  /** The coordinator needs no token: then its address is all that protects it. */
  readonly isOpen: boolean;
}): (request: IncomingMessage) => boolean {
  const allowed = new Set(options.allowedOrigins);
  return ({ headers: { origin, host } }) => {
    if (origin !== undefined && !allowed.has(origin)) return false;
    return !options.isOpen || host === undefined || isLoopback(host.replace(/:\d+$/, ''));
  };
}
