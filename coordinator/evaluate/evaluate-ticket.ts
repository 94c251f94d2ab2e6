/** Compares a ticket with its target over data, in a thread of its own. */
import { Worker } from 'node:worker_threads';
import { failure, misuse, TombolaError, type TombolaErrorKind } from '../../src/core/errors.ts';
import { elementCount } from '../../src/core/network/shapes.ts';
import { withSharedArrays } from '../shared-arrays.ts';
import type { Evaluation, EvaluationSubject } from './evaluation.ts';

/** What the thread answers. */
export type EvaluationReply =
  | { readonly kind: 'evaluation'; readonly evaluation: Evaluation }
  | { readonly kind: 'refusal'; readonly error: TombolaErrorKind; readonly message: string };

/**
 * Returns how far the ticket is from its target over the inputs. The inputs are copied once.
 * @throws TombolaError (misuse) when inputs or labels are not as many as `count` says, (failure) when a pass cannot be run.
 * @throws the signal's reason when it aborts; the thread is ended then.
 */
export async function evaluateTicket(
  options: EvaluationSubject & { readonly signal?: AbortSignal },
): Promise<Evaluation> {
  const { signal, ...subject } = options;
  signal?.throwIfAborted();
  checkCounts(subject);
  const worker = new Worker(threadEntry(), { workerData: withSharedArrays(subject) });
  try {
    const reply = await replyOf(worker, signal);
    if (reply.kind === 'refusal') throw new TombolaError(reply.error, reply.message);
    return reply.evaluation;
  } finally {
    await worker.terminate();
  }
}

function checkCounts({ network, inputs, count, labels }: EvaluationSubject): void {
  const length = elementCount(network.inputShape);
  if (inputs.length !== count * length || count < 1)
    throw misuse(
      `Cannot evaluate over ${count} inputs: they have ${inputs.length} values in all, expected ${length} each (shape [${network.inputShape.join(', ')}]) and at least one input`,
    );
  if (labels !== null && labels.length !== count)
    throw misuse(
      `Cannot evaluate over ${count} inputs: there are ${labels.length} labels, expected one each`,
    );
}

function replyOf(worker: Worker, signal: AbortSignal | undefined): Promise<EvaluationReply> {
  return new Promise((resolve, reject) => {
    const giveUp = (): void => reject(signal?.reason);
    signal?.addEventListener('abort', giveUp, { once: true });
    const settle = (): void => signal?.removeEventListener('abort', giveUp);
    worker.once('message', (reply: EvaluationReply) => {
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
