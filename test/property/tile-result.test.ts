import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeTileResult, encodeTileResult } from '../../src/core/format/tile-result.ts';
import type { TileResult } from '../../src/core/plan/tile.ts';

const numbers = fc.array(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), { maxLength: 9 });
const results: fc.Arbitrary<TileResult> = fc
  .record({
    tileId: fc.string({ unit: 'grapheme' }),
    copyCounts: numbers,
    copyRows: numbers,
    misses: numbers,
    masks: fc.uint8Array({ maxLength: 30 }),
  })
  .map(({ tileId, masks, ...lists }) => ({
    tileId,
    masks: Uint8Array.from(masks),
    copyCounts: Int32Array.from(lists.copyCounts),
    copyRows: Int32Array.from(lists.copyRows),
    misses: Int32Array.from(lists.misses),
  }));

describe('a tile result as bytes', () => {
  it('comes back as it was, from any place in a buffer', () => {
    fc.assert(
      fc.property(results, fc.nat(7), (result, shift) => {
        const bytes = encodeTileResult(result);
        const moved = new Uint8Array(shift + bytes.length + 3).fill(255);
        moved.set(bytes, shift);
        expect(decodeTileResult(moved.subarray(shift, shift + bytes.length))).toEqual(result);
      }),
    );
  });

  it('is nothing once a single bit has changed', () => {
    fc.assert(
      fc.property(results, fc.nat(), (result, place) => {
        const bytes = encodeTileResult(result);
        const bit = place % (8 * bytes.length);
        bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(decodeTileResult(bytes)).toBeUndefined();
      }),
    );
  });

  it('is nothing when bytes are missing or added', () => {
    fc.assert(
      fc.property(results, fc.nat(), (result, place) => {
        const bytes = encodeTileResult(result);
        expect(decodeTileResult(bytes.subarray(0, place % bytes.length))).toBeUndefined();
        expect(decodeTileResult(Uint8Array.of(...bytes, 0))).toBeUndefined();
      }),
    );
  });

  it('is nothing when the bytes are anything else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => decodeTileResult(bytes) === undefined),
    );
  });

  it('is nothing when the lengths claim more than any memory has', () => {
    const bytes = new Uint8Array(28).fill(255);
    bytes.set([0x54, 0x54, 0x52, 0x31]);
    expect(decodeTileResult(bytes)).toBeUndefined();
  });
});
