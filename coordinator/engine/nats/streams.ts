/** Streams: made where they are missing, refused where they keep fewer copies than asked for, and rid of single messages. */
import { StorageType, type StreamConfig } from '@nats-io/jetstream';
import { misuse } from '../../../src/core/errors.ts';
import { isMessageMissing, isStreamMissing } from './conflict.ts';
import type { NatsLink } from './connection.ts';

/** What tells streams of ours apart. */
export type StreamOptions = Pick<StreamConfig, 'name' | 'num_replicas'> & Partial<StreamConfig>;

/** Makes a stream of files if it is not there. @throws TombolaError (misuse) when it has fewer replicas. */
export async function ensureStream(link: NatsLink, options: StreamOptions): Promise<void> {
  const { name } = options;
  const info = await link.guard('open', async () => {
    try {
      return await link.manager.streams.info(name);
    } catch (error) {
      if (!isStreamMissing(error)) throw error;
      // Made by two at a time it is the same stream.
      return await link.manager.streams.add({ storage: StorageType.File, allow_direct: false, ...options });
    }
  });
  checkReplicas(name, info.config.num_replicas, options.num_replicas);
}

/** Checks a stream that somebody else has made. @throws TombolaError (misuse) when it has fewer replicas. */
export async function checkStream(link: NatsLink, name: string, replicas: number): Promise<void> {
  const info = await link.guard('open', () => link.manager.streams.info(name));
  checkReplicas(name, info.config.num_replicas, replicas);
}

/** Deletes this very message: whatever has come after it on its subject stays. */
export async function deleteMessage(link: NatsLink, stream: string, sequence: number): Promise<void> {
  await link.guard('write to', async () => {
    try {
      await link.manager.streams.deleteMessage(stream, sequence, false);
    } catch (error) {
      // Somebody else was first.
      if (!isMessageMissing(error)) throw error;
    }
  });
}

/** Returns the subjects that have messages. */
export async function subjectsOf(link: NatsLink, stream: string, filter: string): Promise<readonly string[]> {
  const { state } = await link.guard('list', () =>
    link.manager.streams.info(stream, { subjects_filter: filter }),
  );
  return Object.keys(state.subjects ?? {});
}

function checkReplicas(name: string, found: number, wanted: number): void {
  if (found < wanted)
    throw misuse(
      `Cannot use the stream ${name}: it keeps ${found} replicas, expected ${wanted}; run nats stream edit ${name} --replicas ${wanted}, or accept ${found} with --engine-replicas ${found}`,
    );
}
