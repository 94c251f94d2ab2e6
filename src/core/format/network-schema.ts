/**
 * Schemas of the parts of a network description in JSON: strict, so that a misspelt key is refused instead of ignored.
 */
import { z } from 'zod';
import { failure } from '../errors.ts';
import { descriptionBytesMax, layerCountMax, tensorRankMax, windowSizeMax } from '../limits.ts';
import type { Activation } from '../network/activation.ts';
import type { Step } from '../network/network.ts';

/** A dimension: a whole number from 1. */
export const sizeSchema = z.int().min(1);
const windowSizeSchema = z.int().min(1).max(windowSizeMax);
const paddingSizeSchema = z.int().min(0).max(windowSizeMax);

/** [height, width] of a kernel, a stride or a dilation. */
export const pairSchema = z.tuple([windowSizeSchema, windowSizeSchema]);

/** Padding [top, left, bottom, right]. */
export const paddingSchema = z.tuple([
  paddingSizeSchema,
  paddingSizeSchema,
  paddingSizeSchema,
  paddingSizeSchema,
]);

/** The shape of one input. */
export const inputShapeSchema = z.array(sizeSchema).min(1).max(tensorRankMax);

/** Activations with their parameters. */
export const activationSchema: z.ZodType<Activation> = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.enum([
      'identity',
      'relu',
      'tanh',
      'sigmoid',
      'softplus',
      'softsign',
      'hardSwish',
      'mish',
      'silu',
    ]),
  }),
  z.strictObject({ kind: z.literal('leakyRelu'), slope: z.number() }),
  z.strictObject({ kind: z.literal('elu'), alpha: z.number() }),
  z.strictObject({ kind: z.literal('selu'), alpha: z.number(), gamma: z.number() }),
  z.strictObject({ kind: z.literal('gelu'), form: z.enum(['erf', 'tanh']) }),
]);

const windowFields = { kernel: pairSchema, strides: pairSchema, padding: paddingSchema };

/** A step other than an activation. */
export const plainStepSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('maxPool'), ...windowFields }),
  z.strictObject({ kind: z.literal('averagePool'), countPadding: z.boolean(), ...windowFields }),
  z.strictObject({ kind: z.literal('globalAveragePool') }),
  z.strictObject({ kind: z.literal('flatten') }),
]);

/** A step, as network.ts has it. */
export const stepSchema: z.ZodType<Step> = z.union([
  plainStepSchema,
  z.strictObject({ kind: z.literal('activation'), activation: activationSchema }),
]);

/** A list of layers, each by the given schema. */
export function layersSchema<Schema extends z.ZodType>(layer: Schema) {
  return z.array(layer).min(1).max(layerCountMax);
}

/**
 * Returns a JSON text as the schema has it.
 * @throws TombolaError (failure) when it is no JSON or does not fit, naming the place.
 */
export function parseDescription<Schema extends z.ZodType>(
  schema: Schema,
  text: string,
  what: string,
): z.output<Schema> {
  if (text.length > descriptionBytesMax)
    throw failure(`Cannot read ${what}: ${text.length} characters, expected at most ${descriptionBytesMax}`);
  const result = schema.safeParse(parseText(text, what));
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const place = issue === undefined || issue.path.length === 0 ? 'the whole' : issue.path.join('.');
  throw failure(`Cannot read ${what}: ${place}: ${issue?.message}`);
}

function parseText(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw failure(`Cannot read ${what}: it is no JSON`, cause);
  }
}
