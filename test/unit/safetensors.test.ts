import { describe, expect, it } from 'vitest';
import { readSafetensors, writeSafetensors } from '../../src/core/format/safetensors.ts';
import {
  float32Tensor,
  float64Tensor,
  int32Tensor,
  type Tensor,
  toFloat64Array,
  toInt32Array,
  uint8Tensor,
} from '../../src/core/format/tensor.ts';
import { safetensorsHeaderBytesMax } from '../../src/core/limits.ts';

/** A file with this header text and this many bytes of data. */
function file(header: string, dataBytes: number, claimed = Buffer.byteLength(header)): Uint8Array {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(claimed));
  return new Uint8Array(Buffer.concat([length, Buffer.from(header), Buffer.alloc(dataBytes)]));
}

const twoFloats = '{"dtype":"F32","shape":[2],"data_offsets":[0,8]}';

describe('readSafetensors', () => {
  it('reads back what was written, in the same order, also names like "1" and "0"', () => {
    const tensors = new Map<string, Tensor>([
      ['1', uint8Tensor([3], Uint8Array.of(1, 2, 3))],
      ['0', float64Tensor([2, 1], Float64Array.of(0.1, -0))],
      ['é "quoted"', float32Tensor([], Float32Array.of(1.5))],
      ['empty', float32Tensor([0, 4], Float32Array.of())],
      ['__proto__', int32Tensor([1], Int32Array.of(-7))],
    ]);
    const metadata = new Map([
      ['b', 'x'],
      ['a', '{"y": 1}'],
    ]);
    const found = readSafetensors(writeSafetensors(tensors, metadata));
    expect([...found.metadata]).toEqual([...metadata]);
    expect([...found.tensors.keys()]).toEqual([...tensors.keys()]);
    for (const [name, tensor] of tensors) {
      expect(found.tensors.get(name)?.shape).toEqual(tensor.shape);
      expect(found.tensors.get(name)?.data).toEqual(tensor.data);
    }
  });

  it('reads at any alignment of the file in its buffer', () => {
    const bytes = writeSafetensors(new Map([['x', float64Tensor([2], Float64Array.of(0.1, 3))]]));
    for (let shift = 0; shift < 8; shift++) {
      const shifted = new Uint8Array(bytes.length + 8).subarray(shift, shift + bytes.length);
      shifted.set(bytes);
      const tensor = readSafetensors(shifted).tensors.get('x');
      expect(tensor && [...toFloat64Array(tensor)]).toEqual([0.1, 3]);
    }
  });

  it('accepts an empty file of no tensors and padding behind the header', () => {
    expect(readSafetensors(file('{}', 0)).tensors.size).toBe(0);
    expect(readSafetensors(file(`{"x":${twoFloats}}   \n`, 8)).tensors.size).toBe(1);
  });

  const header = (body: string): Uint8Array => file(`{"x":${body}}`, 8);
  it.each([
    ['fewer than 8 bytes', new Uint8Array(7), /7 bytes, expected at least 8/],
    [
      'a header longer than the file',
      file('{}', 0, 3),
      /header of 3 bytes, expected at most 2: the file is cut off/,
    ],
    [
      'a header length of 2^64 − 1',
      file('{}', 0, Number.MAX_SAFE_INTEGER),
      /header of 9007199254740991 bytes, .*: this is no safetensors file/,
    ],
    [
      'a header above the limit',
      file(`{}${' '.repeat(safetensorsHeaderBytesMax)}`, 0),
      /expected at most 1048576/,
    ],
    ['a header that begins with a space', file(' {}', 0), /begins with \{/],
    ['a header that is a list', file('[]', 0), /begins with \{/],
    ['a header that is no UTF-8', new Uint8Array([3, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0xff, 0x7d]), /UTF-8/],
    ['a header cut off', file(`{"x":${twoFloats}`, 8), /expected } or a comma/],
    ['text behind the header', file(`{"x":${twoFloats}}x`, 8), /expected the end/],
    ['a trailing comma', file(`{"x":${twoFloats},}`, 8), /expected a key in quotes/],
    ['a key that comes twice', file(`{"x":${twoFloats},"x":${twoFloats}}`, 8), /"x" comes twice/],
    ['nesting beyond the limit', file(`{"x":${'['.repeat(99)}${']'.repeat(99)}}`, 0), /nested deeper/],
    ['an unknown dtype', header('{"dtype":"F8","shape":[8],"data_offsets":[0,8]}'), /element type "F8"/],
    [
      'a dtype that every object has',
      header('{"dtype":"toString","shape":[8],"data_offsets":[0,8]}'),
      /toString/,
    ],
    [
      'a missing shape',
      header('{"dtype":"F32","data_offsets":[0,8]}'),
      /exactly dtype, shape and data_offsets/,
    ],
    ['an unknown field', header(twoFloats.replace('{', '{"more":1,')), /exactly dtype/],
    ['a tensor that is no object', header('[]'), /exactly dtype/],
    ['a shape that is no list', header('{"dtype":"F32","shape":2,"data_offsets":[0,8]}'), /no list/],
    ['a negative size', header('{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}'), /-2, expected a whole/],
    ['a broken size', header('{"dtype":"F32","shape":[2.5],"data_offsets":[0,8]}'), /2.5, expected a whole/],
    [
      'a shape whose product overflows',
      header('{"dtype":"F32","shape":[4294967296,4294967296,0],"data_offsets":[0,0]}'),
      /product below 2\^53/,
    ],
    [
      'too many dimensions',
      header('{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,2],"data_offsets":[0,8]}'),
      /9 dimensions/,
    ],
    [
      'offsets that do not match the shape',
      header('{"dtype":"F32","shape":[1],"data_offsets":[0,8]}'),
      /range of 4 bytes/,
    ],
    [
      'offsets in the wrong order',
      header('{"dtype":"F32","shape":[2],"data_offsets":[8,0]}'),
      /range of 8 bytes/,
    ],
    ['three offsets', header('{"dtype":"F32","shape":[2],"data_offsets":[0,8,8]}'), /range of 8 bytes/],
    [
      'offsets behind the end',
      header('{"dtype":"F32","shape":[3],"data_offsets":[0,12]}'),
      /at byte 12 .* at most 8: the file is cut off/,
    ],
    ['a hole in front', file('{"x":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}', 2), /expected 0/],
    [
      'overlapping tensors',
      file(`{"x":${twoFloats},"y":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}`, 12),
      /begins at byte 4, expected 8/,
    ],
    ['a byte too much', file(`{"x":${twoFloats}}`, 9), /9 bytes of data, expected 8/],
    ['a byte too few', file(`{"x":${twoFloats}}`, 7), /cut off/],
    ['metadata that is no object', file('{"__metadata__":"x"}', 0), /metadata/],
    ['metadata that is no text', file('{"__metadata__":{"a":1}}', 0), /metadata a: no text/],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => readSafetensors(bytes)).toThrow(message);
  });
});

