/**
 * `tombola worker URL…`: solves what coordinators grant, until it is told to end.
 */
import { openLog } from '../../../coordinator/gateway/log.ts';
import { runWorker } from '../../../worker/node/run-worker.ts';
import { failure } from '../../core/errors.ts';
import type { CommandContext, Outcome } from '../command-context.ts';
import type { RawOptions } from '../option-table.ts';
import { readToken } from '../remote/connection-options.ts';
import { plainText } from '../remote/job-view.ts';
import { parseSharedOptions } from '../search-options.ts';

/** Time to hand in what is solved, once told to end. */
const drainMs = 20_000;

/** Works until the process is told to end, or no coordinator lets it in. */
export async function workerCommand(
  urls: readonly string[],
  raw: RawOptions,
  context: CommandContext,
): Promise<Outcome> {
  const log = openLog((line) => {
    process.stderr.write(line);
  });
  const report = (text: string): void => {
    if (context.isJson) log('worker', { text });
    else context.note(plainText(text));
  };
  const worker = await runWorker({
    urls,
    threads: parseSharedOptions(raw).threads,
    token: readToken(raw),
    insecure: raw.get('insecure') === 'true',
    onReport: report,
  });
  const drain = (): void => {
    worker.drain(drainMs).catch(() => undefined);
  };
  if (context.signal.aborted) drain();
  context.signal.addEventListener('abort', drain, { once: true });
  const reason = await worker.ended;
  if (!context.signal.aborted)
    throw failure(`Cannot go on working: ${plainText(reason)}; see --help for how a token is given`);
  report(`Ended: ${reason}`);
  return 0;
}
