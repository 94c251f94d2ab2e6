/**
 * Writes a fully connected ReLU network as an ONNX model: Gemm, Relu, …, Gemm, with float32 weights.
 *
 * Field numbers are those of onnx.proto3.
 */
import { joined } from '../../core/format/joined.ts';
import { integerField, messageField, textField } from '../../core/format/onnx/protobuf-writer.ts';
import type { TrainedLayer } from './train-mlp.ts';

const float32Type = 1;
const intAttribute = 2;
const irVersion = 8;
const opsetVersion = 17;

/** Returns the bytes of the model: `input` [batch, inputs] → `logits` [batch, outputs]. Parameters are rounded to float32. */
export function encodeMlpOnnx(layers: readonly TrainedLayer[], producer: string): Uint8Array {
  const nodes = layers.flatMap((_, i) => layerNodes(i, layers.length));
  const tensors = layers.flatMap(({ weights, bias, inputs, outputs }, i) => [
    messageField(5, encodeTensor(`${i}.weight`, [outputs, inputs], weights)),
    messageField(5, encodeTensor(`${i}.bias`, [outputs], bias)),
  ]);
  const graph = joined([
    ...nodes.map((node) => messageField(1, node)),
    textField(2, 'mlp'),
    ...tensors,
    messageField(11, encodeValue('input', layers[0]?.inputs ?? 0)),
    messageField(12, encodeValue('logits', layers.at(-1)?.outputs ?? 0)),
  ]);
  return joined([
    integerField(1, irVersion),
    textField(2, producer),
    messageField(7, graph),
    messageField(8, joined([textField(1, ''), integerField(2, opsetVersion)])),
  ]);
}

/** Gemm with transposed weights, and a Relu behind it unless it is the last layer. */
function layerNodes(index: number, count: number): Uint8Array[] {
  const input = index === 0 ? 'input' : `h${index - 1}`;
  const isLast = index === count - 1;
  const sum = isLast ? 'logits' : `z${index}`;
  const transposed = joined([textField(1, 'transB'), integerField(3, 1), integerField(20, intAttribute)]);
  const gemm = joined([
    ...[input, `${index}.weight`, `${index}.bias`].map((name) => textField(1, name)),
    textField(2, sum),
    textField(4, 'Gemm'),
    messageField(5, transposed),
  ]);
  return isLast
    ? [gemm]
    : [gemm, joined([textField(1, sum), textField(2, `h${index}`), textField(4, 'Relu')])];
}

function encodeTensor(name: string, shape: readonly number[], values: Float64Array): Uint8Array {
  const raw = new DataView(new ArrayBuffer(values.length * 4));
  values.forEach((value, i) => {
    raw.setFloat32(i * 4, value, true);
  });
  return joined([
    ...shape.map((size) => integerField(1, size)),
    integerField(2, float32Type),
    textField(8, name),
    messageField(9, new Uint8Array(raw.buffer)),
  ]);
}

/** A value [batch, features] of float32. */
function encodeValue(name: string, features: number): Uint8Array {
  const shape = joined([messageField(1, textField(2, 'batch')), messageField(1, integerField(1, features))]);
  const tensorType = joined([integerField(1, float32Type), messageField(2, shape)]);
  return joined([textField(1, name), messageField(2, messageField(1, tensorType))]);
}
