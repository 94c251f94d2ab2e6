import { describe, expect, it } from 'vitest';
import { countBits } from '../../src/core/plan/count-bits.ts';
import { seededNumbers } from '../support/mutants.ts';

describe('the count of mask bits', () => {
  it('is that of the digits 1, wherever the bytes lie in memory and however many they are', () => {
    const next = seededNumbers(11);
    const memory = Uint8Array.from({ length: 64 }, () => next(256));
    memory.fill(255, 20, 29);
    for (let from = 0; from < 9; from++)
      for (let to = from; to <= memory.length; to++) {
        const bytes = memory.subarray(from, to);
        const digits = Array.from(bytes, (byte) => byte.toString(2)).join('');
        expect(countBits(bytes)).toBe(digits.replaceAll('0', '').length);
      }
  });

  it('is that of a Node buffer too, whose slices are no copies', () => {
    const unaligned = Buffer.from(new Uint8Array([0, 255, 1, 128, 3, 7]).buffer, 1);
    expect(countBits(unaligned)).toBe(8 + 1 + 1 + 2 + 3);
  });
});
