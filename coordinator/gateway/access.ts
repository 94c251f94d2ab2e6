/**
 * Who may do what. Where the coordinator has keys, everything but /healthz, /join and the pages needs a token with the right scope;
 * where it has none (on loopback only) everybody is admin but those who say they are volunteers. Web pages may use it only from allowed origins, and a page that made its own name resolve to
 * this machine (DNS rebinding) is refused for the Host it names.
 */
import type { IncomingMessage } from 'node:http';
import { checkToken, type TokenKeys, type TokenScope } from '../tokens.ts';
import { isLoopback } from './network-of.ts';

/** Who bears a token. */
export interface Access {
  readonly scope: TokenScope;
  readonly id: string;
  /** Returns whether the token is still good: it may expire, or be revoked. */
  isStillGood(): boolean;
}

/** Says who bears a token ('' for none); null: nobody who may do anything. */
export type CheckAccess = (token: string) => Access | null;

/** Returns how to check tokens. Without keys everybody is admin but volunteers, whose tokens are signed with keys of their own. */
export function accessChecker(keys: TokenKeys | null, volunteerKeys: TokenKeys): CheckAccess {
  if (keys !== null) return (token) => (token === '' ? null : accessOf(keys, token));
  return (token) => (token.startsWith('volunteer.') ? accessOf(volunteerKeys, token) : localAccess);
}

/** Who needs no token. */
export const localAccess: Access = { scope: 'admin', id: 'local', isStillGood: () => true };

function accessOf(keys: TokenKeys, token: string): Access | null {
  const claim = checkToken(keys, token, Date.now());
  return claim && { ...claim, isStillGood: () => checkToken(keys, token, Date.now()) !== null };
}

/** Returns the token of an Authorization header; '' when it is of another kind; undefined when there is none. */
export function bearerToken({ headers }: IncomingMessage): string | undefined {
  const { authorization } = headers;
  if (authorization === undefined) return undefined;
  return /^Bearer ([!-~]{1,512})$/i.exec(authorization)?.[1] ?? '';
}

/**
 * Returns whether a request may come from the web page, or for the host name, that it says it does. Its own pages may; a browser
 * sends an Origin with each of their WebSockets and POSTs.
 */
export function originChecker(options: {
  readonly allowedOrigins: readonly string[];
  /** The coordinator needs no token: then its address is all that protects it. */
  readonly isOpen: boolean;
}): (request: IncomingMessage) => boolean {
  const allowed = new Set(options.allowedOrigins);
  return (request) => {
    const { origin, host } = request.headers;
    if (origin === undefined ? isHidden(request) : !allowed.has(origin) && !isOwnOrigin(request))
      return false;
    return !options.isOpen || host === undefined || isLoopback(host.replace(/:\d+$/, ''));
  };
}

/** Behind a proxy that ends TLS a page is https though we are not; a page without encryption is never ours when we are. */
function isOwnOrigin({ headers: { origin, host }, socket }: IncomingMessage): boolean {
  if (host === undefined) return false;
  const isEncrypted = 'encrypted' in socket && socket.encrypted === true;
  return origin === `https://${host}` || (!isEncrypted && origin === `http://${host}`);
}

/**
 * A page elsewhere may ask without naming its origin, as for an image: it could not read the answer, but have it made. Following a link
 * from there is no such request.
 */
function isHidden({ headers }: IncomingMessage): boolean {
  const site = headers['sec-fetch-site'];
  return (site === 'cross-site' || site === 'same-site') && headers['sec-fetch-mode'] !== 'navigate';
}
