/** Messages, in JSON, to whoever listens at the moment: they may be lost. */
import type { Msg } from '@nats-io/transport-node';
import type { NatsLink } from './connection.ts';

/** Sends and hears messages. */
export interface Signals {
  tell(topic: string, message: object): void;
  /** Returns whether somebody has heard it. Never rejects. */
  ask(topic: string, message: object): Promise<boolean>;
  /** Calls back with every message, which is anything that JSON can be. Returns how to stop. */
  hear(topic: string, onMessage: (message: unknown) => void): () => void;
}

const answerMs = 2000;
const root = 'tombola.signal';

/** Returns the messages of a connection. Topics are tokens with dots between them. */
export function signalsOf({ connection }: NatsLink): Signals {
  return {
    tell: (topic, message) => {
      if (!connection.isClosed()) connection.publish(`${root}.${topic}`, JSON.stringify(message));
    },
    ask: async (topic, message) => {
      try {
        await connection.request(`${root}.${topic}`, JSON.stringify(message), { timeout: answerMs });
        return true;
      } catch {
        // Nobody listens, or the answer was lost: both mean to ask again.
        return false;
      }
    },
    hear: (topic, onMessage) => {
      const take = (error: Error | null, message: Msg): void => {
        if (error !== null) return;
        let value: unknown;
        try {
          value = message.json();
        } catch {
          return;
        }
        onMessage(value);
        message.respond();
      };
      const listening = connection.subscribe(`${root}.${topic}`, { callback: take });
      return () => listening.unsubscribe();
    },
  };
}
