/**
 * What a coordinator says of jobs and workers, read from its JSON: whatever does not look so is refused, and no text that reaches
 * a terminal holds control characters.
 */
import { z } from 'zod';

/** Characters of a text that are shown. */
const shownLengthMax = 500;

/** Returns text that is safe to print: one line without control characters, of bounded length. */
export function plainText(text: string): string {
  return text.slice(0, shownLengthMax).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ');
}

const text = z.string().transform(plainText);
const count = z.number().nonnegative();
const digest = z.string().regex(/^[0-9a-f]{64}$/);

const layerSchema = z.object({
  name: text,
  tilesDone: count,
  tilesKnown: count,
  copies: count,
  copiesWanted: count,
  pass: count,
  isDone: z.boolean(),
});

const jobSchema = z.object({
  job: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/),
  name: text,
  state: z.enum(['running', 'done', 'failed', 'incomplete', 'cancelled']),
  phase: text.nullable(),
  reason: text,
  priority: z.number(),
  progress: z
    .object({
      layers: z.array(layerSchema),
      share: z.number().min(0).max(1),
      blocksPerSecond: count,
      secondsLeft: count.nullable(),
    })
    .nullable(),
  result: z.object({ ticketBlob: digest, ticketBytes: count, summaryBlob: digest }).nullable(),
  request: z.object({ networkBlob: digest, targetSha256: digest, options: z.unknown() }).nullable(),
});

const workerSchema = z.object({
  worker: text,
  kind: text,
  runtime: text,
  threads: count,
  address: text,
  leases: count.default(0),
  tilesDone: count.default(0),
  blocksPerSecond: count.default(0),
  isQuarantined: z.boolean().default(false),
  silentMs: count.default(0),
});

const summarySchema = z.object({
  missedRows: count,
  /** Coordinators of before do not say. */
  predictedMisses: count.optional(),
  missingCopies: count,
  seconds: z.object({ plan: count, solve: count }),
});

/** A job as a coordinator tells it. */
export type JobView = z.infer<typeof jobSchema>;

/** A worker as a coordinator tells it. */
export type WorkerRow = z.infer<typeof workerSchema>;

/** What a job's summary adds to its ticket. */
export type JobFigures = z.infer<typeof summarySchema>;

/** Reads one job. */
export const readJob = (value: unknown): JobView => jobSchema.parse(value);

/** Reads the list of jobs. */
export const readJobs = (value: unknown): readonly JobView[] =>
  z.object({ jobs: z.array(jobSchema) }).parse(value).jobs;

/** Reads the list of workers. */
export const readWorkers = (value: unknown): readonly WorkerRow[] =>
  z.object({ workers: z.array(workerSchema) }).parse(value).workers;

/** Reads a job's summary. */
export const readFigures = (value: unknown): JobFigures => summarySchema.parse(value);

/** Reads the reason that goes with a refusal; '' where there is none. */
export function readRefusal(value: unknown): string {
  const parsed = z.object({ error: text }).safeParse(value);
  return parsed.success ? parsed.data.error : '';
}
