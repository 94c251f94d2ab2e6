/**
 * Follows the coordinator's feed (src/core/live/views.ts), and begins anew whenever it ends: after a pause that grows with each
 * failure, with jitter, so that many pages do not come back at once.
 */
import { applyPatch } from '../../src/core/live/patch.ts';
import type { LiveLine, LiveTopic } from '../../src/core/live/views.ts';

/** How it is going. */
export type FeedState =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'live' }
  /** The coordinator cannot be reached; it will be tried again. */
  | { readonly kind: 'lost' }
  /** It wants another token. */
  | { readonly kind: 'refused'; readonly reason: string };

/** What to follow, and whom to tell. */
export interface FeedOptions {
  readonly token: string;
  readonly job: string | null;
  readonly onState: (state: FeedState) => void;
  readonly onTopic: (topic: LiveTopic, state: unknown) => void;
}

const pauseMsFirst = 500;
const pauseMsMax = 10_000;
/** The overview changes every second; a feed that is silent for so long is dead. */
const silentMsMax = 8000;

/** Begins to follow; returns what ends it. */
export function followFeed(options: FeedOptions): () => void {
  const ending = new AbortController();
  run(options, ending.signal).catch((error: unknown) => {
    if (!ending.signal.aborted) throw error;
  });
  return () => ending.abort();
}

async function run(options: FeedOptions, signal: AbortSignal): Promise<void> {
  for (let failures = 0; !signal.aborted; failures++) {
    try {
      const refusal = await readOnce(options, {
        signal,
        onLive: () => {
          failures = 0;
        },
      });
      if (refusal !== null) {
        options.onState({ kind: 'refused', reason: refusal });
        return;
      }
    } catch {
      // A connection that fails or breaks is begun anew below, whatever the reason.
    }
    if (signal.aborted) return;
    options.onState({ kind: 'lost' });
    await pause(Math.min(pauseMsMax, pauseMsFirst * 2 ** failures) * (0.5 + Math.random()), signal);
  }
}

/** Resolves when the feed has ended; with a reason when there is no use in trying again. */
async function readOnce(
  { token, job, onState, onTopic }: FeedOptions,
  { signal, onLive }: { signal: AbortSignal; onLive: () => void },
): Promise<string | null> {
  const silence = new AbortController();
  let timer = setTimeout(() => silence.abort(), silentMsMax);
  try {
    const response = await fetch(`/api/live${job === null ? '' : `?job=${encodeURIComponent(job)}`}`, {
      headers: token === '' ? {} : { authorization: `Bearer ${token}` },
      signal: AbortSignal.any([signal, silence.signal]),
      cache: 'no-store',
      credentials: 'omit',
    });
    if (response.status === 401 || response.status === 403) return await reasonOf(response);
    if (!response.ok || response.body === null) return null;
    const states = new Map<LiveTopic, unknown>();
    for await (const line of linesOf(response.body)) {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), silentMsMax);
      const told = JSON.parse(line) as LiveLine;
      const state = 'state' in told ? told.state : applyPatch(states.get(told.topic), told.patch);
      states.set(told.topic, state);
      onTopic(told.topic, state);
      onState({ kind: 'live' });
      onLive();
    }
    return null;
  } finally {
    clearTimeout(timer);
  }
}

async function reasonOf(response: Response): Promise<string> {
  const body = (await response.json().catch(() => ({}))) as { readonly error?: string };
  return body.error ?? `the coordinator answers ${response.status}`;
}

async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string, void> {
  const reader = body.pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>).getReader();
  let rest = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const pieces = (rest + value).split('\n');
    rest = pieces.pop() ?? '';
    yield* pieces;
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
  });
}
