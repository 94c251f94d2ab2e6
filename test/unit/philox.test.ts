import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PhiloxStream, philoxBlock } from '../../src/core/random/philox.ts';
import { gridInteger, SourceLayerReader } from '../../src/core/source/source-network.ts';

describe('philox', () => {
  it('gives the grid integers that NumPy gives', () => {
    const expected = [
      [-4196417, -6939523, 385531, 7059297, 3001170, -4234674, -4917559],
      [-2147044, -8162874, -4193069, 112079, -8293007, -506891, -8094081],
      [1210574, 2471538, 8162060, -598943, -6445896, -623747, -411407],
    ];
    const stream = new PhiloxStream(0x0123456789abcdefn, 3);
    const found = expected.map((row, r) => row.map((_, c) => gridInteger(stream.at(r * 7 + c), 24)));
    expect(found).toEqual(expected);
    const coarse = expected[0]?.map((_, c) => gridInteger(stream.at(c), 8));
    expect(coarse).toEqual([-65, -106, 5, 107, 45, -65, -76]);
  });

  it('is the same in 32-bit arithmetic as in its definition', () => {
    fc.assert(
      fc.property(
        fc.bigInt(0n, (1n << 64n) - 1n),
        fc.nat(2 ** 31),
        fc.integer({ min: 0, max: 2 ** 52 }),
        (seed, key, position) => {
          const block = philoxBlock(seed, BigInt(key), BigInt(Math.floor(position / 8) + 1));
          const word = block[(position % 8) >> 1] as bigint;
          const half = position % 2 === 0 ? word & 0xffffffffn : word >> 32n;
          expect(new PhiloxStream(seed, key).at(position) >>> 0).toBe(Number(half));
        },
      ),
    );
  });

  it('reads weights and biases of a layer from streams of their own', () => {
    const reader = new SourceLayerReader({ seed: 0x0123456789abcdefn, gridBits: 24 }, 1, {
      cols: 7,
      taps: 1,
    });
    expect(reader.bias(0)).toBe(-4196417);
    expect(reader.weight(0, 0)).not.toBe(-4196417);
  });
});
