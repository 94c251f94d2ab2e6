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

/** Returns whether the bearer may end a job: its own, one that nobody is known to have submitted, or any as an admin. */
export function mayEnd({ scope, id }: Access, { submitter }: { readonly submitter: string | null }): boolean {
  return scope === 'admin' || submitter === null || submitter === id;
}

/** Returns the token of an Authorization header; '' when it is of another kind; undefined when there is none. */
export function bearerToken({ headers }: IncomingMessage): string | undefined {
  const { authorization } = headers;
  if (authorization === undefined) return undefined;
  return /^Bearer ([!-~]{1,512})$/i.exec(authorization)?.[1] ?? '';
}

/** Says why a request may not come from the web page, for the host name or by the way that it says it does; null: it may. */
export type CheckOrigin = (request: IncomingMessage) => string | null;

/** What proxies add to the requests that they hand on. */
const proxyHeaders = ['x-forwarded-for', 'x-forwarded-host', 'x-real-ip', 'forwarded', 'via'];

/**
 * Returns how to check where requests come from. Its own pages may ask; a browser sends an Origin with each of their WebSockets and
 * POSTs. Where nobody needs a token no proxy may: it would make whoever reaches it one of this machine.
 */
export function originChecker(options: {
  readonly allowedOrigins: readonly string[];
  /** The coordinator needs no token: then its address is all that protects it. */
  readonly isOpen: boolean;
}): CheckOrigin {
  const allowed = new Set(options.allowedOrigins);
  return (request) => {
    const { origin, host } = request.headers;
    if (origin === undefined ? isHidden(request) : !allowed.has(origin) && !isOwnOrigin(request))
      return 'web pages of this origin are not allowed';
    if (!options.isOpen) return null;
    if (proxyHeaders.some((name) => request.headers[name] !== undefined))
      return 'it came through a proxy, and whoever reaches a coordinator without tokens may do anything; make tokens first (tombola token)';
    if (host === undefined || isLoopback(host.replace(/:\d+$/, ''))) return null;
    return 'it names another host than this machine, and the coordinator has no tokens; make some first (tombola token)';
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
