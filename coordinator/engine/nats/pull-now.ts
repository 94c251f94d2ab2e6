/** Pulls of what a consumer has at the moment: the library's own wait a second at least for what is not there. */
import { createInbox, type Msg } from '@nats-io/transport-node';
import type { NatsLink } from './connection.ts';

/** What has not come by then is not waited for. */
const pullMs = 2000;
/** Statuses that end a pull: nothing there, and whatever else is none of ours. */
const missingStatus = 503;

/** Returns at most so many messages, at once; null where there is no such consumer. */
export async function pullNow(
  { connection }: NatsLink,
  { stream, consumer, count }: { readonly stream: string; readonly consumer: string; readonly count: number },
): Promise<readonly Msg[] | null> {
  const inbox = createInbox();
  const messages = connection.subscribe(inbox, { max: count + 1 });
  const ending = setTimeout(() => messages.unsubscribe(), pullMs);
  const found: Msg[] = [];
  connection.publish(
    `$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`,
    JSON.stringify({ batch: count, no_wait: true }),
    { reply: inbox },
  );
  try {
    for await (const message of messages) {
      if (message.headers !== undefined && message.headers.code !== 0) {
        if (message.headers.code === missingStatus && found.length === 0) return null;
        break;
      }
      found.push(message);
      if (found.length === count) break;
    }
  } finally {
    clearTimeout(ending);
    messages.unsubscribe();
  }
  return found;
}
