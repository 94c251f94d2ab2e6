/**
 * The end of a search, wherever the ticket was found: write ─ read back and verify ─ seal ─ compare over data ─ report.
 */
import { closeSync, fstatSync, openSync, readSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { decodeTicket } from '../core/format/ticket-file.ts';
import { formatCount } from '../core/format-number.ts';
import type { Ticket } from '../core/ticket/ticket.ts';
import { type CheckSubject, checkFunction, checkResiduals } from './check-ticket.ts';
import { fileSha256 } from './file-digest.ts';
import type { LoadedData } from './load-data.ts';
import type { LoadedTarget } from './load-target.ts';
import type { Progress } from './progress.ts';
import { modelCard } from './report/model-card.ts';
import { type Summary, type SummarySources, summarise } from './report/summary.ts';
import { bytesAtATime, runFiles, seal, writeDurably, writePartial } from './run-folder.ts';
import type { SearchOptions } from './search-options.ts';

/** Everything a search works with. */
export interface SearchTask {
  readonly target: LoadedTarget;
  readonly options: SearchOptions;
  readonly data: LoadedData | null;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** What is known of a search whose ticket has been written. */
export interface SearchFigures {
  /** Blocks in copies, for the display; null where nobody knows. */
  readonly blocks: number | null;
  readonly search: SummarySources['search'];
  readonly seconds: { readonly plan: number | null; readonly solve: number | null };
}

/** Writes a ticket file, given in parts, under the name of an unfinished one: the first half of the end of a search. */
export function keepTicket(folder: string, parts: readonly Uint8Array[]): void {
  writePartial(folder, runFiles.partialTicket, parts);
}

/**
 * Checks the ticket that was kept and fills the run folder. A ticket that does not verify stays unsealed and makes the summary say so.
 * @throws TombolaError when the ticket cannot be read or written.
 * @throws the signal's reason when it aborts.
 */
export async function finishRun(task: SearchTask, folder: string, found: SearchFigures): Promise<Summary> {
  const { target, options, progress, signal } = task;
  const written = readShared(join(folder, runFiles.partialTicket));
  const decoded = decodeTicket(written);
  const subject: CheckSubject = { decoded, target, threads: options.threads, progress, signal };
  const blocks = found.blocks === null ? '' : ` of ${formatCount(found.blocks)} blocks`;
  progress.say(`Verifying: every residual${blocks}, from the written file …`);
  const residuals = await checkResiduals(subject);
  if (residuals.fault === null) seal(folder, runFiles.partialTicket, runFiles.ticket);
  const compared = residuals.fault === null && task.data !== null ? await compare(subject, task.data) : null;
  const summary = summarise({
    name: options.name ?? target.name,
    ticket: decoded.ticket,
    target,
    verdict: residuals.verdict,
    fault: residuals.fault,
    evaluation: compared?.evaluation ?? null,
    search: found.search,
    seconds: { ...found.seconds, verify: residuals.seconds, evaluate: compared?.seconds ?? null },
    ticketBytes: written.length,
    ticketSha256: fileSha256(written),
  });
  if (residuals.fault === null) await writeReport(task, folder, { summary, ticket: decoded.ticket });
  return summary;
}

/** Returns a file's bytes in memory that the verifying threads read without copies of their own. */
function readShared(path: string): Uint8Array {
  const file = openSync(path, 'r');
  try {
    const bytes = new Uint8Array(new SharedArrayBuffer(fstatSync(file).size));
    for (let read = 0, count = 1; read < bytes.length && count > 0; read += count)
      count = readSync(file, bytes, read, Math.min(bytes.length - read, bytesAtATime), read);
    return bytes;
  } finally {
    closeSync(file);
  }
}

async function compare(subject: CheckSubject, data: LoadedData): ReturnType<typeof checkFunction> {
  subject.progress.say(`Comparing target and ticket on ${formatCount(data.count)} images …`);
  return checkFunction(subject, data);
}

/** The summary comes last, since it marks the run as complete; the solved tiles are of no more use then. */
async function writeReport(
  { target, options, data }: SearchTask,
  folder: string,
  { summary, ticket }: { readonly summary: Summary; readonly ticket: Ticket },
): Promise<void> {
  // Loading the plots takes a third of a second, which a run that is remote or fails need not wait for.
  const { reportHtml } = await import('./report/report-html.ts');
  writeDurably(folder, runFiles.card, modelCard(summary, { target, options, folder }));
  writeDurably(folder, runFiles.report, reportHtml({ summary, ticket, target, options, data, folder }));
  writeDurably(folder, runFiles.summary, `${JSON.stringify(summary, null, 2)}\n`);
  rmSync(join(folder, runFiles.state), { recursive: true, force: true });
}
