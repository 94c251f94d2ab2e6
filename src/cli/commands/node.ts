/**
 * `tombola node --engine URL`: a coordinator and a worker in one process, for a swarm of equal machines. The worker prefers its own
 * coordinator, by this machine's name or as it is advertised (a certificate may be for one of them), and goes on with another one of
 * the swarm where that one does not answer.
 */
import { randomUUID } from 'node:crypto';
import { issueToken } from '../../../coordinator/tokens.ts';
import { runWorker } from '../../../worker/node/run-worker.ts';
import { failure } from '../../core/errors.ts';
import type { CommandContext, Outcome } from '../command-context.ts';
import type { RawOptions } from '../option-table.ts';
import { plainText } from '../remote/job-view.ts';
import { whenAborted } from '../unless-aborted.ts';
import { type StartedCoordinator, startCoordinator } from './serve.ts';

/** Time to hand in what is solved, once told to end. */
const drainMs = 10_000;
/** The worker's token, which nobody else sees, ends with the process or after so long. */
const tokenMs = 365 * 24 * 3600 * 1000;

/** Serves and works until the process is told to end. */
export async function nodeCommand(raw: RawOptions, context: CommandContext): Promise<Outcome> {
  const coordinator = await startCoordinator(raw);
  try {
    context.print(context.isJson ? JSON.stringify(coordinator.description) : coordinator.greeting);
    await work(coordinator, context);
  } finally {
    await coordinator.close();
  }
  return 0;
}

/**
 * Works until the process is told to end, with a new token when the keys have been rotated.
 * @throws TombolaError (failure) when the worker is refused for another reason: whoever started the process has to know.
 */
async function work(coordinator: StartedCoordinator, { signal, note }: CommandContext): Promise<void> {
  const { keys, urls, threads, solver, isInsecure: insecure } = coordinator;
  const workerId = randomUUID();
  const onReport = (text: string): void => note(plainText(text));
  for (;;) {
    const signer = keys?.current.id;
    const token =
      keys === null ? '' : issueToken(keys, { scope: 'worker', id: workerId, ttlMs: tokenMs }, Date.now());
    const options = { urls, threads, pool: solver, token, insecure, onReport, workerId };
    const worker = await runWorker(options);
    const reason = await Promise.race([whenAborted(signal), worker.ended]);
    if (signal.aborted) {
      await worker.drain(drainMs);
      return;
    }
    if (signer === keys?.current.id) throw failure(`Cannot go on working: ${plainText(reason ?? '')}`);
    note('The keys have been rotated: the worker goes on with a new token.');
  }
}
