/** What came of a job: ids of its blobs, as kept in StoredJob.result, and the summary blob: JSON of {@link JobSummary}. */
import { z } from 'zod';
import type { TicketVerdict } from '../../src/core/verify/verify-ticket.ts';
import type { Construction } from '../construct.ts';

const resultSchema = z.strictObject({
  /** Blob of the sealed ticket file. */
  ticketBlob: z.string(),
  ticketBytes: z.number(),
  /** Blob of the summary. */
  summaryBlob: z.string(),
});

/** The blobs of a job that is done. */
export type JobResult = Readonly<z.infer<typeof resultSchema>>;

/** What is known of a sealed ticket. */
export interface JobSummary {
  readonly job: string;
  readonly name: string;
  readonly ticketSha256: string;
  readonly ticketBytes: number;
  readonly targetSha256: string;
  /** Rows tried that are no copies. */
  readonly missedRows: number;
  /** Of these, how many the plan expected. */
  readonly predictedMisses: number;
  readonly missingCopies: number;
  /** The verification of the sealed bytes; a bound that is not finite is null. */
  readonly verdict: TicketVerdict;
  /** Since this coordinator started on it; an interrupted job's earlier share is not in it. */
  readonly seconds: { readonly plan: number; readonly solve: number; readonly verify: number };
}

/** Returns the stored text of a result. */
export function encodeJobResult(result: JobResult): string {
  return JSON.stringify(result);
}

/** Returns the result of a stored text; null where there is none. */
export function decodeJobResult(text: string): JobResult | null {
  if (text === '') return null;
  const parsed = resultSchema.safeParse(JSON.parse(text));
  return parsed.success ? parsed.data : null;
}

/** A ticket that has been verified as read back. */
export interface SealedTicket {
  readonly bytes: Uint8Array;
  readonly sha256: string;
  readonly construction: Construction;
  readonly verdict: TicketVerdict;
}
