import { crc32 as zlibCrc32 } from 'node:zlib';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { crc32 } from '../../src/core/format/crc32.ts';

it('CRC-32 is what zlib has, for every length, at every offset', () => {
  const cases = fc.tuple(fc.uint8Array({ maxLength: 70 }), fc.nat(9));
  fc.assert(
    fc.property(cases, ([bytes, start]) => {
      const part = bytes.subarray(start);
      expect(crc32(part)).toBe(zlibCrc32(part));
    }),
  );
});

it('CRC-32 changes with any bit', () => {
  const bytes = Uint8Array.from({ length: 40 }, (_, k) => k * 7);
  const sums = new Set([crc32(bytes)]);
  for (let bit = 0; bit < 320; bit++) {
    const changed = bytes.slice();
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    sums.add(crc32(changed));
  }
  expect(sums.size).toBe(321);
});
