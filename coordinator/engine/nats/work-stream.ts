/**
 * Work items: tiles that somebody is to solve.
 *
 *   stream     tombola-work, a work queue: tombola.work.<job>.<tile>, at most one message each; what is done with is acknowledged and gone
 *   consumers  tiles-<job>, one for each job at work, shared by all coordinators: so a job can be preferred to another, and the
 *              backlog of one does not stand before another's
 *
 * An item that was pulled is somebody's for workAckMs, and longer while that one says so; then it is given to another. That, and
 * not the queue, is all that a coordinator's death costs. The queue is no more than thrift: what it loses, the driver of the job
 * puts again (coordinator/cluster/work-port.ts).
 */
import { AckPolicy, RetentionPolicy } from '@nats-io/jetstream';
import { type Msg, nanos } from '@nats-io/transport-node';
import { z } from 'zod';
import { tilesInFlightMax } from '../../../src/core/limits.ts';
import { isConflict, isConsumerMissing } from './conflict.ts';
import type { NatsLink } from './connection.ts';
import { jobToken, nameOfToken, tileTokens } from './names.ts';
import { pullNow } from './pull-now.ts';
import { ensureStream, subjectsOf } from './streams.ts';

/** An item that, once pulled, is ours until we say what became of it. */
export interface Delivery {
  readonly tile: string;
  readonly item: Uint8Array;
  /** Else it was only found: somebody else may have it, and `keep` and `giveBack` do nothing. */
  readonly isPulled: boolean;
  /** Somebody has had it before. */
  readonly isRepeated: boolean;
  /** It is done with. */
  done(): void;
  /** We are still at it. */
  keep(): void;
  /** Somebody else is to have it, after a while if one is named. */
  giveBack(afterMs?: number): void;
}

/** The items of all jobs. Methods that return a promise reject with TombolaError (failure) where the engine cannot be used. */
export interface WorkStream {
  /** Lets items of the job be pulled. */
  open(job: string): Promise<void>;
  /** Ends that, and removes what is left. */
  close(job: string): Promise<void>;
  /** Jobs that are open. */
  jobs(): Promise<readonly string[]>;
  /** Puts an item, unless it is there. */
  put(job: string, tile: string, item: Uint8Array): Promise<void>;
  /** Returns an item wherever it is, without taking it from anybody. */
  find(job: string, tile: string): Promise<Delivery | undefined>;
  /** Tiles whose items are not done with. */
  waiting(job: string): Promise<ReadonlySet<string>>;
  /** Returns at most so many items, at once; null where the job is not open. */
  pull(job: string, count: number): Promise<readonly Delivery[] | null>;
}

const streamName = 'tombola-work';
const subjectRoot = 'tombola.work';
const namesMs = 2500;
const namesSchema = z.object({
  total: z.number(),
  consumers: z.array(z.string()).nullable(),
  error: z.object({ description: z.string() }).optional(),
});

/** Returns the items; their stream is made if it is not there. */
export async function openWorkStream(
  link: NatsLink,
  { replicas, ackMs }: { readonly replicas: number; readonly ackMs: number },
): Promise<WorkStream> {
  await ensureStream(link, {
    name: streamName,
    subjects: [`${subjectRoot}.>`],
    retention: RetentionPolicy.Workqueue,
    max_msgs_per_subject: 1,
    num_replicas: replicas,
  });
  return { ...queuesOf(link, ackMs), ...itemsOf(link) };
}

