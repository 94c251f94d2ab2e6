/** Runs target and ticket over a part of the data in a thread of its own. */
import { Worker } from 'node:worker_threads';
import { failure, TombolaError, type TombolaErrorKind } from '../../src/core/errors.ts';
import type { PassOutputs, PassSubject } from './run-passes.ts';

/** What the thread answers. */
export type PassReply =
  | { readonly kind: 'outputs'; readonly outputs: PassOutputs }
  | { readonly kind: 'refusal'; readonly error: TombolaErrorKind; readonly message: string };

/**
 * Returns the outputs. Arrays that lie in shared memory are not copied.
 * @throws TombolaError (failure) when a pass cannot be run; the signal's reason when it aborts; the thread is ended then.
 */
export async function passOnThread(subject: PassSubject, signal: AbortSignal): Promise<PassOutputs> {
  signal.throwIfAborted();
  const worker = new Worker(threadEntry(), { workerData: subject });
  try {
    const reply = await replyOf(worker, signal);
    if (reply.kind === 'refusal') throw new TombolaError(reply.error, reply.message);
    return reply.outputs;
  } finally {
    await worker.terminate();
  }
}

function replyOf(worker: Worker, signal: AbortSignal): Promise<PassReply> {
  return new Promise((resolve, reject) => {
    const giveUp = (): void => reject(signal.reason);
    signal.addEventListener('abort', giveUp, { once: true });
    const settle = (): void => signal.removeEventListener('abort', giveUp);
    worker.once('message', (reply: PassReply) => {
      settle();
      resolve(reply);
    });
    worker.once('error', (error) => {
      settle();
      reject(threadError(error));
    });
    worker.once('exit', (code) => {
      settle();
      reject(new Error(`the evaluating thread ended with code ${code} and no answer`));
    });
  });
}

/** Running out of memory is the machine's limit; anything else is our bug and keeps its stack. */
function threadError(error: Error): Error {
  if (!('code' in error) || error.code !== 'ERR_WORKER_OUT_OF_MEMORY') return error;
  return failure(
    'Cannot evaluate the ticket: the memory of its thread is used up, expected a machine with more of it',
    error,
  );
}

/**
 * Worker threads load JavaScript. Run from its TypeScript source, as tests do, this file lies two folders below the
 * repository root, and the compiled entry lies in dist.
 */
function threadEntry(): URL {
  const place = import.meta.url.endsWith('.ts')
    ? '../../dist/coordinator/evaluate/evaluate-thread.js'
    : './evaluate-thread.js';
  return new URL(place, import.meta.url);
}
