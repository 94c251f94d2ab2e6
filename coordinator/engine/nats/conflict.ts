/** Tells what JetStream refuses from trouble with it. */
import { JetStreamApiCodes, JetStreamApiError } from '@nats-io/jetstream';

/** Returns whether a publication was refused since its subject has another last message than it expects. */
export function isConflict(error: unknown): boolean {
  return (
    hasCode(error, JetStreamApiCodes.StreamWrongLastSequence) ||
    hasCode(error, JetStreamApiCodes.StreamWrongLastSequenceUnknown)
  );
}

/** Returns whether a request failed since there is no such stream. */
export function isStreamMissing(error: unknown): boolean {
  return hasCode(error, JetStreamApiCodes.StreamNotFound);
}

/** Returns whether a request failed since there is no such consumer. */
export function isConsumerMissing(error: unknown): boolean {
  return hasCode(error, JetStreamApiCodes.ConsumerNotFound) || isStreamMissing(error);
}

/** Returns whether a deletion failed since there is no such message. */
export function isMessageMissing(error: unknown): boolean {
  return error instanceof Error && /no message found|not found/.test(error.message);
}

function hasCode(error: unknown, code: number): boolean {
  return error instanceof JetStreamApiError && error.code === code;
}
