/**
 * The ticket file: a safetensors file whose metadata hold the source's description and whose tensors hold the mask.
 *
 * `__metadata__.tombola` is one JSON object:
 *
 *   format        1
 *   mode          "tolerance" | "exact";  epsilon: relative tolerance, 0 in exact mode;  rule: "fewest" | "closest"
 *   inputRange    [low, high] of every element of the network's input
 *   targetSha256  digest of the target (network-file.ts)
 *   source        {seed: decimal text, gridBits, biasInit: "uniform" | "zero", layers: [{rows, cols, taps, gain, biasGain}, …]}
 *   univariate    {constantRows, extendedInput, signGroups: "any" | "positive" | "both"}
 *   deeperUnivariates  [the same for source layers 3, 5, …, …]; present in the 2L construction only
 *   layers        per target layer {ownBias, weightQuantum, biasQuantum, biasTolerance} (ticket/ticket.ts)
 *   digests       {tensor name: hex SHA-256 of its bytes, …}
 *
 * Every number of the source follows from this: source/source-network.ts says how, in NumPy too.
 * Tensors, these and no others, with λ the 1-based source layer (λ = 1 is univariate, λ = ℓ+1 stands for target layer ℓ; in the 2L construction every odd λ
 * is univariate, and λ = 2ℓ stands for target layer ℓ):
 *
 *   source.1.inputs             I32 [rows]                the input each row keeps, −1 for none; for λ = 3, 5, … its col·taps + tap
 *   source.λ.copy_counts        I32 [neurons]             copies of each target neuron
 *   source.λ.copy_rows          I32 [copies]              their rows, neuron by neuron, ascending
 *   source.λ.masks              U8  [copies, bytes]       mask bits of each copy, little bit order
 *                                                         (`np.unpackbits(…, axis=1, bitorder="little")`)
 *   source.λ.bias_elements      I32 [edges]               col·taps + tap of the constants' edges in the bias block
 *   source.λ.constant_elements  I32 [constant rows]       the edge each constant row keeps, −1 for none
 *
 * Meaning of the mask bits of a row, in order: for every input channel (with sign groups: first the univariate rows of positive,
 * then those of negative weight), for every tap, one bit per copy of that channel in ascending row order; then one bit per
 * entry of bias_elements; then, with ownBias, one for the row's own bias. Unused bits of the last byte are 0. A set bit keeps the source's
 * weight at [row, col, tap]; all other weights of the row are pruned.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { z } from 'zod';
import { failure } from '../errors.ts';
import { gridBitsMax, gridBitsMin, layerCountMax } from '../limits.ts';
import { constructionOf, sourceLayerOf } from '../plan/stage.ts';
import type { Ticket, TicketLayer, UnivariateTicket } from '../ticket/ticket.ts';
import { joined } from './joined.ts';
import { canonicalJson } from './json.ts';
import { readSafetensors, safetensorsParts } from './safetensors.ts';
import { int32Tensor, type Tensor, toInt32Array, uint8Tensor } from './tensor.ts';

const metadataKey = 'tombola';
const formatVersion = 1;

const size = z.number().int().nonnegative();
const positive = z.number().positive().finite();
const sourceSchema = z.strictObject({
  seed: z.string().regex(/^[0-9]{1,20}$/),
  gridBits: z.number().int().min(gridBitsMin).max(gridBitsMax),
  biasInit: z.enum(['uniform', 'zero']),
  layers: z
    .array(
      z.strictObject({
        rows: size,
        cols: size,
        taps: size,
        gain: positive,
        biasGain: z.number().nonnegative().finite(),
      }),
    )
    .max(2 * layerCountMax),
});
const layerSchema = z.strictObject({
  ownBias: z.boolean(),
  weightQuantum: z.number().nonnegative().finite(),
  biasQuantum: z.number().nonnegative().finite(),
  biasTolerance: z.number().nonnegative().finite(),
});
const univariateSchema = z.strictObject({
  constantRows: size,
  extendedInput: z.boolean(),
  signGroups: z.enum(['any', 'positive', 'both']),
});
const metadataSchema = z.strictObject({
  format: z.literal(formatVersion),
  mode: z.enum(['tolerance', 'exact']),
  epsilon: z.number().nonnegative().finite(),
  rule: z.enum(['fewest', 'closest']),
  inputRange: z.tuple([z.number().finite(), z.number().finite()]),
  targetSha256: z.string().regex(/^[0-9a-f]{64}$/),
  source: sourceSchema,
  univariate: univariateSchema,
  deeperUnivariates: z.array(univariateSchema).min(1).max(layerCountMax).optional(),
  layers: z.array(layerSchema).max(layerCountMax),
  digests: z.record(z.string(), z.string()),
});

/** Returns the file of a ticket; the same ticket gives the same bytes. */
export function encodeTicket(ticket: Ticket): Uint8Array {
  return joined(encodeTicketParts(ticket));
}

