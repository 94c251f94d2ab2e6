/** Forged results of every kind, each of them wrong for certain. */

import { rowMaskBits, rowMaskBytes } from '../../../dist/src/core/plan/tile.js';
import { encodeResultBody } from '../../../dist/src/core/protocol/mask-code.js';
import { SourceLayerReader } from '../../../dist/src/core/source/source-network.js';

/** Small tiles whose blocks are solved exactly, so that one sample more or less is always wrong. */
export const forgedLayer = {
  rule: 'fewest',
  size: 20,
  epsilon: 0,
  gridBits: 12,
  channels: 4,
  tileBlocks: 80,
};

/** What forgers try. */
export const forgeryKinds = [
  'random masks of legal shape',
  'one bit flipped',
  "another tile's result",
  'one unit beyond the tolerance',
  'a false miss',
  'random bytes',
  'cut short',
  'of a job that is gone',
  'for another layer',
];

/**
 * Returns a forger of results for the tiles of a layer.
 * @param random returns numbers in [0, 1).
 */
export function forger({ layer, kernel, job, random }) {
  const { problem, digest } = layer;
  const reader = new SourceLayerReader(problem, problem.sourceLayer, problem);
  const solved = new Map();
  const message = (tile, body) => ({
    kind: 'result',
    job,
    tile: tile.id,
    spec: digest,
    token: new Uint8Array(24),
    attempt: 1,
    body,
    computeMs: 1,
  });
  const solve = (tile) => {
    if (!solved.has(tile.id)) solved.set(tile.id, kernel.solveTile(problem, tile));
    return solved.get(tile.id);
  };
  const honest = (tile) => message(tile, encodeResultBody(problem, tile, solve(tile)));
  const withMasks = (tile, masks) =>
    message(tile, encodeResultBody(problem, tile, { ...solve(tile), masks }));
  const rowBytes = rowMaskBytes(problem);
  const rowBits = rowMaskBits(problem);
  const below = (count) => Math.floor(random() * count);

  /** What an honest worker would find if the row of the first copy had no subset, which nothing but solving it again disproves. */
  const withoutFirstCopy = (tile) => {
    const { copyRows, misses } = solve(tile);
    const [row] = copyRows;
    const [first, ...others] = tile.neurons;
    const rest = { ...first, firstRow: row + 1, rowCount: first.firstRow + first.rowCount - row - 1 };
    const result = kernel.solveTile(problem, { ...tile, neurons: [rest, ...others] });
    const before = misses.subarray(0, 2 * (row - first.firstRow));
    return { ...result, misses: Int32Array.of(...before, row, 0, ...result.misses) };
  };

  const makers = {
    'random masks of legal shape': (tile) => {
      const masks = Uint8Array.from(solve(tile).masks, () => below(256));
      const spare = rowBytes * 8 - rowBits;
      for (let at = rowBytes - 1; at < masks.length; at += rowBytes) masks[at] &= 255 >> spare;
      return withMasks(tile, masks);
    },
    'one bit flipped': (tile) => {
      const { masks, copyRows } = solve(tile);
      for (;;) {
        const [copy, bit] = [below(copyRows.length), below(rowBits)];
        // A sample of 0 may be in or out: the sum stays right.
        if (reader.weight(copyRows[copy], bit) === 0) continue;
        const flipped = masks.slice();
        flipped[copy * rowBytes + (bit >> 3)] ^= 1 << (bit & 7);
        return withMasks(tile, flipped);
      }
    },
    "another tile's result": (tile, other) => ({ ...honest(other), tile: tile.id }),
    'one unit beyond the tolerance': (tile) => {
      const loose = { ...problem, tolerance: problem.tolerance + 1 };
      return message(tile, encodeResultBody(loose, tile, kernel.solveTile(loose, tile)));
    },
    'a false miss': (tile) => message(tile, encodeResultBody(problem, tile, withoutFirstCopy(tile))),
    'random bytes': (tile) =>
      message(
        tile,
        Uint8Array.from(honest(tile).body, () => below(256)),
      ),
    'cut short': (tile) => {
      const { body } = honest(tile);
      return message(tile, body.slice(0, below(body.length)));
    },
    'of a job that is gone': (tile) => ({ ...honest(tile), job: 'gone' }),
    'for another layer': (tile) => ({ ...honest(tile), spec: '0'.repeat(64) }),
  };
  return { honest, forge: (kind, tile, other) => makers[kind](tile, other) };
}

/** Returns random numbers in [0, 1) that are the same every time (xorshift32). */
export function seededRandom(seed) {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
