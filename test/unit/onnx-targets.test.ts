import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { importOnnx } from '../../src/core/format/onnx/import-onnx.ts';
import { forward } from '../../src/core/network/forward.ts';
import { expectClose, noExternal, runOracle } from '../support/onnx-oracle.ts';

const shared = new URL('../../../shared/', import.meta.url);
const hasShared = existsSync(new URL('targets/targets.json', shared));
const files = hasShared
  ? readdirSync(new URL('targets/', shared)).filter((name) => name.endsWith('.onnx'))
  : [];

interface TargetNote {
  readonly file: string;
  readonly input: string;
  readonly parameters: number;
  readonly nonzero: number;
}

function readShared(name: string): Uint8Array {
  return readFileSync(new URL(name, shared));
}

if (!hasShared) console.warn('Skipped: ../shared is not there, so no real targets are imported');

describe.skipIf(!hasShared)('the shared targets', () => {
  it.each(files)('%s imports, has its parameters, and agrees with onnxruntime on MNIST', async (name) => {
    const notes = JSON.parse(new TextDecoder().decode(readShared('targets/targets.json'))) as TargetNote[];
    const note = notes.find(({ file }) => file === `targets/${name}`);
    const bytes = readShared(`targets/${name}`);
    const network = importOnnx(bytes, noExternal);
    const parameters = network.layers.flatMap(({ linear }) => [...linear.weights, ...linear.bias]);
    expect(parameters.length).toBe(note?.parameters);
    expect(parameters.filter((value) => value !== 0).length).toBe(note?.nonzero);
    const pixels = gunzipSync(readShared('mnist/t10k-images-idx3-ubyte.gz')).subarray(16);
    const inputs = [8000, 8123, 9000, 9999].map((image) => {
      const raw = Float32Array.from(pixels.subarray(784 * image, 784 * (image + 1)), (pixel) => pixel / 255);
      return note?.input.includes('0.1307') ? raw.map((value) => (value - 0.1307) / 0.3081) : raw;
    });
    const dims = name.startsWith('lenet5') ? [1, 28, 28] : network.inputShape;
    const expected = await runOracle(bytes, dims, inputs);
    inputs.forEach((input, index) => {
      expectClose(forward(network, Float64Array.from(input)), expected[index] ?? new Float64Array());
    });
  });
});
