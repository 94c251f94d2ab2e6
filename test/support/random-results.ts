/** Layers with blocks of a given size, and results of legal shape that nobody has solved for. */
import {
  blocksPerRow,
  type LayerProblem,
  rowMaskBits,
  rowMaskBytes,
  type Tile,
  type TileResult,
} from '../../src/core/plan/tile.ts';

/** Returns a layer whose blocks have `size` samples, but for the last group, which has one less, and a tile of 3 neurons. */
export function sizedLayer({
  size,
  biasSize,
  taps,
  groups = 5,
}: {
  readonly size: number;
  readonly biasSize: number;
  readonly taps: number;
  readonly groups?: number;
}): [LayerProblem, Tile] {
  const sizes = Array.from({ length: groups }, (_, g) =>
    groups > 1 && g === groups - 1 ? Math.max(0, size - 1) : size,
  );
  const offsets = [0];
  for (const own of sizes) offsets.push((offsets.at(-1) ?? 0) + own);
  const columns = offsets.at(-1) ?? 0;
  const problem: LayerProblem = {
    seed: 5n,
    gridBits: 24,
    sourceLayer: 2,
    rows: 1000,
    cols: columns + biasSize,
    taps,
    channels: groups,
    groupOffsets: Int32Array.from(offsets),
    groupColumns: Int32Array.from({ length: columns }, (_, column) => column),
    groupChannels: Int32Array.from(sizes, (_, g) => g),
    groupMultipliers: null,
    sampleShift: 0,
    rule: 'fewest',
    tolerance: 2 ** 17,
    bias: {
      elements: Int32Array.from({ length: biasSize }, (_, k) => (columns + k) * taps),
      values: Int32Array.from({ length: biasSize }, (_, k) => k + 1),
      sampleShift: 0,
      ownScale: 0,
      interceptScale: 0,
      tolerance: 2 ** 30,
    },
  };
  const tile: Tile = {
    id: 'ab'.repeat(32),
    sourceLayer: 2,
    pass: 0,
    neurons: Array.from({ length: 3 }, (_, neuron) => ({
      neuron,
      firstRow: 10 * neuron,
      rowCount: 9,
      wanted: 6,
    })),
    targets: new Int32Array(3 * groups * taps),
    biasTargets: new Float64Array(3),
  };
  return [problem, tile];
}

/** Returns a result of legal shape: rows missed at random, mask bits set with chance `density`. */
export function randomResult(
  problem: LayerProblem,
  tile: Tile,
  { density, next }: { density: number; next: (below: number) => number },
): TileResult {
  const bits = rowMaskBits(problem);
  const rowBytes = rowMaskBytes(problem);
  const copyRows: number[] = [];
  const masks: number[] = [];
  const misses: number[] = [];
  const copyCounts = tile.neurons.map(({ firstRow, rowCount, wanted }) => {
    let found = 0;
    for (let row = firstRow; row < firstRow + rowCount && found < wanted; row++) {
      if (next(4) === 0) {
        misses.push(row, next(blocksPerRow(problem)));
        continue;
      }
      const mask = new Uint8Array(rowBytes);
      for (let bit = 0; bit < bits; bit++)
        if (next(1000) < 1000 * density) mask[bit >> 3] = (mask[bit >> 3] ?? 0) | (1 << (bit & 7));
      masks.push(...mask);
      copyRows.push(row);
      found++;
    }
    return found;
  });
  return {
    tileId: tile.id,
    copyCounts: Int32Array.from(copyCounts),
    copyRows: Int32Array.from(copyRows),
    masks: Uint8Array.from(masks),
    misses: Int32Array.from(misses),
  };
}
