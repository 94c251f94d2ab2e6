/**
 * What a job asks for, as it is kept in the engine (StoredJob.request): JSON of {@link JobRequest}, keys sorted. The seed is decimal
 * text, since JSON has no 64-bit numbers.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { failure, misuse, TombolaError } from '../../src/core/errors.ts';
import { canonicalJson } from '../../src/core/format/json.ts';
import { gridBitsMax, gridBitsMin, jobNameLengthMax } from '../../src/core/limits.ts';
import type { PlanOptions } from '../../src/core/plan/make-plan.ts';

const optionsSchema = z.strictObject({
  mode: z.enum(['tolerance', 'exact']),
  epsilon: z.number().nonnegative().finite(),
  rule: z.enum(['fewest', 'closest']),
  seed: z
    .string()
    .regex(/^(0|[1-9][0-9]{0,19})$/)
    .refine((text) => BigInt(text) < 1n << 64n, 'expected less than 2^64'),
  gridBits: z.number().int().min(gridBitsMin).max(gridBitsMax),
  copies: z.union([z.literal('auto'), z.number().int().positive().max(4096)]),
  biasInit: z.enum(['uniform', 'zero']),
  failureProbability: z.number().positive().lt(1),
  inputRange: z.tuple([z.number().finite(), z.number().finite()]),
  construction: z.enum(['L+1', '2L']).exactOptional(),
});
const nameSchema = z.string().max(jobNameLengthMax);
const digestSchema = z.string().regex(/^[0-9a-f]{64}$/);
const requestSchema = z.strictObject({
  name: nameSchema,
  networkBlob: digestSchema,
  targetSha256: digestSchema,
  options: optionsSchema,
});

/** Plan options as they travel in JSON. */
export type PlanOptionsJson = z.infer<typeof optionsSchema>;

/** What a job asks for. */
export interface JobRequest {
  /** For people. */
  readonly name: string;
  /** The blob with the network file. */
  readonly networkBlob: string;
  /** networkDigest of the network. */
  readonly targetSha256: string;
  readonly options: PlanOptions;
}

/** What somebody asks for, not checked yet. */
export interface Submission {
  /** A network file (src/core/format/network-file.ts). */
  readonly network: Uint8Array;
  /** {@link PlanOptionsJson}. */
  readonly options: unknown;
  /** For people. */
  readonly name: string;
  /** Higher comes first. */
  readonly priority: number;
  /** The id of the access token. */
  readonly submitter: string;
}

/** Returns plan options as JSON can hold them. The usual construction goes without saying, so that jobs keep their ids. */
export function planOptionsToJson({
  seed,
  inputRange,
  construction,
  ...options
}: PlanOptions): PlanOptionsJson {
  return {
    ...options,
    seed: seed.toString(),
    inputRange: [inputRange[0], inputRange[1]],
    ...(construction === '2L' ? { construction } : {}),
  };
}

/**
 * Returns the plan options of a submission.
 * @throws TombolaError (misuse) naming the first option that is wrong.
 */
export function planOptionsOfJson(value: unknown): PlanOptions {
  const parsed = optionsSchema.safeParse(value);
  if (!parsed.success) throw misuse(`Cannot accept the job's options: ${firstIssue(parsed.error)}`);
  return { ...parsed.data, seed: BigInt(parsed.data.seed) };
}

/** Returns the name of a submission. @throws TombolaError (misuse) when it is no text or too long. */
export function checkedJobName(name: unknown): string {
  const parsed = nameSchema.safeParse(name);
  if (!parsed.success)
    throw misuse(`Cannot accept the job's name: expected text of at most ${jobNameLengthMax} characters`);
  return parsed.data;
}

/** Returns the text of a request; equal requests give equal text. */
export function encodeJobRequest({ options, ...rest }: JobRequest): string {
  return canonicalJson({ ...rest, options: planOptionsToJson(options) });
}

/** Returns the request of a stored text. @throws TombolaError (failure) when it is none. */
export function decodeJobRequest(text: string): JobRequest {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw failure("Cannot read the job's request: it is no JSON; submit the job again", error);
  }
  const parsed = requestSchema.safeParse(value);
  if (!parsed.success)
    throw failure(`Cannot read the job's request: ${firstIssue(parsed.error)}; submit the job again`);
  return { ...parsed.data, options: planOptionsOfJson(parsed.data.options) };
}

/** Returns the request of a stored text; null when it is none. */
export function readJobRequest(text: string): JobRequest | null {
  try {
    return decodeJobRequest(text);
  } catch (error) {
    if (error instanceof TombolaError) return null;
    throw error;
  }
}

/** Returns the id of a request, a hash of all that its ticket depends on: the same search is the same job, however often it is submitted. */
export function jobIdOf({ targetSha256, options }: JobRequest): string {
  const text = canonicalJson({ targetSha256, options: planOptionsToJson(options) });
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}

function firstIssue(error: z.ZodError): string {
  const issue = error.issues[0];
  return `${issue?.path.join('.') || 'value'}: ${issue?.message ?? 'not as expected'}`;
}
