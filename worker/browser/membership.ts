/** This tab's token as a volunteer: minted by the coordinator, kept for the tab's life, asked for again when it is no longer good. */

/** Why there is no token. */
export class JoinRefusal extends Error {
  override readonly name = 'JoinRefusal';
  /** Null: asking again is of no use. */
  readonly retryMs: number | null;

  constructor(message: string, retryMs: number | null) {
    super(message);
    this.retryMs = retryMs;
  }
}

const key = 'tombola-volunteer';
/** A token this close to its end is not used any more. */
const marginMs = 60_000;
const answerMsMax = 10_000;

let asking: Promise<string> | undefined;

/**
 * Returns the token.
 * @throws JoinRefusal when the coordinator gives none, or cannot be reached.
 */
export function volunteerToken(): Promise<string> {
  const known = readKnown();
  if (known !== undefined) return Promise.resolve(known);
  asking ??= join().finally(() => {
    asking = undefined;
  });
  return asking;
}

/** Forgets a token that was refused. */
export function forgetToken(): void {
  sessionStorage.removeItem(key);
}

async function join(): Promise<string> {
  let response: Response;
  try {
    response = await fetch('/join', { method: 'POST', signal: AbortSignal.timeout(answerMsMax) });
  } catch {
    throw new JoinRefusal('the coordinator does not answer', 0);
  }
  const body: unknown = await response.json().catch(() => undefined);
  if (response.status === 201 && isJoined(body)) {
    sessionStorage.setItem(key, JSON.stringify({ token: body.token, endsAt: Date.now() + body.ttlMs }));
    return body.token;
  }
  if (response.status === 403) throw new JoinRefusal('volunteers are not wanted here any more', null);
  const retrySeconds = Number(response.headers.get('retry-after') ?? 0);
  throw new JoinRefusal('too many people are joining from your network', 1000 * retrySeconds);
}

function readKnown(): string | undefined {
  try {
    const known: unknown = JSON.parse(sessionStorage.getItem(key) ?? 'null');
    if (typeof known !== 'object' || known === null || !('token' in known) || !('endsAt' in known))
      return undefined;
    const isGood = typeof known.endsAt === 'number' && Date.now() < known.endsAt - marginMs;
    return isGood && typeof known.token === 'string' ? known.token : undefined;
  } catch {
    return undefined;
  }
}

function isJoined(body: unknown): body is { readonly token: string; readonly ttlMs: number } {
  return (
    typeof body === 'object' &&
    body !== null &&
    'token' in body &&
    typeof body.token === 'string' &&
    'ttlMs' in body &&
    typeof body.ttlMs === 'number'
  );
}
