import { beforeAll, describe, expect, it } from 'vitest';
import type { LayerProblem, Tile, TileResult } from '../../src/core/plan/tile.ts';
import { rowMaskBytes } from '../../src/core/plan/tile.ts';
import { openFastVerifier } from '../../src/core/verify/fast/fast-verifier.ts';
import { verifyTile } from '../../src/core/verify/verify-tile.ts';
import { loadKernel } from '../../worker/kernel/kernel.ts';

/** Two channels of two taps, a bias block of one constant and the own bias; neuron 1's targets are out of reach in half its rows. */
const problem: LayerProblem = {
  seed: 11n,
  gridBits: 12,
  sourceLayer: 2,
  rows: 40,
  cols: 12,
  taps: 2,
  channels: 2,
  groupOffsets: Int32Array.of(0, 5, 11),
  groupColumns: Int32Array.of(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
  groupChannels: Int32Array.of(0, 1),
  groupMultipliers: null,
  sampleShift: 0,
  rule: 'fewest',
  tolerance: 120,
  bias: {
    elements: Int32Array.of(22, 23),
    values: Int32Array.of(3000, -2500),
    sampleShift: 11,
    ownScale: 1.5,
    interceptScale: 0.25,
    tolerance: 900,
  },
};
const tile: Tile = {
  id: 'tile',
  sourceLayer: 2,
  pass: 0,
  neurons: [
    { neuron: 4, firstRow: 0, rowCount: 12, wanted: 3 },
    { neuron: 5, firstRow: 12, rowCount: 6, wanted: 6 },
  ],
  targets: Int32Array.of(300, -500, 0, 700, 1500, -1400, 900, -20),
  biasTargets: Float64Array.of(200, -100),
};
let result: TileResult;

beforeAll(async () => {
  result = (await loadKernel()).solveTile(problem, tile);
});

function reasonOf(
  change: Partial<TileResult>,
  isChecked: (copy: number) => boolean = () => true,
): string | null {
  const verdict = verifyTile(problem, { tile, result: { ...result, ...change }, isChecked });
  return verdict.kind === 'verified' ? null : verdict.reason;
}

/** The result with bit `bit` of copy `copy` flipped. */
function flipped(copy: number, bit: number): Partial<TileResult> {
  const masks = result.masks.slice();
  const byte = copy * rowMaskBytes(problem) + (bit >> 3);
  masks[byte] = (masks[byte] ?? 0) ^ (1 << (bit & 7));
  return { masks };
}

describe('the check of a tile', () => {
  it('accepts what the kernel found, and hands it on as it is', () => {
    expect([...result.copyCounts]).toEqual([3, expect.any(Number)]);
    expect(result.copyCounts[1]).toBeLessThan(6);
    expect(result.copyCounts[1]).toBeGreaterThan(0);
    const verdict = verifyTile(problem, { tile, result, isChecked: () => true });
    expect(verdict).toEqual({ kind: 'verified', tile: { tile, result } });
  });

  it.each<[string, () => Partial<TileResult>, RegExp]>([
    ['another tile', () => ({ tileId: 'other' }), /belongs to another tile/],
    ['too few neurons', () => ({ copyCounts: Int32Array.of(3) }), /another number of neurons/],
    ['a mask too short', () => ({ masks: result.masks.subarray(1) }), /masks have another length/],
    ['a mask too long', () => ({ masks: Uint8Array.of(...result.masks, 0) }), /masks have another length/],
    ['half a miss', () => ({ misses: Int32Array.of(...result.misses, 1) }), /misses are not pairs/],
    [
      'a miss twice',
      () => ({ misses: Int32Array.of(...result.misses, ...result.misses.subarray(0, 2)) }),
      /a miss twice/,
    ],
    ['a miss of a block behind the last', () => ({ misses: withBlock(5) }), /a block that does not exist/],
    ['a miss of block −1', () => ({ misses: withBlock(-1) }), /a block that does not exist/],
    ['fewer than no copies', () => ({ copyCounts: Int32Array.of(-1, 3) }), /neuron 4 has -1 copies/],
    [
      'more copies than wanted',
      () => ({ copyCounts: Int32Array.of(4, 0) }),
      /neuron 4 has 4 copies, wanted 3/,
    ],
    ['more copies than rows', () => ({ copyCounts: Int32Array.of(3, 6) }), /neuron 5 has 6 copies/],
    [
      'rows of no neuron',
      () => ({ copyCounts: Int32Array.of(3, 0), misses: allMissed() }),
      /rows of no neuron/,
    ],
    ['a row of another neuron', () => ({ copyRows: withRow(0, 13) }), /row 13 of neuron 4 is neither next/],
    ['a row passed over', () => ({ copyRows: withRow(2, 11) }), /row 11 of neuron 4 is neither next/],
    ['a negative row', () => ({ copyRows: withRow(0, -1) }), /row -1 of neuron 4 is neither next/],
    [
      'a row not tried',
      () => ({ misses: result.misses.subarray(0, -2) }),
      /neuron 5 (lacks copies, but row 17 was not tried|)|row 17 of neuron 5/,
    ],
    [
      'a miss of a row behind the last copy',
      () => ({ misses: Int32Array.of(...result.misses, 11, 0) }),
      /not to be tried/,
    ],
    [
      'a weight out of tolerance',
      () => outOfTolerance(0, 22),
      /^neuron 4, row \d+: channel \d, tap \d: residual -?\d+, tolerance 120$/,
    ],
    [
      'a bias out of tolerance',
      () => outOfTolerance(22, 25),
      /^neuron 4, row \d+: bias: residual -?\d+, tolerance 900$/,
    ],
    [
      'a bit that stands for no edge',
      () => flipped(0, 31),
      /^neuron 4, row \d+: mask bit 31 stands for no edge$/,
    ],
  ])('refuses %s', (_, change, reason) => {
    expect(reasonOf(change())).toMatch(reason);
  });

  it('looks at the residuals of the copies that are to be checked, and of no others', () => {
    const change = flipped(2, 31);
    const asked: number[] = [];
    expect(reasonOf(change, (copy) => copy !== 2)).toBeNull();
    expect(reasonOf(change, (copy) => copy === 2)).toMatch(/mask bit 31/);
    reasonOf({}, (copy) => asked.push(copy) > 0);
    expect(asked).toEqual(Array.from(result.copyRows, (_, copy) => copy));
  });

  it.each([
    ['a bias that is to be no number', problem, { ...tile, biasTargets: Float64Array.of(200, Number.NaN) }],
    ['a tolerance that is none', { ...problem, tolerance: Number.NaN }, tile],
  ])('refuses %s, quickly looked at or not', (_, asked, of) => {
    for (const fast of [undefined, openFastVerifier()])
      expect(verifyTile(asked, { tile: of, result, isChecked: () => true, fast })).toMatchObject({
        kind: 'refused',
        reason: expect.stringMatching(/residual (NaN, tolerance 900|-?\d+, tolerance NaN)$/),
      });
  });

  it('checks shapes and rows whatever is left unchecked', () => {
    expect(reasonOf({ copyRows: withRow(0, 13) }, () => false)).toMatch(/neither next/);
  });
});

function withRow(copy: number, row: number): Int32Array {
  const rows = result.copyRows.slice();
  rows[copy] = row;
  return rows;
}

function withBlock(block: number): Int32Array {
  const misses = result.misses.slice();
  misses[1] = block;
  return misses;
}

function allMissed(): Int32Array {
  const missed = new Set(result.misses.filter((_, index) => index % 2 === 0));
  const others = Array.from({ length: 6 }, (_, k) => 12 + k).filter((row) => !missed.has(row));
  return Int32Array.of(...result.misses, ...others.flatMap((row) => [row, 0]));
}

/** The first copy with one bit of a range flipped that makes a residual too large. */
function outOfTolerance(from: number, to: number): Partial<TileResult> {
  for (let bit = from; bit < to; bit++) if (reasonOf(flipped(0, bit)) !== null) return flipped(0, bit);
  throw new Error('every flip stays within tolerance');
}
