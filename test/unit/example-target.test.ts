import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { buildExample, exampleTestDigits } from '../../src/cli/example/build-example.ts';
import { drawDigits } from '../../src/cli/example/draw-digits.ts';
import { trainMlp } from '../../src/cli/example/train-mlp.ts';
import { readIdx } from '../../src/core/format/idx.ts';
import { importOnnx } from '../../src/core/format/onnx/import-onnx.ts';
import { forward } from '../../src/core/network/forward.ts';

const folder = new URL('../../src/cli/example/', import.meta.url);

async function committed(name: string): Promise<Uint8Array> {
  return new Uint8Array(await readFile(new URL(name, folder)));
}

function noExternalData(name: string): Uint8Array {
  throw new Error(`the example needs no external data, but ${name} was read`);
}

/** The index of the largest number. */
function predictedClass(outputs: Float64Array): number {
  return outputs.indexOf(outputs.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY));
}

describe('the example target', () => {
  it('recognises at least 95 % of the committed images', async () => {
    const network = importOnnx(await committed('digits-mlp.onnx'), noExternalData);
    const images = readIdx(await committed('digits-images.idx.gz'));
    const labels = readIdx(await committed('digits-labels.idx.gz'));
    expect([images.shape, labels.shape]).toEqual([[500, 12, 12], [500]]);
    expect(network.inputShape).toEqual([144]);
    expect(network.layers.map(({ linear }) => linear.outputs)).toEqual([64, 32, 10]);
    let right = 0;
    for (let i = 0; i < 500; i++) {
      const pixels = Float64Array.from(images.data.subarray(144 * i, 144 * (i + 1)), (pixel) => pixel / 255);
      if (predictedClass(forward(network, pixels)) === labels.data[i]) right++;
    }
    expect(right).toBeGreaterThanOrEqual(475);
  });

  it('is made again byte for byte', async () => {
    const { model, test } = buildExample();
    expect(Buffer.compare(model, await committed('digits-mlp.onnx'))).toBe(0);
    const images = readIdx(await committed('digits-images.idx.gz'));
    expect(Buffer.compare(test.images, Uint8Array.from(images.data))).toBe(0);
    const labels = readIdx(await committed('digits-labels.idx.gz'));
    expect(test.labels).toEqual(Uint8Array.from(labels.data));
  });

  it('has every digit equally often, and no image twice', () => {
    const { images, labels } = exampleTestDigits();
    const seen = new Set<string>();
    const counts = new Array<number>(10).fill(0);
    labels.forEach((label, i) => {
      counts[label] = (counts[label] ?? 0) + 1;
      seen.add(images.subarray(144 * i, 144 * (i + 1)).join());
    });
    expect(counts).toEqual(new Array(10).fill(50));
    expect(seen.size).toBe(500);
  });
});

describe('training the example', () => {
  it('lowers the error from guessing to almost none on what it has seen', () => {
    const { images, labels } = drawDigits(100, 77);
    const inputs = Float64Array.from(images, (pixel) => pixel / 255);
    const options = {
      widths: [144, 16, 10],
      batchSize: 10,
      learningRate: 0.05,
      momentum: 0.9,
      weightDecay: 0,
      stream: 5,
    };
    const rightAfter = (epochs: number): number => {
      const layers = trainMlp(inputs, labels, { ...options, epochs }).map((linear, i) => ({
        name: `${i}`,
        linear: { kind: 'dense' as const, ...linear },
        steps: i === 0 ? [{ kind: 'activation' as const, activation: { kind: 'relu' as const } }] : [],
      }));
      const network = { inputShape: [144], inputSteps: [], layers };
      return labels.filter(
        (label, i) => predictedClass(forward(network, inputs.subarray(144 * i, 144 * (i + 1)))) === label,
      ).length;
    };
    expect(rightAfter(0)).toBeLessThan(40);
    expect(rightAfter(40)).toBeGreaterThanOrEqual(95);
  });
});
