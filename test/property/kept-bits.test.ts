import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keptBits, type LayerLayout } from '../../src/core/ticket/layout.ts';

/** A layout of so many bits; where its blocks lie does not matter here. */
function layoutOf(bits: number): LayerLayout {
  return {
    elements: new Int32Array(bits),
    multipliers: new Int32Array(bits),
    blockStarts: Int32Array.of(0, bits),
    blockWeights: new Int32Array(0),
    rowBytes: Math.ceil(bits / 8),
  };
}

describe('the kept bits of a row', () => {
  it('are the bits that are set, ascending, and none of its neighbours', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 12 }), fc.nat(100), fc.nat(3), (bytes, size, offset) => {
        const bits = Math.min(size, 8 * Math.max(0, bytes.length - offset));
        const expected = Array.from({ length: bits }, (_, bit) => bit).filter(
          (bit) => (((bytes[offset + (bit >> 3)] ?? 0) >> (bit & 7)) & 1) === 1,
        );
        const layout = layoutOf(bits);
        const kept = new Int32Array(8 * layout.rowBytes);
        const count = keptBits(bytes, offset, layout, kept);
        expect([...kept.subarray(0, count)]).toEqual(expected);
      }),
    );
  });
});
