/**
 * A job's plan, kept with its results: planning again takes seconds per job, and another version of the planner might give another
 * plan, whose tiles would not be the ones that are committed. It lies in the engine under {@link planName} where tiles have their
 * hashes, as canonical JSON of Plan (src/core/plan/plan.ts) with the seed as decimal text. A plan that is missing or not as expected
 * here is made anew.
 */
import { z } from 'zod';
import { canonicalJson } from '../../src/core/format/json.ts';
import { activationSchema } from '../../src/core/format/network-schema.ts';
import type { Plan } from '../../src/core/plan/plan.ts';
import type { JobStore } from './job-store.ts';

/** The name of a job's plan among its tiles: no hash has it. */
const planName = 'plan';

const number = z.number().finite();
const count = z.number().int().nonnegative();
const univariateSchema = z.strictObject({
  activation: activationSchema,
  blockSize: count,
  signGroups: z.enum(['any', 'positive', 'both']),
  constantRows: count,
  extendedInput: z.boolean(),
});
const planSchema = z.strictObject({
  mode: z.enum(['tolerance', 'exact']),
  epsilon: number,
  rule: z.enum(['fewest', 'closest']),
  inputRange: z.tuple([number, number]),
  source: z.strictObject({
    seed: z.string().regex(/^[0-9]{1,20}$/),
    gridBits: count,
    biasInit: z.enum(['uniform', 'zero']),
    layers: z.array(
      z.strictObject({ rows: count, cols: count, taps: count, gain: number, biasGain: number }),
    ),
  }),
  univariate: univariateSchema,
  deeperUnivariates: z.array(univariateSchema),
  layers: z.array(
    z.strictObject({
      copies: count,
      pool: count,
      reserve: count,
      constantRows: count,
      weightUnit: number,
      sampleShift: count,
      tolerance: number,
      biasUnit: number,
      biasTolerance: number,
      biasQuantum: number,
      biasBlockSize: count,
      ownBias: z.boolean(),
      prediction: z.strictObject({
        missProbability: number,
        rowSuccess: number,
        meanSubsetSize: number,
      }),
    }),
  ),
});

/** Returns the plan that is kept for a job, or the one that `make` returns, which is kept from then on. */
export async function keptPlan(store: JobStore, job: string, make: () => Promise<Plan>): Promise<Plan> {
  const bytes = await store.readResult(job, planName);
  const kept = bytes === undefined ? undefined : decodePlan(bytes);
  if (kept !== undefined) return kept;
  const plan = await make();
  // Asked for together, both go with one sync.
  await Promise.all([store.dropResult(job, planName), store.commitResult(job, planName, encodePlan(plan))]);
  return plan;
}

function encodePlan({ source, ...plan }: Plan): Uint8Array {
  const json = canonicalJson({ ...plan, source: { ...source, seed: source.seed.toString() } });
  return new TextEncoder().encode(json);
}

function decodePlan(bytes: Uint8Array): Plan | undefined {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
  const parsed = planSchema.safeParse(value);
  if (!parsed.success) return undefined;
  const { source, ...plan } = parsed.data;
  return { ...plan, source: { ...source, seed: BigInt(source.seed) } };
}
