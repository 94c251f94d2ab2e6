import { existsSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { readDataSet, toInput } from '../../src/core/format/data-set.ts';
import { readIdx } from '../../src/core/format/idx.ts';
import { toFloat64Array } from '../../src/core/format/tensor.ts';
import { hasNumpy, numpyBytes } from '../support/python.ts';

const mnist = new URL('../../../shared/mnist/', import.meta.url);
const hasMnist = existsSync(mnist);
if (!hasMnist) console.warn('Skipped: tests against MNIST need ../shared/mnist');

/** An IDX file of this type and shape. */
function idx(type: number, shape: readonly number[], data: readonly number[]): Uint8Array {
  const sizes = Buffer.alloc(4 * shape.length);
  shape.forEach((size, axis) => {
    sizes.writeUInt32BE(size, 4 * axis);
  });
  return new Uint8Array(Buffer.concat([Buffer.from([0, 0, type, shape.length]), sizes, Buffer.from(data)]));
}

const images = idx(8, [2, 1, 2], [0, 51, 102, 255]);
const labels = idx(8, [2], [1, 0]);
const noScaling = { scale: 1, mean: 0, std: 1 };

describe('readIdx', () => {
  it('reads every element type, big endian', () => {
    const one = (type: number, ...data: number[]): number[] => [
      ...toFloat64Array(readIdx(idx(type, [1], data))),
    ];
    expect(one(0x08, 255)).toEqual([255]);
    expect(one(0x09, 255)).toEqual([-1]);
    expect(one(0x0b, 0xff, 0xfe)).toEqual([-2]);
    expect(one(0x0c, 0, 0, 1, 0)).toEqual([256]);
    expect(one(0x0d, 0xbf, 0x80, 0, 0)).toEqual([-1]);
    expect(one(0x0e, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0)).toEqual([1.5]);
  });

  it.each([
    ['nothing', new Uint8Array(0), /does not begin like an IDX/],
    ['an unknown type', idx(10, [1], [1]), /does not begin like an IDX/],
    ['sizes cut off', images.subarray(0, 13), /ends within its 3 sizes/],
    ['a byte too few', images.subarray(0, 19), /3 bytes of data, expected 4/],
    ['a byte too much', new Uint8Array([...images, 0]), /5 bytes of data, expected 4/],
    ['a product that overflows', idx(8, [0xffffffff, 0xffffffff], []), /2\^53/],
    ['more dimensions than a tensor may have', idx(8, [1, 1, 1, 1, 1, 1, 1, 1, 1], [1]), /9 dimensions/],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => readIdx(bytes)).toThrow(message);
    if (bytes.length > 0) expect(() => readIdx(new Uint8Array(gzipSync(bytes)))).toThrow(message);
  });
});

