/**
 * Results of tiles: one stream with a subject per tile that holds at most one message.
 *
 *   tombola.result.<job>.<tile>   CRC-32 as in record.ts, then one byte that says what follows:
 *                                 0  the result        1  the hex SHA-256 of the blob that has it (a large one)
 *
 * A commit publishes expecting that the subject is empty (last subject sequence 0), or that its last message is the very one that was
 * found damaged: of several commits the stream takes one. Each carries an id of its own in a header, so that a commit whose answer
 * was lost recognises itself when the message is read back. Reads are answered by the stream's leader.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { PurgeOpts } from '@nats-io/jetstream';
import { headers } from '@nats-io/transport-node';
import { failure } from '../../../src/core/errors.ts';
import { natsCommitMsMax, natsInlineBytesMax } from '../../../src/core/limits.ts';
import { openRecord, resultKey, sealRecord } from '../record.ts';
import { isConflict } from './conflict.ts';
import type { NatsLink } from './connection.ts';
import { jobToken, nameOfToken, tileTokens } from './names.ts';
import type { LargeResults } from './object-blobs.ts';
import { deleteMessage, ensureStream, subjectsOf } from './streams.ts';

/** The stream's name. */
export const resultStreamName = 'tombola-results';
const subjectRoot = 'tombola.result';
const commitHeader = 'Tombola-Commit';
const plainForm = 0;
const blobForm = 1;
/** A message that the leader has taken and not stored yet is not found; it is looked for again after this time. */
const settlingMs = 20;

/** Results by job and tile. Methods reject with TombolaError (failure) where the engine cannot be used, (misuse) for what is no name. */
export interface ResultStream {
  commit(job: string, tile: string, result: Uint8Array): Promise<'new' | 'duplicate'>;
  read(job: string, tile: string): Promise<Uint8Array | undefined>;
  has(job: string, tile: string): Promise<boolean>;
  tiles(job: string): Promise<ReadonlySet<string>>;
  drop(job: string, tile: string): Promise<void>;
  removeJob(job: string): Promise<void>;
  /** Comes after all results that are there now. */
  end(): Promise<number>;
  /** Removes the results of a job that came before an end; large ones leave their objects behind. */
  sweepJob(job: string, end: number): Promise<void>;
}

interface Found {
  readonly sequence: number;
  readonly commit: string;
  readonly data: Uint8Array;
}

/** Returns the subject of a tile's result. */
export function resultSubject(job: string, tile: string): string {
  return `${subjectRoot}.${tileTokens(job, tile)}`;
}

/** Returns the filter for all results of a job. */
export function resultFilter(job: string): string {
  return `${subjectRoot}.${jobToken(job)}.*`;
}

/** Returns the tile of a result's subject. */
export function tileOfSubject(subject: string): string {
  return nameOfToken(subject.slice(subject.lastIndexOf('.') + 1));
}

/** Returns the results; their stream is made if it is not there. */
export async function openResultStream(
  link: NatsLink,
  { replicas, large }: { readonly replicas: number; readonly large: LargeResults },
): Promise<ResultStream> {
  await ensureStream(link, {
    name: resultStreamName,
    subjects: [`${subjectRoot}.>`],
    max_msgs_per_subject: 1,
    num_replicas: replicas,
  });
  return new Results(link, large);
}

class Results implements ResultStream {
  private readonly link: NatsLink;
  private readonly large: LargeResults;

  constructor(link: NatsLink, large: LargeResults) {
    this.link = link;
    this.large = large;
  }

  async commit(job: string, tile: string, result: Uint8Array): Promise<'new' | 'duplicate'> {
    const key = resultKey(job, tile);
    const record = sealRecord(key, await this.valueOf(job, result));
    const subject = resultSubject(job, tile);
    const commit = randomUUID();
    const endMs = performance.now() + natsCommitMsMax;
    let expected = 0;
    for (;;) {
      const error = await this.publish(subject, { record, commit, expected });
      if (error === null) return 'new';
      // Refused, or nobody knows: what is there decides.
      const found = await this.find(subject).catch(() => undefined);
      if (found?.commit === commit) return 'new';
      if (found !== undefined && openRecord(key, found.data) !== undefined) return 'duplicate';
      if (performance.now() > endMs)
        throw failure(
          `Cannot commit to the engine at ${this.link.name}: no answer for ${natsCommitMsMax} ms, expected NATS servers of which most are up; commit again`,
          error,
        );
      expected = found?.sequence ?? 0;
      await delay(settlingMs);
    }
  }

  async read(job: string, tile: string): Promise<Uint8Array | undefined> {
    const found = await this.find(resultSubject(job, tile));
    if (found === undefined) return undefined;
    const value = openRecord(resultKey(job, tile), found.data);
    const result = value === undefined ? undefined : await this.resultOf(job, value);
    // Damaged: this very message goes, whatever has come in its place by now stays.
    if (result === undefined) await deleteMessage(this.link, resultStreamName, found.sequence);
    return result;
  }

  async has(job: string, tile: string): Promise<boolean> {
    return (await this.find(resultSubject(job, tile))) !== undefined;
  }

  async tiles(job: string): Promise<ReadonlySet<string>> {
    return new Set((await subjectsOf(this.link, resultStreamName, resultFilter(job))).map(tileOfSubject));
  }

  async drop(job: string, tile: string): Promise<void> {
    const found = await this.find(resultSubject(job, tile));
    if (found !== undefined) await deleteMessage(this.link, resultStreamName, found.sequence);
  }

  async removeJob(job: string): Promise<void> {
    await this.purge({ filter: resultFilter(job) });
    await this.large.removeJob(job);
  }

  async end(): Promise<number> {
    const { state } = await this.link.guard('read', () => this.link.manager.streams.info(resultStreamName));
    return state.last_seq + 1;
  }

  sweepJob(job: string, end: number): Promise<void> {
    return this.purge({ filter: resultFilter(job), seq: end });
  }

  private async purge(what: PurgeOpts): Promise<void> {
    await this.link.guard('write to', () => this.link.manager.streams.purge(resultStreamName, what));
  }

  /** Returns null once the message is stored, or why it is not known to be. */
  private async publish(
    subject: string,
    { record, commit, expected }: { record: Uint8Array; commit: string; expected: number },
  ): Promise<unknown> {
    const named = headers();
    named.set(commitHeader, commit);
    try {
      const expect = { lastSubjectSequence: expected };
      await this.link.client.publish(subject, record, { headers: named, expect });
      return null;
    } catch (error) {
      if (!isConflict(error) && this.link.connection.isClosed()) throw error;
      return error;
    }
  }

  private find(subject: string): Promise<Found | undefined> {
    return this.link.guard('read', async () => {
      const message = await this.link.manager.streams.getMessage(resultStreamName, { last_by_subj: subject });
      if (message === null) return undefined;
      const { seq: sequence, header, data } = message;
      return { sequence, commit: header.get(commitHeader), data };
    });
  }

  private async valueOf(job: string, result: Uint8Array): Promise<Uint8Array> {
    const isLarge = result.length > natsInlineBytesMax;
    const content = isLarge ? new TextEncoder().encode(await this.large.put(job, result)) : result;
    const value = new Uint8Array(1 + content.length);
    value[0] = isLarge ? blobForm : plainForm;
    value.set(content, 1);
    return value;
  }

  private async resultOf(job: string, value: Uint8Array): Promise<Uint8Array | undefined> {
    const content = value.slice(1);
    if (value[0] === plainForm) return content;
    return value[0] === blobForm ? this.large.read(job, new TextDecoder().decode(content)) : undefined;
  }
}
