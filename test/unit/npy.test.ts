import { describe, expect, it } from 'vitest';
import { readNpy } from '../../src/core/format/npy.ts';
import { readNpz } from '../../src/core/format/npz.ts';
import { toFloat64Array } from '../../src/core/format/tensor.ts';
import { hasNumpy, numpyBytes } from '../support/python.ts';
import { writeZip } from '../support/zip-writer.ts';

/** A .npy file with this header text. */
function npy(header: string, data: readonly number[], version = 1): Uint8Array {
  const length = Buffer.alloc(version === 1 ? 2 : 4);
  length.writeUInt16LE(header.length);
  return new Uint8Array(
    Buffer.concat([
      Buffer.from('\x93NUMPY', 'latin1'),
      Buffer.from([version, 0]),
      length,
      Buffer.from(header),
      Buffer.from(data),
    ]),
  );
}

const header = (descr: string, shape: string, order = 'False'): string =>
  `{'descr': ${descr}, 'fortran_order': ${order}, 'shape': ${shape}, }   \n`;

describe('readNpy', () => {
  it('turns Fortran order into row-major order', () => {
    const tensor = readNpy(npy(header("'|u1'", '(2, 3)', 'True'), [1, 4, 2, 5, 3, 6]));
    expect(tensor).toEqual({ dtype: 'U8', shape: [2, 3], data: Uint8Array.of(1, 2, 3, 4, 5, 6) });
    const cube = Array.from({ length: 24 }, (_, i) => i);
    const columnMajor = cube.map((_, i) => (i % 2) * 12 + (Math.floor(i / 2) % 3) * 4 + Math.floor(i / 6));
    expect([...readNpy(npy(header("'|i1'", '(2, 3, 4)', 'True'), columnMajor)).data]).toEqual(cube);
  });

  it.each([1, 2, 3])('reads version %d, scalars, big endian and the long integers of Python 2', (version) => {
    expect([...toFloat64Array(readNpy(npy(header("'>i2'", '(2L,)'), [1, 2, 0xff, 0xfe], version)))]).toEqual([
      258, -2,
    ]);
    expect(readNpy(npy(header("'|b1'", '()'), [1], version)).shape).toEqual([]);
    expect(readNpy(npy(header("'<f8'", '(0, 3)'), [], version)).shape).toEqual([0, 3]);
  });

  it.each([
    ['no magic number', new Uint8Array(20), /does not begin like a .npy file/],
    ['nothing', new Uint8Array(0), /does not begin/],
    ['only the magic number', npy('', []).subarray(0, 6), /does not begin/],
    ['version 4', npy(header("'|u1'", '(1,)'), [1], 4), /version 4.0/],
    ['version 0', npy(header("'|u1'", '(1,)'), [1], 0), /version 0.0/],
    [
      'a header longer than the file',
      npy(header("'|u1'", '(1,)'), []).subarray(0, 40),
      /header of \d+ bytes/,
    ],
    ['a header above the limit', npy(' '.repeat(10_001), []), /expected at most 10000/],
    ['Python objects', npy(header("'|O'", '(1,)'), [0]), /Python objects/],
    ['records', npy(header("[('a', '<f4')]", '(1,)'), [0, 0, 0, 0]), /elements of type \[/],
    ['texts', npy(header("'<U3'", '(1,)'), []), /elements of type '<U3'/],
    ['complex numbers', npy(header("'<c8'", '(1,)'), []), /elements of type '<c8'/],
    ['long doubles', npy(header("'<f16'", '(1,)'), []), /elements of type '<f16'/],
    ['no byte order', npy(header("'|f4'", '(1,)'), [0, 0, 0, 0]), /byte order/],
    ['a negative size', npy(header("'|u1'", '(-1,)'), []), /header is/],
    ['a product that overflows', npy(header("'|u1'", '(4294967296, 4294967296)'), []), /2\^53/],
    [
      'code in the header',
      npy("{'descr': '|u1', 'fortran_order': False, 'shape': (f(),), }", []),
      /header is/,
    ],
    ['a missing key', npy("{'descr': '|u1', 'shape': (1,), }", [1]), /header is/],
    ['a byte too few', npy(header("'<f4'", '(1,)'), [0, 0, 0]), /3 bytes of data, expected 4/],
    ['a byte too much', npy(header("'<f4'", '(1,)'), [0, 0, 0, 0, 0]), /5 bytes of data, expected 4/],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => readNpy(bytes)).toThrow(message);
  });

  it.skipIf(!hasNumpy)('reads what NumPy writes, for every number type, byte order and memory order', () => {
    const types = [
      '<f8',
      '>f8',
      '<f4',
      '>f4',
      '<f2',
      '>f2',
      '<i8',
      '>i8',
      '<i4',
      '>i4',
      '>i2',
      '|i1',
      '>u8',
      '<u4',
      '<u2',
      '|u1',
    ];
    const bytes = numpyBytes(
      `arrays = {}
for t in ${JSON.stringify(types)}:
  for o in 'CF':
    arrays[t + o] = np.array(np.arange(24).reshape(2, 3, 4), dtype=t, order=o)
arrays['bool'] = np.array([True, False])
np.savez_compressed(out, **arrays)`,
    );
    const arrays = readNpz(bytes);
    expect(arrays.size).toBe(2 * types.length + 1);
    for (const [name, tensor] of arrays) {
      const expected = name === 'bool' ? [1, 0] : Array.from({ length: 24 }, (_, i) => i);
      expect([...toFloat64Array(tensor)], name).toEqual(expected);
    }
  });

  it.skipIf(!hasNumpy)('reads versions 2 and 3 as NumPy writes them, and refuses its object arrays', () => {
    for (const version of [2, 3]) {
      const bytes = numpyBytes(
        `np.lib.format.write_array(out, np.array([[1.5, -2]]), version=(${version}, 0))`,
      );
      expect([...toFloat64Array(readNpy(bytes))]).toEqual([1.5, -2]);
    }
    expect(() => readNpy(numpyBytes('np.save(out, np.array([None, {}], dtype=object))'))).toThrow(
      /Python objects/,
    );
  });
});

describe('readNpz', () => {
  const one = npy(header("'|u1'", '(1,)'), [7]);

  it('reads stored and deflated archives and only what is wanted', () => {
    const broken = npy(header("'|O'", '(1,)'), []);
    for (const deflate of [false, true]) {
      const archive = writeZip(
        [
          ['x.npy', one],
          ['y.npy', broken],
        ],
        { deflate },
      );
      expect([...readNpz(archive, (name) => name === 'x').keys()]).toEqual(['x']);
      expect(() => readNpz(archive)).toThrow(/array y: an array of Python objects/);
    }
  });

  it('refuses what is no array', () => {
    expect(() => readNpz(writeZip([['evil.py', one]]))).toThrow(/holds evil.py/);
  });

  it.skipIf(!hasNumpy)('reads a stored archive of NumPy, whose local headers have Zip64 fields', () => {
    const arrays = readNpz(numpyBytes('np.savez(out, a=np.arange(3), b=np.float32(2))'));
    expect([...arrays.keys()]).toEqual(['a', 'b']);
  });
});
