/**
 * Writes a fully connected ReLU network as an ONNX model: Gemm, Relu, …, Gemm, with float32 weights.
 *
 * ONNX is protobuf: a message is a list of fields, each a key (number·8 + wire type) and a value. Used here: wire type 0, a
 * varint, and 2, a length and bytes (a string, raw data or a message). Field numbers are those of onnx.proto3.
 */
import type { TrainedLayer } from './train-mlp.ts';

const float32Type = 1;
const intAttribute = 2;
const irVersion = 8;
const opsetVersion = 17;

/** Returns the bytes of the model: `input` [batch, inputs] → `logits` [batch, outputs]. Parameters are rounded to float32. */
export function encodeMlpOnnx(layers: readonly TrainedLayer[], producer: string): Uint8Array {
  const nodes = layers.flatMap((_, i) => layerNodes(i, layers.length));
  const tensors = layers.flatMap(({ weights, bias, inputs, outputs }, i) => [
    message(5, encodeTensor(`${i}.weight`, [outputs, inputs], weights)),
    message(5, encodeTensor(`${i}.bias`, [outputs], bias)),
  ]);
  const graph = concatenate([
    ...nodes.map((node) => message(1, node)),
    text(2, 'mlp'),
    ...tensors,
    message(11, encodeValue('input', layers[0]?.inputs ?? 0)),
    message(12, encodeValue('logits', layers.at(-1)?.outputs ?? 0)),
  ]);
  return concatenate([
    integer(1, irVersion),
    text(2, producer),
    message(7, graph),
    message(8, concatenate([text(1, ''), integer(2, opsetVersion)])),
  ]);
}

/** Gemm with transposed weights, and a Relu behind it unless it is the last layer. */
function layerNodes(index: number, count: number): Uint8Array[] {
  const input = index === 0 ? 'input' : `h${index - 1}`;
  const isLast = index === count - 1;
  const sum = isLast ? 'logits' : `z${index}`;
  const transposed = concatenate([text(1, 'transB'), integer(3, 1), integer(20, intAttribute)]);
  const gemm = concatenate([
    ...[input, `${index}.weight`, `${index}.bias`].map((name) => text(1, name)),
    text(2, sum),
    text(4, 'Gemm'),
    message(5, transposed),
  ]);
  return isLast ? [gemm] : [gemm, concatenate([text(1, sum), text(2, `h${index}`), text(4, 'Relu')])];
}

function encodeTensor(name: string, shape: readonly number[], values: Float64Array): Uint8Array {
  const raw = new DataView(new ArrayBuffer(values.length * 4));
  values.forEach((value, i) => {
    raw.setFloat32(i * 4, value, true);
  });
  return concatenate([
    ...shape.map((size) => integer(1, size)),
    integer(2, float32Type),
    text(8, name),
    message(9, new Uint8Array(raw.buffer)),
  ]);
}

/** A value [batch, features] of float32. */
function encodeValue(name: string, features: number): Uint8Array {
  const shape = concatenate([message(1, text(2, 'batch')), message(1, integer(1, features))]);
  const tensorType = concatenate([integer(1, float32Type), message(2, shape)]);
  return concatenate([text(1, name), message(2, message(1, tensorType))]);
}

function integer(field: number, value: number): Uint8Array {
  return Uint8Array.from([...varint(field * 8), ...varint(value)]);
}

function text(field: number, value: string): Uint8Array {
  return message(field, new TextEncoder().encode(value));
}

function message(field: number, bytes: Uint8Array): Uint8Array {
  return concatenate([Uint8Array.from([...varint(field * 8 + 2), ...varint(bytes.length)]), bytes]);
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return [...bytes, rest];
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