describe('writeSafetensors', () => {
  it('aligns every tensor to its element size, whatever the order', () => {
    const tensors = new Map<string, Tensor>([
      ['bytes', uint8Tensor([3], Uint8Array.of(1, 2, 3))],
      ['floats', float32Tensor([1], Float32Array.of(1))],
      ['doubles', float64Tensor([1], Float64Array.of(1))],
    ]);
    const found = readSafetensors(writeSafetensors(tensors)).tensors;
    expect((found.get('doubles')?.data.byteOffset ?? 1) % 8).toBe(0);
    expect((found.get('floats')?.data.byteOffset ?? 1) % 4).toBe(0);
  });

  it('gives the bytes that the format says', () => {
    const bytes = writeSafetensors(
      new Map([['x', uint8Tensor([2], Uint8Array.of(5, 6))]]),
      new Map([['k', 'v']]),
    );
    const header = '{"__metadata__":{"k":"v"},"x":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}';
    const padded = header.padEnd(Math.ceil(header.length / 8) * 8);
    expect(Buffer.from(bytes).toString('latin1')).toBe(
      `${String.fromCharCode(padded.length)}\0\0\0\0\0\0\0${padded}\x05\x06`,
    );
  });
});

describe('tensor conversions', () => {
  const tensor = (dtype: Tensor['dtype'], ...data: number[]): Tensor => ({
    dtype,
    shape: [1],
    data: Uint8Array.from(data),
  });

  it.each([
    ['F16', [0x00, 0x3c], 1],
    ['F16', [0x01, 0x00], 2 ** -24],
    ['F16', [0xff, 0xfb], -65504],
    ['F16', [0x00, 0x7c], Number.POSITIVE_INFINITY],
    ['F16', [0x01, 0x7c], Number.NaN],
    ['F16', [0x00, 0x80], -0],
    ['BF16', [0x80, 0xbf], -1],
    ['BF16', [0x49, 0x40], 3.140625],
    ['F32', [0xcd, 0xcc, 0xcc, 0x3d], Math.fround(0.1)],
    ['I8', [0xff], -1],
    ['U8', [0xff], 255],
    ['I16', [0x00, 0x80], -32768],
    ['U16', [0xff, 0xff], 65535],
    ['I32', [0, 0, 0, 0x80], -(2 ** 31)],
    ['U32', [0xff, 0xff, 0xff, 0xff], 2 ** 32 - 1],
    ['I64', [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], -1],
    ['U64', [0, 0, 0, 0, 0, 0, 1, 0], 2 ** 48],
    ['BOOL', [2], 1],
  ] as const)('turns %s %j into %d', (dtype, data, value) => {
    expect([...toFloat64Array(tensor(dtype, ...data))]).toEqual([value]);
  });

  it('refuses a 64-bit integer that float64 cannot hold', () => {
    expect(() => toFloat64Array(tensor('U64', 0, 0, 0, 0, 0, 0, 0, 1))).toThrow(/72057594037927936/);
  });

  it('gives integers only from whole numbers that fit', () => {
    expect([...toInt32Array(float32Tensor([2], Float32Array.of(3, -4)), 'x')]).toEqual([3, -4]);
    expect(() => toInt32Array(float32Tensor([1], Float32Array.of(0.5)), 'x')).toThrow(/element 0 is 0.5/);
    expect(() => toInt32Array(tensor('U32', 0, 0, 0, 0x80), 'x')).toThrow(/2147483648/);
  });
});
