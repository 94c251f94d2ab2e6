/** Tells whoever drives a job which tiles have been committed, by whichever coordinator. */
import { DeliverPolicy } from '@nats-io/jetstream';
import type { NatsLink } from './connection.ts';
import { resultFilter, resultStreamName, tileOfSubject } from './result-stream.ts';

/** Heartbeats come twice in this time; a consumer that has lost its server is noticed after two that are missing. */
const pullMs = 5000;

/**
 * Calls back with every tile that has a result, and with every commit from then on, over all reconnections; one may come twice.
 * Returns how to stop.
 */
export async function followResults(
  link: NatsLink,
  job: string,
  onCommitted: (tile: string) => void,
): Promise<() => void> {
  const messages = await link.guard('follow', async () => {
    const consumer = await link.client.consumers.get(resultStreamName, {
      filter_subjects: resultFilter(job),
      headers_only: true,
      deliver_policy: DeliverPolicy.All,
    });
    return consumer.consume({
      expires: pullMs,
      max_messages: 1000,
      callback: ({ subject }) => onCommitted(tileOfSubject(subject)),
    });
  });
  return () => {
    messages.close().catch(() => undefined);
  };
}
