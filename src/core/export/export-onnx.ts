/**
 * A ticket as an ONNX model: `input` [batch, …] → `logits` [batch, outputs], one Gemm or Conv for each source layer, in float32.
 *
 * Initializers: source.λ.weight and source.λ.bias, the kept numbers with 0 for all others, the source's gains folded in; in the form `full`
 * outputs, the columns of what the last layer gives that are the network's outputs, which a Gather picks. `metadata_props` has the texts of
 * export-metadata.ts, `doc_string` a sentence for people. Operator set 17, 18 with Mish, 20 with GELU.
 *
 * Weights stand in the model itself while it stays below protobuf's 2 GiB, else in one data file beside it (external data).
 */
import { joined } from '../format/joined.ts';
import { fieldStart, integerField, messageField, textField } from '../format/onnx/protobuf-writer.ts';
import { onnxBytesMax } from '../limits.ts';
import type { ExportNetwork } from './export-layers.ts';
import { OnnxChain } from './onnx-nodes.ts';
import { float32Rows, storedStream, streamBytes, type TensorStream } from './tensor-stream.ts';

/** The files of a model; chunks may be overwritten when the next is asked for. */
export interface OnnxFiles {
  readonly model: Iterable<Uint8Array>;
  /** The data file, where one is needed. */
  readonly data: Iterable<Uint8Array> | null;
}

/** What is known of an export besides its network. */
export interface OnnxOptions {
  readonly metadata: ReadonlyMap<string, string>;
  /** Name of the data file, beside the model, should one be needed. */
  readonly dataName: string;
  /** Bytes of weights above which they go into the data file; other than the default in tests only. */
  readonly inlineBytesMax?: number;
}

const irVersion = 8;
const int64Type = 7;
const float32Type = 1;
/** Room for everything in a model that is not a weight: names, nodes, texts. */
const besidesWeights = 1 << 24;

/** Returns the files of the model. */
export function exportOnnx(network: ExportNetwork, options: OnnxOptions): OnnxFiles {
  const { metadata, dataName, inlineBytesMax = onnxBytesMax - besidesWeights } = options;
  const tensors = initializers(network);
  const sizes = [...tensors.values()].map(streamBytes);
  const isInline = sizes.reduce((sum, size) => sum + size, 0) <= inlineBytesMax;
  const chain = chainOf(network);
  const parts: GraphPart[] = [];
  let offset = 0;
  for (const [name, stream] of tensors) {
    parts.push(isInline ? inlineTensor(name, stream) : externalTensor(name, stream, { dataName, offset }));
    offset += streamBytes(stream);
  }
  return {
    model: modelChunks(network, chain, parts, metadata),
    data: isInline ? null : dataChunks(tensors.values()),
  };
}

/** A field of the graph: its bytes, and the data that end it. */
interface GraphPart {
  readonly start: Uint8Array;
  readonly data: TensorStream | null;
}

function initializers({ layers, outputs }: ExportNetwork): ReadonlyMap<string, TensorStream> {
  const tensors = new Map<string, TensorStream>();
  layers.forEach(({ shape, bias, biasMask, keptWeights }, index) => {
    const [weight, offset] = parameterNames(index);
    const kept = bias.map((value, row) => (biasMask[row] === 1 ? value : 0));
    tensors.set(weight, float32Rows(shape, keptWeights));
    tensors.set(offset, storedStream('F32', [bias.length], kept));
  });
  if (outputs !== null)
    tensors.set('outputs', storedStream('I64', [outputs.length], BigInt64Array.from(outputs, BigInt)));
  return tensors;
}

function parameterNames(index: number): readonly [string, string] {
  return [`source.${index + 1}.weight`, `source.${index + 1}.bias`];
}

function chainOf({ inputSteps, layers, outputs }: ExportNetwork): OnnxChain {
  const chain = new OnnxChain('input');
  for (const step of inputSteps) chain.step(step);
  layers.forEach((layer, index) => {
    chain.linear(layer, parameterNames(index));
    for (const step of layer.steps) chain.step(step);
  });
  if (outputs !== null) chain.gather('outputs');
  chain.end('logits');
  return chain;
}

function inlineTensor(name: string, stream: TensorStream): GraphPart {
  const length = streamBytes(stream);
  const head = joined([tensorHead(name, stream), fieldStart(9, length)]);
  return { start: joined([fieldStart(5, head.length + length), head]), data: stream };
}

function externalTensor(
  name: string,
  stream: TensorStream,
  { dataName, offset }: { readonly dataName: string; readonly offset: number },
): GraphPart {
  const entries = { location: dataName, offset: String(offset), length: String(streamBytes(stream)) };
  const message = joined([
    tensorHead(name, stream),
    ...Object.entries(entries).map(([key, value]) =>
      messageField(13, joined([textField(1, key), textField(2, value)])),
    ),
    integerField(14, 1),
  ]);
  return { start: messageField(5, message), data: null };
}

function tensorHead(name: string, { dtype, shape }: TensorStream): Uint8Array {
  return joined([
    ...shape.map((size) => integerField(1, size)),
    integerField(2, dtype === 'I64' ? int64Type : float32Type),
    textField(8, name),
  ]);
}

function* modelChunks(
  network: ExportNetwork,
  chain: OnnxChain,
  parts: readonly GraphPart[],
  metadata: ReadonlyMap<string, string>,
): Generator<Uint8Array> {
  const before = joined([...chain.nodes.map((node) => messageField(1, node)), textField(2, 'ticket')]);
  const after = joined([
    messageField(11, valueInfo('input', network.inputShape)),
    messageField(12, valueInfo(chain.tensor, network.outputShape)),
  ]);
  const length = parts.reduce(
    (sum, { start, data }) => sum + start.length + (data === null ? 0 : streamBytes(data)),
    before.length + after.length,
  );
  yield joined([
    integerField(1, irVersion),
    textField(2, 'tombola'),
    textField(6, `A strong lottery ticket: a pruned random network. ${metadata.get('tombola_note') ?? ''}`),
    fieldStart(7, length),
    before,
  ]);
  for (const { start, data } of parts) {
    yield start;
    if (data !== null) yield* data.chunks();
  }
  yield after;
  yield messageField(8, joined([textField(1, ''), integerField(2, chain.opset)]));
  for (const [key, value] of metadata)
    yield messageField(14, joined([textField(1, key), textField(2, value)]));
}

function* dataChunks(tensors: Iterable<TensorStream>): Generator<Uint8Array> {
  for (const tensor of tensors) yield* tensor.chunks();
}

/** A value [batch, …] of float32. */
function valueInfo(name: string, shape: readonly number[]): Uint8Array {
  const dims = joined([
    messageField(1, textField(2, 'batch')),
    ...shape.map((size) => messageField(1, integerField(1, size))),
  ]);
  const tensorType = joined([integerField(1, float32Type), messageField(2, dims)]);
  return joined([textField(1, name), messageField(2, messageField(1, tensorType))]);
}