/** Returns the file of a ticket in parts, to be written one behind the other. Masks are not copied. */
export function encodeTicketParts(ticket: Ticket): readonly Uint8Array[] {
  const tensors = new Map<string, Tensor>();
  tensors.set('source.1.inputs', vector(ticket.univariate.inputs));
  ticket.layers.forEach((layer, index) => {
    const deeper = ticket.deeperUnivariates[index - 1];
    if (deeper !== undefined) tensors.set(`source.${2 * index + 1}.inputs`, vector(deeper.inputs));
    const prefix = `source.${sourceLayerOf(constructionOf(ticket), index) + 1}`;
    const copies = layer.copyRows.length;
    tensors.set(`${prefix}.copy_counts`, vector(layer.copyCounts));
    tensors.set(`${prefix}.copy_rows`, vector(layer.copyRows));
    tensors.set(
      `${prefix}.masks`,
      uint8Tensor([copies, copies === 0 ? 0 : layer.masks.length / copies], layer.masks),
    );
    tensors.set(`${prefix}.bias_elements`, vector(layer.biasElements));
    tensors.set(`${prefix}.constant_elements`, vector(layer.constantElements));
  });
  return safetensorsParts(tensors, new Map([[metadataKey, canonicalJson(describe(ticket, tensors))]]));
}

function describe(ticket: Ticket, tensors: ReadonlyMap<string, Tensor>): z.infer<typeof metadataSchema> {
  const { mode, epsilon, rule, inputRange, targetSha256, source, univariate, deeperUnivariates, layers } =
    ticket;
  return {
    format: formatVersion,
    mode,
    epsilon,
    rule,
    inputRange: [inputRange[0], inputRange[1]],
    targetSha256,
    source: { ...source, seed: source.seed.toString(), layers: source.layers.map((layer) => ({ ...layer })) },
    univariate: describeUnivariate(univariate),
    ...(deeperUnivariates.length === 0
      ? {}
      : { deeperUnivariates: deeperUnivariates.map(describeUnivariate) }),
    layers: layers.map(({ ownBias, weightQuantum, biasQuantum, biasTolerance }) => ({
      ownBias,
      weightQuantum,
      biasQuantum,
      biasTolerance,
    })),
    digests: Object.fromEntries([...tensors].map(([name, tensor]) => [name, digest(tensor)])),
  };
}

function describeUnivariate({
  constantRows,
  extendedInput,
  signGroups,
}: UnivariateTicket): z.infer<typeof univariateSchema> {
  return { constantRows, extendedInput, signGroups };
}

/** A ticket as read, with the names of tensors that are not the bytes their digest was made of. */
export interface DecodedTicket {
  readonly ticket: Ticket;
  readonly changedTensors: readonly string[];
}

/** Tells whether the bytes are a ticket file rather than another safetensors file. */
export function isTicket(bytes: Uint8Array): boolean {
  return readSafetensors(bytes).metadata.has(metadataKey);
}