function queuesOf(link: NatsLink, ackMs: number): Pick<WorkStream, 'open' | 'close' | 'jobs'> {
  const { manager, guard } = link;
  return {
    open: (job) =>
      guard('open a queue of', async () => {
        await manager.consumers.add(streamName, {
          durable_name: consumerOf(job),
          filter_subject: filterOf(job),
          ack_policy: AckPolicy.Explicit,
          ack_wait: nanos(ackMs),
          max_ack_pending: 4 * tilesInFlightMax,
        });
      }),
    close: (job) =>
      guard('close a queue of', async () => {
        try {
          await manager.consumers.delete(streamName, consumerOf(job));
        } catch (error) {
          if (!isConsumerMissing(error)) throw error;
        }
        await manager.streams.purge(streamName, { filter: filterOf(job) });
      }),
    jobs: () =>
      guard('list the queues of', async () => {
        const names = await consumersOf(link);
        return names.map((name) => nameOfToken(name.slice(consumerPrefix.length)));
      }),
  };
}

function itemsOf(link: NatsLink): Pick<WorkStream, 'put' | 'find' | 'waiting' | 'pull'> {
  const { manager, guard } = link;
  return {
    put: (job, tile, item) =>
      guard('queue a tile in', async () => {
        try {
          const expect = { lastSubjectSequence: 0 };
          await link.client.publish(subjectOf(job, tile), item, { expect });
        } catch (error) {
          if (!isConflict(error)) throw error;
        }
      }),
    find: (job, tile) =>
      guard('read', async () => {
        const message = await manager.streams.getMessage(streamName, { last_by_subj: subjectOf(job, tile) });
        if (message === null) return undefined;
        const { seq, data: item } = message;
        const done = (): void => {
          manager.streams.deleteMessage(streamName, seq, false).catch(() => undefined);
        };
        const nothing = (): void => undefined;
        return { tile, item, isPulled: false, isRepeated: true, done, keep: nothing, giveBack: nothing };
      }),
    waiting: async (job) => new Set((await subjectsOf(link, streamName, filterOf(job))).map(tileOf)),
    pull: (job, count) =>
      guard('pull from', async () => {
        // What comes too late to be found is given to others when its time is over.
        const messages = await pullNow(link, { stream: streamName, consumer: consumerOf(job), count });
        return messages?.map(deliveryOf) ?? null;
      }),
  };
}

const consumerPrefix = 'tiles-';

function consumerOf(job: string): string {
  return consumerPrefix + jobToken(job);
}

function filterOf(job: string): string {
  return `${subjectRoot}.${jobToken(job)}.*`;
}

function subjectOf(job: string, tile: string): string {
  return `${subjectRoot}.${tileTokens(job, tile)}`;
}

function tileOf(subject: string): string {
  return nameOfToken(subject.slice(subject.lastIndexOf('.') + 1));
}

/** The library's list has all that is known of each consumer, for which every server is asked; one has the names, in a sixth of the time. */
async function consumersOf({ connection }: NatsLink): Promise<readonly string[]> {
  const names: string[] = [];
  for (;;) {
    const request = JSON.stringify({ offset: names.length });
    const subject = `$JS.API.CONSUMER.NAMES.${streamName}`;
    const answer = await connection.request(subject, request, { timeout: namesMs });
    const { total, consumers, error } = namesSchema.parse(answer.json());
    if (error !== undefined) throw new Error(error.description);
    names.push(...(consumers ?? []));
    if (consumers === null || consumers.length === 0 || names.length >= total) return names;
  }
}

/** Acknowledgements go to the message's reply subject, as $JS.ACK.[<domain>.<account>.]<stream>.<consumer>.<deliveries>.… */
function deliveryOf(message: Msg): Delivery {
  const tokens = message.reply?.split('.') ?? [];
  const deliveries = Number(tokens[tokens.indexOf(streamName) + 2]);
  return {
    tile: tileOf(message.subject),
    // The message's bytes are a view of what came over the socket.
    item: message.data.slice(),
    isPulled: true,
    isRepeated: deliveries > 1,
    done: () => void message.respond('+ACK'),
    keep: () => void message.respond('+WPI'),
    giveBack: (afterMs = 0) => void message.respond(`-NAK ${JSON.stringify({ delay: nanos(afterMs) })}`),
  };
}
