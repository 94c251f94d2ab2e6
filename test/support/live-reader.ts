/** Follows a coordinator's feed as a page does. */
import { applyPatch } from '../../src/core/live/patch.ts';
import type { LiveJob, LiveLine, LiveOverview, LiveSession } from '../../src/core/live/views.ts';

/** What a reader knows. */
export interface LiveReader {
  readonly session: LiveSession;
  readonly overview: LiveOverview;
  readonly job: LiveJob | null | undefined;
  readonly sizeBytes: number;
  /** Resolves when what is known is as asked for; rejects when the feed ends first. */
  until(isSo: (reader: LiveReader) => boolean): Promise<void>;
  close(): void;
}

/** Returns a reader that has the first states. */
export async function readLive(
  url: string,
  { job, token }: { readonly job?: string; readonly token?: string } = {},
): Promise<LiveReader> {
  const ending = new AbortController();
  const response = await fetch(`${url}/api/live${job === undefined ? '' : `?job=${job}`}`, {
    signal: ending.signal,
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
  });
  if (!response.ok || response.body === null) throw new Error(`${response.status} ${await response.text()}`);
  const states: Record<string, unknown> = {};
  const lines = linesOf(response.body);
  let sizeBytes = 0;
  const reader: LiveReader = {
    get session() {
      return states.session as LiveSession;
    },
    get overview() {
      return states.overview as LiveOverview;
    },
    get job() {
      return states.job as LiveJob | null | undefined;
    },
    get sizeBytes() {
      return sizeBytes;
    },
    until: async (isSo) => {
      while (!isSo(reader)) {
        const { value, done } = await lines.next();
        if (done === true) throw new Error('the feed has ended');
        sizeBytes += value.length + 1;
        const line = JSON.parse(value) as LiveLine;
        states[line.topic] = 'state' in line ? line.state : applyPatch(states[line.topic], line.patch);
      }
    },
    close: () => ending.abort(),
  };
  await reader.until(({ overview }) => overview !== undefined);
  return reader;
}

async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string, void> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const part of body as unknown as AsyncIterable<Uint8Array>) {
    const pieces = (rest + decoder.decode(part, { stream: true })).split('\n');
    rest = pieces.pop() ?? '';
    yield* pieces;
  }
}
