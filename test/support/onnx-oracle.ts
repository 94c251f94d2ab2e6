/**
 * onnxruntime as an independent oracle, and the comparison of a model's import with it.
 */
import * as ort from 'onnxruntime-web';
import { expect } from 'vitest';
import { failure } from '../../src/core/errors.ts';
import { importOnnx } from '../../src/core/format/onnx/import-onnx.ts';
import { forward } from '../../src/core/network/forward.ts';
import type { Network } from '../../src/core/network/network.ts';

ort.env.wasm.numThreads = 1;

/** Returns deterministic numbers in [-1, 1). */
export function randomNumbers(count: number, seed = 1): number[] {
  let state = (seed * 2654435761 + 12345) >>> 0;
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.fround((state / 2 ** 32) * 2 - 1);
  });
}

/** A reader of external data for models without any. */
export function noExternal(name: string): Uint8Array {
  throw failure(`Cannot read ${name}: not expected in this test`);
}

/** Returns onnxruntime's first output for each input of shape [1, ...dims]. */
export async function runOracle(
  bytes: Uint8Array,
  dims: readonly number[],
  inputs: readonly Float32Array[],
): Promise<Float64Array[]> {
  const session = await ort.InferenceSession.create(bytes, { logSeverityLevel: 3 });
  const [input = '', output = ''] = [session.inputNames[0], session.outputNames[0]];
  const results: Float64Array[] = [];
  for (const values of inputs) {
    const found = await session.run({ [input]: new ort.Tensor('float32', values, [1, ...dims]) });
    results.push(Float64Array.from((found[output]?.data ?? []) as Float32Array));
  }
  await session.release();
  return results;
}

/** Expects forward(importOnnx(bytes)) to agree with onnxruntime on random inputs to 1e-5 of the largest output; returns the network. */
export async function expectAgreement(
  bytes: Uint8Array,
  dims: readonly number[],
  { scale = 2, count = 3, floor = 1e-3 } = {},
): Promise<Network> {
  const network = importOnnx(bytes, noExternal);
  const size = dims.reduce((product, length) => product * length, 1);
  const inputs = Array.from({ length: count }, (_, seed) =>
    Float32Array.from(randomNumbers(size, seed + 77), (value) => value * scale),
  );
  const expected = await runOracle(bytes, dims, inputs);
  inputs.forEach((input, index) => {
    expectClose(forward(network, Float64Array.from(input)), expected[index] ?? new Float64Array(), floor);
  });
  return network;
}

/** Expects two outputs to differ by at most 1e-5 of the largest value (of `floor` at least). */
export function expectClose(found: Float64Array, expected: Float64Array, floor = 1e-3): void {
  expect(found.length).toBe(expected.length);
  const size = expected.reduce((most, value) => Math.max(most, Math.abs(value)), floor);
  const worst = expected.reduce(
    (most, value, index) => Math.max(most, Math.abs(value - (found[index] ?? Number.NaN))),
    0,
  );
  expect(worst / size).toBeLessThanOrEqual(1e-5);
}
