/**
 * `tombola node --engine URL`: a coordinator and a worker in one process, for a swarm of equal machines. The worker prefers its own
 * coordinator, and goes on with another one of the swarm where that one does not answer.
 */
import { issueToken } from '../../../coordinator/tokens.ts';
import { runWorker } from '../../../worker/node/run-worker.ts';
import type { CommandContext, Outcome } from '../command-context.ts';
import type { RawOptions } from '../option-table.ts';
import { plainText } from '../remote/job-view.ts';
import { whenAborted } from '../unless-aborted.ts';
import { startCoordinator } from './serve.ts';

/** Time to hand in what is solved, once told to end. */
const drainMs = 10_000;
/** The worker's token, which nobody else sees, ends with the process or after so long. */
const tokenMs = 365 * 24 * 3600 * 1000;

/** Serves and works until the process is told to end. */
export async function nodeCommand(raw: RawOptions, context: CommandContext): Promise<Outcome> {
  const coordinator = await startCoordinator(raw);
  try {
    const { keys, url, threads, solver, isInsecure: insecure } = coordinator;
    const token = keys === null ? '' : issueToken(keys, { scope: 'worker', ttlMs: tokenMs }, Date.now());
    const onReport = (text: string): void => context.note(plainText(text));
    const worker = await runWorker({ urls: [url], threads, pool: solver, token, insecure, onReport });
    context.print(context.isJson ? JSON.stringify(coordinator.description) : coordinator.greeting);
    await Promise.race([whenAborted(context.signal), worker.ended]);
    await worker.drain(drainMs);
  } finally {
    await coordinator.close();
  }
  return 0;
}