describe('readDataSet', () => {
  it('reads images and labels from IDX, plain or packed', () => {
    for (const pack of [
      (bytes: Uint8Array) => bytes,
      (bytes: Uint8Array) => new Uint8Array(gzipSync(bytes)),
    ]) {
      const set = readDataSet({ imagesName: 'i', images: pack(images), labels: pack(labels) });
      expect(set).toEqual({
        count: 2,
        shape: [1, 2],
        values: Uint8Array.of(0, 51, 102, 255),
        labels: Int32Array.of(1, 0),
      });
    }
    expect(readDataSet({ imagesName: 'i', images }).labels).toBeNull();
  });

  it.each([
    ['labels of another number', { images, labels: idx(8, [3], [0, 1, 2]) }, /shape \[3\], expected \[2\]/],
    [
      'labels of two columns',
      { images, labels: idx(8, [2, 2], [0, 1, 2, 3]) },
      /shape \[2, 2\], expected \[2\]/,
    ],
    ['a negative label', { images, labels: idx(9, [2], [0, 255]) }, /label 1 is -1/],
    ['a label of a class that is not', { images, labels, classCount: 1 }, /label 0 is 1, expected 0 to 0/],
    [
      'labels that are no whole numbers',
      { images, labels: idx(0x0d, [2], [0x3f, 0, 0, 0, 0, 0, 0, 0]) },
      /element 0 is 0.5/,
    ],
    ['no items', { images: idx(8, [0, 2], []) }, /at least one item/],
    ['a scalar', { images: idx(8, [], [1]) }, /at least one item/],
    [
      'a value that is not finite',
      { images: idx(0x0d, [2, 1], [0, 0, 0, 0, 0x7f, 0x80, 0, 0]) },
      /item 1 holds Infinity/,
    ],
    ['a value that is no number', { images: idx(0x0d, [1], [0x7f, 0xc0, 0, 0]) }, /item 0 holds NaN/],
    ['an unknown format', { images: new Uint8Array(Buffer.from('hello')) }, /unknown format/],
    ['labels of an unknown format', { images, labels: new Uint8Array(3) }, /unknown format/],
  ])('refuses %s', (_, files, message) => {
    expect(() => readDataSet({ imagesName: 'i', ...files })).toThrow(message);
  });

  it.skipIf(!hasNumpy)('reads NumPy files: one archive of both, and one array with labels beside it', () => {
    const archive = numpyBytes(
      'np.savez(out, x_train=np.zeros((1, 2)), y_train=np.zeros(1), x_test=np.array([[1.5, 2]], dtype="f4"), y_test=np.array([[3]]))',
    );
    expect(readDataSet({ imagesName: 'x.npz', images: archive })).toEqual({
      count: 1,
      shape: [2],
      values: Float32Array.of(1.5, 2),
      labels: Int32Array.of(3),
    });
    const array = numpyBytes('np.save(out, np.array([[0.1], [2]]))');
    const set = readDataSet({ imagesName: 'x.npy', images: array, labels });
    expect(set.values).toEqual(Float64Array.of(0.1, 2));
    expect(set.labels).toEqual(Int32Array.of(1, 0));
    const unnamed = numpyBytes('np.savez(out, foo=np.zeros(1))');
    expect(() => readDataSet({ imagesName: 'x.npz', images: unnamed })).toThrow(
      /expected one of x, images, x_test/,
    );
  });

  it.skipIf(!hasMnist)('reads the 10,000 test images of MNIST', () => {
    const set = readDataSet({
      imagesName: 'mnist',
      images: readFileSync(new URL('t10k-images-idx3-ubyte.gz', mnist)),
      labels: readFileSync(new URL('t10k-labels-idx1-ubyte.gz', mnist)),
      classCount: 10,
    });
    expect(set.count).toBe(10_000);
    expect(set.shape).toEqual([28, 28]);
    expect([...(set.labels ?? []).slice(0, 10)]).toEqual([7, 2, 1, 0, 4, 1, 4, 9, 5, 9]);
    const input = toInput(set, { scale: 255, mean: 0, std: 1 }, 9999);
    expect(input).toHaveLength(784);
    expect(Math.min(...input)).toBe(0);
    expect(Math.max(...input)).toBe(254 / 255);
  });
});

describe('toInput', () => {
  it('scales, then takes the mean off, then divides by std', () => {
    const set = readDataSet({ imagesName: 'i', images });
    expect([...toInput(set, { scale: 255, mean: 0.2, std: 0.5 }, 0)]).toEqual([
      (0 - 0.2) / 0.5,
      (51 / 255 - 0.2) / 0.5,
    ]);
    expect([...toInput(set, noScaling, 1)]).toEqual([102, 255]);
  });

  it('takes one mean and std per channel', () => {
    const set = readDataSet({ imagesName: 'i', images: idx(8, [1, 2, 1, 2], [1, 2, 3, 4]) });
    expect([...toInput(set, { scale: 1, mean: [1, 3], std: [1, 2] }, 0)]).toEqual([0, 1, 0, 0.5]);
  });

  it.each([
    ['no such item', noScaling, 2, /item 2/],
    ['a negative item', noScaling, -1, /item -1/],
    ['a scale of 0', { ...noScaling, scale: 0 }, 0, /by 0/],
    ['a std of 0', { ...noScaling, std: 0 }, 0, /std of 0/],
    ['a mean that is no number', { ...noScaling, mean: Number.NaN }, 0, /mean NaN/],
    ['means for other channels', { ...noScaling, mean: [0, 0] }, 0, /2 numbers for mean, expected 1$/],
  ])('refuses %s', (_, scaling, index, message) => {
    const set = readDataSet({ imagesName: 'i', images });
    expect(() => toInput(set, scaling, index)).toThrow(message);
  });
});
