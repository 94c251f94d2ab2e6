/**
 * Hands the live states to viewers: each topic is worked out, compared and written out once a second for all who look at it, and not
 * at all while nobody does. A viewer whose socket is full is left out and gets the whole state once it has drained, so that what
 * waits for it is never more than a snapshot and a patch; one that does not drain is cut.
 */
import type { ServerResponse } from 'node:http';
import { liveBufferedBytesMax, liveStuckMsMax, liveViewersMax } from '../../../src/core/limits.ts';
import { diffJson } from '../../../src/core/live/patch.ts';
import type { LiveSession, LiveTopic } from '../../../src/core/live/views.ts';

/** Somebody who looks. */
export interface Viewer {
  readonly response: ServerResponse;
  readonly session: LiveSession;
  /** The job whose details are asked for. */
  readonly job: string | null;
  /** Whether what it came with is still good. */
  readonly isAllowed: () => boolean;
}

/** What is told. */
export interface LiveStates {
  overview(): unknown;
  job(id: string): unknown;
}

/** A topic as it was told last. */
interface Topic {
  readonly name: LiveTopic;
  readonly read: () => unknown;
  state: unknown;
  revision: number;
  /** Lines, written out when first needed. */
  snapshot: string | null;
  patch: string | null;
  watchers: number;
}

interface Watch {
  readonly topic: Topic;
  /** The revision that the viewer has; 0: none. */
  revision: number;
}

/** Viewers and what they look at. Whoever opens it calls `step` once a second, and closes it. */
export class LiveFeed {
  private readonly states: LiveStates;
  private readonly nowMs: () => number;
  private readonly onClose: () => void;
  private readonly topics = new Map<string, Topic>();
  private readonly viewers = new Map<
    Viewer,
    { readonly watches: readonly Watch[]; stuckSince: number | null }
  >();

  constructor(states: LiveStates, nowMs: () => number, onClose: () => void = () => undefined) {
    this.states = states;
    this.nowMs = nowMs;
    this.onClose = onClose;
  }

  /** Whether another viewer may come. */
  get hasRoom(): boolean {
    return this.viewers.size < liveViewersMax;
  }

  /** Begins to tell a viewer whose headers have been sent; ends with its response. */
  open(viewer: Viewer): void {
    const { response, session, job } = viewer;
    const watches = [this.watch('overview', 'overview', () => this.states.overview())];
    if (job !== null) watches.push(this.watch(`job ${job}`, 'job', () => this.states.job(job)));
    this.viewers.set(viewer, { watches, stuckSince: null });
    response.once('close', () => this.leave(viewer));
    response.write(lineOf({ topic: 'session', state: session }));
    this.tell(viewer);
  }

  /** Works out every topic once and tells all viewers. */
  step(): void {
    for (const topic of this.topics.values()) advance(topic);
    for (const viewer of [...this.viewers.keys()])
      if (viewer.isAllowed()) this.tell(viewer);
      else viewer.response.end();
  }

  /** Ends all viewers' answers. */
  close(): void {
    for (const { response } of [...this.viewers.keys()]) response.end();
    this.onClose();
  }

  private watch(key: string, name: LiveTopic, read: () => unknown): Watch {
    let topic = this.topics.get(key);
    if (topic === undefined) {
      topic = { name, read, state: read(), revision: 1, snapshot: null, patch: null, watchers: 0 };
      this.topics.set(key, topic);
    }
    topic.watchers++;
    return { topic, revision: 0 };
  }

  private tell(viewer: Viewer): void {
    const entry = this.viewers.get(viewer);
    const { response } = viewer;
    if (entry === undefined || response.destroyed) return;
    if (response.writableLength > liveBufferedBytesMax) {
      entry.stuckSince ??= this.nowMs();
      if (this.nowMs() - entry.stuckSince > liveStuckMsMax) response.destroy();
      return;
    }
    entry.stuckSince = null;
    for (const watch of entry.watches) {
      const { topic } = watch;
      if (watch.revision === topic.revision) continue;
      const line = watch.revision === topic.revision - 1 ? patchLine(topic) : snapshotLine(topic);
      response.write(line);
      watch.revision = topic.revision;
    }
  }

  private leave(viewer: Viewer): void {
    for (const { topic } of this.viewers.get(viewer)?.watches ?? []) topic.watchers--;
    this.viewers.delete(viewer);
    for (const [key, topic] of this.topics) if (topic.watchers === 0) this.topics.delete(key);
  }
}

function advance(topic: Topic): void {
  const next = topic.read();
  const patch = diffJson(topic.state, next);
  if (patch === undefined) return;
  topic.state = next;
  topic.revision++;
  topic.snapshot = null;
  topic.patch = lineOf({ topic: topic.name, patch });
}

function snapshotLine(topic: Topic): string {
  topic.snapshot ??= lineOf({ topic: topic.name, state: topic.state });
  return topic.snapshot;
}

/** Revision 1 has no patch, and nobody has revision 0 of it. */
function patchLine(topic: Topic): string {
  return topic.patch ?? snapshotLine(topic);
}

function lineOf(line: object): string {
  return `${JSON.stringify(line)}\n`;
}
