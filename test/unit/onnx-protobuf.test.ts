import { describe, expect, it } from 'vitest';
import { TombolaError } from '../../src/core/errors.ts';
import {
  appendFixed,
  appendIntegers,
  type Field,
  fieldsOf,
  floatOf,
  integerOf,
  messageOf,
  textOf,
} from '../../src/core/format/onnx/protobuf.ts';

function fields(...bytes: number[]): Field[] {
  return [...fieldsOf(Uint8Array.from(bytes))];
}

function only(...bytes: number[]): Field {
  const [field] = fields(...bytes);
  if (field === undefined) throw new Error('No field');
  return field;
}

describe('the protobuf reader', () => {
  it.each<[number, number[]]>([
    [0, [0]],
    [127, [0x7f]],
    [150, [0x96, 0x01]],
    [2 ** 32, [0x80, 0x80, 0x80, 0x80, 0x10]],
    [2 ** 49 - 1, [255, 255, 255, 255, 255, 255, 0x7f]],
    [2 ** 49, [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]],
    [-1, [255, 255, 255, 255, 255, 255, 255, 255, 255, 1]],
    [-(2 ** 63), [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1]],
  ])('reads %d as a varint', (value, bytes) => {
    expect(integerOf(only(0x08, ...bytes))).toBe(value);
  });

  it('reads packed and single numbers alike', () => {
    const integers: number[] = [];
    for (const field of fields(0x08, 5, 0x0a, 3, 6, 0x96, 0x01, 0x08, 7)) appendIntegers(integers, field);
    expect(integers).toEqual([5, 6, 150, 7]);
    const chunks: Uint8Array[] = [];
    for (const field of fields(0x0d, 0, 0, 0x80, 0x3f, 0x0a, 4, 0, 0, 0, 0x40)) appendFixed(chunks, field, 4);
    expect(chunks.map((chunk) => [...chunk])).toEqual([
      [0, 0, 0x80, 0x3f],
      [0, 0, 0, 0x40],
    ]);
    expect(floatOf(only(0x0d, 0, 0, 0x80, 0x3f))).toBe(1);
  });

  it('reads UTF-8 as TextDecoder does, bytes that are none included', () => {
    for (const text of ['', 'fc.weight', 'Gewicht ß', '重み', '🎟️']) {
      const bytes = new TextEncoder().encode(text);
      expect(textOf(only(0x0a, bytes.length, ...bytes))).toBe(text);
    }
    for (const bytes of [[0xff], [0x41, 0xc3], [0xc3, 0x41], [0xe9, 0x87], [0x80, 0x42]])
      expect(textOf(only(0x0a, bytes.length, ...bytes))).toMatch(/\ufffd/);
  });

  it.each<[string, number[]]>([
    ['a key without a value', [0x08]],
    ['a varint that never ends', [0x08, ...Array.from({ length: 10 }, () => 0xff)]],
    ['a length beyond the end', [0x0a, 5, 1, 2, 3, 4]],
    ['a negative length', [0x0a, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1]],
    ['a short fixed32', [0x0d, 1, 2, 3]],
    ['a short fixed64', [0x09, 1, 2, 3, 4, 5, 6, 7]],
    ['a group', [0x0b, 0x0c]],
    ['field number 0', [0x00, 1]],
    ['a negative key', [255, 255, 255, 255, 255, 255, 255, 255, 255, 1]],
  ])('refuses %s', (_, bytes) => {
    expect(() => fields(...bytes)).toThrow(TombolaError);
  });

  it('refuses a field read as another type', () => {
    expect(() => messageOf(only(0x08, 1))).toThrow(TombolaError);
    expect(() => integerOf(only(0x0a, 0))).toThrow(TombolaError);
    expect(() => floatOf(only(0x08, 1))).toThrow(TombolaError);
    expect(() => appendFixed([], only(0x0a, 3, 1, 2, 3), 4)).toThrow(TombolaError);
    expect(() => appendFixed([], only(0x08, 1), 4)).toThrow(TombolaError);
    expect(() => appendIntegers([], only(0x0d, 0, 0, 0, 0))).toThrow(TombolaError);
  });
});
