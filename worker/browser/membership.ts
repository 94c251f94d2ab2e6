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

interface Known {
  readonly token: string;
  /** Milliseconds since 1970. */
  readonly endsAt: number;
}

let asking: Promise<string> | undefined;
/** A browser that is told to keep no site's data refuses all use of its storage: a token lasts as long as the page then. */
let known: Known | undefined;

/**
 * Returns the token.
 * @throws JoinRefusal when the coordinator gives none, or cannot be reached.
 */
export function volunteerToken(): Promise<string> {
  known ??= readStored();
  if (known !== undefined && Date.now() < known.endsAt - marginMs) return Promise.resolve(known.token);
  asking ??= join().finally(() => {
    asking = undefined;
  });
  return asking;
}

/** Forgets a token that was refused. */
export function forgetToken(): void {
  known = undefined;
  tryStorage((storage) => storage.removeItem(key));
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
    const joined = { token: body.token, endsAt: Date.now() + body.ttlMs };
    known = joined;
    tryStorage((storage) => storage.setItem(key, JSON.stringify(joined)));
    return joined.token;
  }
  if (response.status === 403) throw new JoinRefusal('volunteers are not wanted here any more', null);
  const retrySeconds = Number(response.headers.get('retry-after') ?? 0);
  throw new JoinRefusal('too many people are joining from your network', 1000 * retrySeconds);
}

function readStored(): Known | undefined {
  return tryStorage((storage) => {
    const value: unknown = JSON.parse(storage.getItem(key) ?? 'null');
    return isKnown(value) ? value : undefined;
  });
}

/** Uses the tab's storage; undefined where there is none, or it is full. */
function tryStorage<Value>(use: (storage: Storage) => Value): Value | undefined {
  try {
    return use(sessionStorage);
  } catch {
    return undefined;
  }
}

function isKnown(value: unknown): value is Known {
  return (
    typeof value === 'object' &&
    value !== null &&
    'token' in value &&
    typeof value.token === 'string' &&
    'endsAt' in value &&
    typeof value.endsAt === 'number'
  );
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
