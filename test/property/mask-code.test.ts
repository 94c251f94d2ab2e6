import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { blocksPerRow, rowMaskBytes, type Tile } from '../../src/core/plan/tile.ts';
import { decodeResultBody, encodeResultBody } from '../../src/core/protocol/mask-code.ts';
import { ProtocolError } from '../../src/core/protocol/protocol-error.ts';
import { type Kernel, loadKernel } from '../../worker/kernel/kernel.ts';
import { layerAndTile } from '../support/layer-problems.ts';
import { mutate, seededNumbers } from '../support/mutants.ts';
import { randomResult, sizedLayer } from '../support/random-results.ts';

let kernel: Kernel;
beforeAll(async () => {
  kernel = await loadKernel();
});

describe("a result's body", () => {
  it('gives back what the kernel found, for every kind of layer', () => {
    fc.assert(
      fc.property(layerAndTile, ([problem, tile]) => {
        const result = kernel.solveTile(problem, tile);
        expect(decodeResultBody(problem, tile, encodeResultBody(problem, tile, result))).toEqual(result);
      }),
      { numRuns: 300 },
    );
  });

  it('gives back any result of legal shape, for blocks of 0 to 40 samples, dense and sparse', () => {
    for (let size = 0; size <= 40; size++)
      for (const density of [0, 0.05, 0.5, 1]) {
        const [problem, tile] = sizedLayer({ size, biasSize: (size * 7) % 90, taps: 1 + (size % 3) });
        const result = randomResult(problem, tile, { density, next: seededNumbers(size + 1) });
        expect(decodeResultBody(problem, tile, encodeResultBody(problem, tile, result))).toEqual(result);
      }
  });

  it('has the bytes it always had', () => {
    const hash = createHash('sha256');
    for (let size = 0; size <= 40; size++)
      for (const density of [0.02, 0.15, 0.5, 0.9]) {
        const [problem, tile] = sizedLayer({ size, biasSize: (size * 5) % 70, taps: 1 + (size % 2) });
        const result = randomResult(problem, tile, { density, next: seededNumbers(size + 100) });
        hash.update(encodeResultBody(problem, tile, result));
      }
    // Workers and coordinators of different builds meet: another digest is another protocol version.
    expect(hash.digest('hex')).toBe('6cbf22c41eabcd4d02d5235d378e32981b6fe14698f5341a2db09e49acc5482b');
  });

  it('tells which block was missed in rows of up to 2^28 blocks', () => {
    const [small, wide] = sizedLayer({ size: 0, biasSize: 0, taps: 1, groups: 2 });
    const tile: Tile = { ...wide, neurons: [{ neuron: 0, firstRow: 0, rowCount: 1, wanted: 1 }] };
    for (const taps of [2 ** 10, 2 ** 23, 2 ** 24, 2 ** 27 - 1])
      for (const block of [0, 12_345 % taps, 2 * taps]) {
        const problem = { ...small, taps };
        const misses = Int32Array.of(0, block);
        const none = { copyCounts: new Int32Array(1), copyRows: new Int32Array(0), masks: new Uint8Array(0) };
        const result = { tileId: tile.id, ...none, misses };
        expect(decodeResultBody(problem, tile, encodeResultBody(problem, tile, result))).toEqual(result);
      }
  });

  it('is read from any place in a buffer, into memory of its own', () => {
    const [problem, tile] = sizedLayer({ size: 11, biasSize: 3, taps: 2 });
    const result = randomResult(problem, tile, { density: 0.2, next: seededNumbers(5) });
    const body = encodeResultBody(problem, tile, result);
    const frame = new Uint8Array(body.length + 9).fill(255);
    frame.set(body, 4);
    const decoded = decodeResultBody(problem, tile, frame.subarray(4, 4 + body.length));
    frame.fill(0);
    expect(decoded).toEqual(result);
    expect(decoded.masks.buffer.byteLength).toBeLessThanOrEqual(decoded.masks.byteLength + 4);
  });

  it('is refused or is the one body of a result of legal shape, whatever the bytes', () => {
    const next = seededNumbers(77);
    let accepted = 0;
    let refused = 0;
    for (let round = 0; round < 60; round++) {
      const [problem, tile] = sizedLayer({
        size: round % 41,
        biasSize: (round * 11) % 50,
        taps: 1 + (round % 2),
      });
      const result = randomResult(problem, tile, { density: [0.1, 0.5][round % 2] ?? 0, next });
      const body = encodeResultBody(problem, tile, result);
      for (let index = 0; index < 300; index++) {
        const mutant = mutate(body, next);
        try {
          const decoded = decodeResultBody(problem, tile, mutant);
          expect(Buffer.compare(encodeResultBody(problem, tile, decoded), mutant)).toBe(0);
          expect(decoded.masks.length).toBe(decoded.copyRows.length * rowMaskBytes(problem));
          accepted++;
        } catch (error) {
          if (!(error instanceof ProtocolError)) throw error;
          refused++;
        }
      }
    }
    expect(accepted).toBeGreaterThan(500);
    expect(refused).toBeGreaterThan(5000);
  });

  it('is unpacked where that is wanted, and refused whether or not it is', () => {
    const next = seededNumbers(31);
    for (let round = 0; round < 40; round++) {
      const [problem, tile] = sizedLayer({ size: round, biasSize: (round * 13) % 60, taps: 1 + (round % 3) });
      const result = randomResult(problem, tile, { density: [0.1, 0.6][round % 2] ?? 0, next });
      const body = encodeResultBody(problem, tile, result);
      const rowBytes = rowMaskBytes(problem);
      const isWanted = (copy: number): boolean => copy % 3 === round % 3;
      const masks = result.masks.map((byte, at) => (isWanted(Math.floor(at / rowBytes)) ? byte : 0));
      expect(decodeResultBody(problem, tile, body, isWanted)).toEqual({ ...result, masks });
      for (let index = 0; index < 50; index++) {
        const mutant = mutate(body, next);
        const outcome = (wanted: (copy: number) => boolean): string => {
          try {
            return `${decodeResultBody(problem, tile, mutant, wanted).copyRows}`;
          } catch (error) {
            return String(error);
          }
        };
        expect(outcome(() => false)).toBe(outcome(() => true));
      }
    }
  });

  it('is refused one byte shorter and one byte longer', () => {
    const [problem, tile] = sizedLayer({ size: 20, biasSize: 12, taps: 1 });
    const result = randomResult(problem, tile, { density: 0.2, next: seededNumbers(9) });
    const body = encodeResultBody(problem, tile, result);
    for (const wrong of [body.slice(0, -1), Uint8Array.of(...body, 0), new Uint8Array(0)])
      expect(() => decodeResultBody(problem, tile, wrong)).toThrow(ProtocolError);
  });

  it('is refused with codes that fit but are not those of the subsets found', () => {
    // One row of one block with 2 samples, no bias block: lengths of k = 0, 1, 2 and of the bias block's k = 0, then the row.
    const [problem, wide] = sizedLayer({ size: 2, biasSize: 0, taps: 1, groups: 1 });
    const tile: Tile = { ...wide, neurons: [{ neuron: 0, firstRow: 0, rowCount: 1, wanted: 1 }] };
    // k = 0 alone (code length 1, free), the bias block alone, then a copy.
    expect(decodeResultBody(problem, tile, bitsOf('1000 0000 0000 1000 1')).copyRows).toHaveLength(1);
    // k = 0 and k = 1 with a bit each: complete, but k = 1 does not occur.
    expect(() => decodeResultBody(problem, tile, bitsOf('1000 1000 0000 1000 1 0'))).toThrow(/codes/);
    // k = 0 has a code of two bits and nothing else has one.
    expect(() => decodeResultBody(problem, tile, bitsOf('0100 0000 0000 1000 1 00'))).toThrow(/complete/);
    // No code at all, and yet a copy.
    expect(() => decodeResultBody(problem, tile, bitsOf('0000 0000 0000 1000 1'))).toThrow(/codes/);
  });

  it('cannot be made of a result with rows left out, out of order, or too many', () => {
    const [problem, tile] = sizedLayer({ size: 4, biasSize: 1, taps: 1 });
    const result = randomResult(problem, tile, { density: 0.3, next: seededNumbers(3) });
    const reversed = result.copyRows.slice().reverse();
    expect(() => encodeResultBody(problem, tile, { ...result, copyRows: reversed })).toThrow(/invariant/);
    expect(() => encodeResultBody(problem, tile, { ...result, misses: Int32Array.of(5, 0, 6, 0) })).toThrow();
    expect(() => encodeResultBody(problem, tile, { ...result, masks: result.masks.slice(1) })).toThrow();
  });

  it('takes at most 10 bits a block where 9.4 bits say it all: random targets, 20 samples, ε = 0.01', () => {
    const problem = { ...sizedLayer({ size: 20, biasSize: 1, taps: 1, groups: 300 })[0] };
    const tile: Tile = {
      id: '',
      sourceLayer: problem.sourceLayer,
      pass: 0,
      neurons: [{ neuron: 0, firstRow: 0, rowCount: 60, wanted: 50 }],
      targets: Int32Array.from({ length: 300 }, (_, g) => ((g * 0x9e3779b1) | 0) >> 9),
      biasTargets: Float64Array.of(0),
    };
    const result = kernel.solveTile({ ...problem, tolerance: Math.floor(0.01 * 2 ** 23) }, tile);
    const bits = 8 * encodeResultBody(problem, tile, result).length;
    expect(result.copyRows.length).toBe(50);
    expect(bits / (50 * (blocksPerRow(problem) - 1))).toBeLessThan(10);
  });
});

function bitsOf(text: string): Uint8Array {
  const bits = text.replaceAll(' ', '');
  const bytes = new Uint8Array(Math.ceil(bits.length / 8));
  [...bits].forEach((bit, index) => {
    bytes[index >> 3] = (bytes[index >> 3] ?? 0) | (Number(bit) << (index & 7));
  });
  return bytes;
}
