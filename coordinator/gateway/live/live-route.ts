/** The route of the feed: `GET /api/live?job=ID`. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { isAllowed, type TokenScope } from '../../tokens.ts';
import { bearerToken, type CheckAccess } from '../access.ts';
import type { LiveFeed } from './live-feed.ts';

/** Says who may look, and opens the feed for them; null while there is no room. */
export type LiveRoute = (request: IncomingMessage, url: URL) => ((response: ServerResponse) => void) | null;

/** Returns the route. Whoever asks has been let in to read. */
export function liveRoute(feed: LiveFeed, checkAccess: CheckAccess): LiveRoute {
  return (request, url) => {
    if (!feed.hasRoom) return null;
    const token = bearerToken(request) ?? '';
    const scope = checkAccess(token)?.scope ?? 'read';
    const session = { scope, maySubmit: isAllowed(scope, 'submit'), mayFetch: isAllowed(scope, 'fetch') };
    const job = url.searchParams.get('job');
    return (response) =>
      feed.open({ response, session, job, isAllowed: () => isStillAllowed(checkAccess(token), scope) });
  };
}

/** A token that has expired or was revoked meanwhile ends the feed. */
function isStillAllowed(access: { readonly scope: TokenScope } | null, scope: TokenScope): boolean {
  return access?.scope === scope;
}
