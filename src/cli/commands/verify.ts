/**
 * `tombola verify TICKET --target TARGET`: is the ticket what it claims to be?
 */
import { misuse } from '../../core/errors.ts';
import { formatCount } from '../../core/format-number.ts';
import { type CheckSubject, checkFunction, checkResiduals } from '../check-ticket.ts';
import type { CommandContext, Outcome } from '../command-context.ts';
import { fileSha256 } from '../file-digest.ts';
import { loadData } from '../load-data.ts';
import { loadTarget } from '../load-target.ts';
import type { RawOptions } from '../option-table.ts';
import { readTicket } from '../read-ticket.ts';
import { summarise } from '../report/summary.ts';
import { summaryText, verdictLine } from '../report/summary-text.ts';
import { parseSharedOptions } from '../search-options.ts';

/** Checks a ticket and prints the verdict; without images, of structure, residuals and certificate alone. */
export async function verifyCommand(
  ticketPath: string,
  raw: RawOptions,
  context: CommandContext,
): Promise<Outcome> {
  const options = parseSharedOptions(raw);
  const targetPath = raw.get('target');
  if (targetPath === undefined)
    throw misuse(`Cannot verify ${ticketPath} alone: name its target with --target FILE`);
  const { bytes, decoded } = readTicket(ticketPath);
  const target = loadTarget(targetPath, options.activation?.value);
  const data = options.data === null ? null : loadData(options.data, options.scaling, target.network);
  const { progress, signal } = context;
  const subject: CheckSubject = {
    decoded,
    target,
    threads: options.threads,
    progress,
    signal,
    isReadable: raw.get('readable') === 'true',
  };
  progress.say(`Verifying ${ticketPath}: structure, every residual, certificate …`);
  const residuals = await checkResiduals(subject);
  const isSound = residuals.verdict.fault === null;
  if (isSound && data !== null)
    progress.say(`Comparing target and ticket on ${formatCount(data.count)} images …`);
  const compared = isSound && data !== null ? await checkFunction(subject, data) : null;
  const summary = summarise({
    name: target.name,
    ticket: decoded.ticket,
    target,
    verdict: residuals.verdict,
    fault: residuals.fault,
    evaluation: compared?.evaluation ?? null,
    search: null,
    seconds: { plan: null, solve: null, verify: residuals.seconds, evaluate: compared?.seconds ?? null },
    ticketBytes: bytes.length,
    ticketSha256: fileSha256(bytes),
  });
  if (context.isJson) context.print(JSON.stringify(summary, null, 2));
  else if (isSound) context.print(['', summaryText(summary), '', verdictLine(summary)].join('\n'));
  else context.print(verdictLine(summary));
  return summary.verified ? 0 : 1;
}