/**
 * Returns the ticket of a file. Its claims are not checked here: that is what verify/verify-ticket.ts is for.
 * @throws TombolaError (failure) when the file is no ticket file.
 */
export function decodeTicket(bytes: Uint8Array): DecodedTicket {
  const { metadata, tensors } = readSafetensors(bytes);
  const described = parseMetadata(metadata.get(metadataKey));
  const read = new Set<string>();
  const tensorOf = (name: string): Tensor | undefined => {
    read.add(name);
    return tensors.get(name);
  };
  const integers = (name: string): Int32Array => readVector(tensorOf(name), name);
  const { source, univariate, deeperUnivariates = [], layers, digests, format: _, ...claims } = described;
  const construction = constructionOf({ deeperUnivariates });
  const ticket: Ticket = {
    ...claims,
    source: { ...source, seed: parseSeed(source.seed) },
    univariate: { ...univariate, inputs: integers('source.1.inputs') },
    deeperUnivariates: deeperUnivariates.map((deeper, index) => ({
      ...deeper,
      inputs: integers(`source.${2 * index + 3}.inputs`),
    })),
    layers: layers.map((layer, index): TicketLayer => {
      const prefix = `source.${sourceLayerOf(construction, index) + 1}`;
      const copyRows = integers(`${prefix}.copy_rows`);
      return {
        ...layer,
        copyCounts: integers(`${prefix}.copy_counts`),
        copyRows,
        masks: readMasks(tensorOf(`${prefix}.masks`), { name: `${prefix}.masks`, copies: copyRows.length }),
        biasElements: integers(`${prefix}.bias_elements`),
        constantElements: integers(`${prefix}.constant_elements`),
      };
    }),
  };
  const stray = [...tensors.keys()].find((name) => !read.has(name));
  if (stray !== undefined)
    throw failure(
      `Cannot read the ticket: it has a tensor ${stray}, expected those of its source layers alone`,
    );
  const changed = [...tensors].filter(([name, tensor]) => digests[name] !== digest(tensor));
  return { ticket, changedTensors: changed.map(([name]) => name) };
}

function readVector(tensor: Tensor | undefined, name: string): Int32Array {
  if (tensor?.dtype !== 'I32' || tensor.shape.length !== 1) throw oddTensor(tensor, name, 'I32 [count]');
  return toInt32Array(tensor, name);
}

/** The bytes of a row follow from the ticket's other parts: verify/ticket-structure.ts. */
function readMasks(
  tensor: Tensor | undefined,
  { name, copies }: { name: string; copies: number },
): Uint8Array {
  if (tensor?.dtype !== 'U8' || tensor.shape.length !== 2 || tensor.shape[0] !== copies)
    throw oddTensor(tensor, name, `U8 [${copies}, bytes]`);
  return tensor.data;
}

function oddTensor(tensor: Tensor | undefined, name: string, expected: string): Error {
  const found = tensor === undefined ? 'missing' : `${tensor.dtype} [${tensor.shape.join(', ')}]`;
  return failure(`Cannot read the ticket: tensor ${name} is ${found}, expected ${expected}`);
}

function parseMetadata(text: string | undefined): z.infer<typeof metadataSchema> {
  if (text === undefined)
    throw failure(
      `Cannot read the ticket: the file has no metadata "${metadataKey}", expected a file that \`tombola search\` wrote`,
    );
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw failure('Cannot read the ticket: its metadata are no JSON', cause);
  }
  const parsed = metadataSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw failure(
    `Cannot read the ticket: metadata ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not as expected'}`,
  );
}

function parseSeed(text: string): bigint {
  const seed = BigInt(text);
  if (seed >= 1n << 64n) throw failure(`Cannot read the ticket: seed ${text}, expected a number below 2^64`);
  return seed;
}

function vector(values: Int32Array): Tensor {
  return int32Tensor([values.length], values);
}

function digest(tensor: Tensor): string {
  return bytesToHex(sha256(tensor.data));
}
