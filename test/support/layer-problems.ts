/** Random small layers with a tile each: several taps, sign groups, products, constants, intercepts, gaps between columns. */
import fc from 'fast-check';
import type { BiasProblem, LayerProblem, Tile } from '../../src/core/plan/tile.ts';

interface Shape {
  readonly gridBits: number;
  readonly taps: number;
  readonly channels: number;
  readonly blockSize: number;
  readonly gap: number;
  readonly isSplit: boolean;
  readonly hasProducts: boolean;
  readonly rule: 'fewest' | 'closest';
  readonly coarseness: number;
  readonly constants: number;
  readonly ownBias: boolean;
  readonly hasIntercept: boolean;
  readonly seed: bigint;
  readonly salt: number;
}

const shapes: fc.Arbitrary<Shape> = fc.record({
  gridBits: fc.oneof(fc.constantFrom(2, 8, 24), fc.integer({ min: 2, max: 24 })),
  taps: fc.constantFrom(1, 1, 2, 9),
  channels: fc.integer({ min: 1, max: 4 }),
  blockSize: fc.integer({ min: 0, max: 14 }),
  gap: fc.constantFrom(0, 1, 40),
  isSplit: fc.boolean(),
  hasProducts: fc.boolean(),
  rule: fc.constantFrom('fewest' as const, 'closest' as const),
  coarseness: fc.constantFrom(1, 8, 60),
  constants: fc.constantFrom(0, 3, 12, 45, 70),
  ownBias: fc.boolean(),
  hasIntercept: fc.boolean(),
  seed: fc.bigInt(0n, (1n << 64n) - 1n),
  salt: fc.nat(2 ** 30),
});

/** A layer problem and a tile of it, mostly solvable. */
export const layerAndTile: fc.Arbitrary<[LayerProblem, Tile]> = shapes.map((shape) => {
  const problem = layerOf(shape);
  return [problem, tileOf(shape, problem)];
});

function layerOf(shape: Shape): LayerProblem {
  const { taps, channels, blockSize, gap } = shape;
  const half = 2 ** (shape.gridBits - 1);
  const groups: { channel: number; columns: number[] }[] = [];
  for (let channel = 0; channel < channels; channel++) {
    const first = channel * (blockSize + gap);
    const columns = Array.from({ length: blockSize }, (_, k) => first + k + (k > 2 ? Math.min(gap, 1) : 0));
    if (shape.isSplit) {
      // Sign groups lie in one pool of columns, interleaved.
      groups.push({ channel, columns: columns.filter((_, k) => mix(shape.salt, k) % 2 === 0) });
      groups.push({ channel, columns: columns.filter((_, k) => mix(shape.salt, k) % 2 === 1) });
    } else groups.push({ channel, columns });
  }
  const columns = groups.flatMap((group) => group.columns);
  const cols = channels * (blockSize + gap) + shape.constants + 2;
  const offsets = [0];
  for (const group of groups) offsets.push((offsets.at(-1) as number) + group.columns.length);
  return {
    seed: shape.seed,
    gridBits: shape.gridBits,
    sourceLayer: shape.salt % 5,
    rows: 64,
    cols,
    taps,
    channels,
    groupOffsets: Int32Array.from(offsets),
    groupColumns: Int32Array.from(columns),
    groupChannels: Int32Array.from(groups, (group) => group.channel),
    groupMultipliers: shape.hasProducts
      ? Int32Array.from(columns, (column) => (mix(shape.salt, column) % (2 * half)) - half)
      : null,
    sampleShift: shape.hasProducts ? shape.gridBits - (shape.salt % 2) : 0,
    rule: shape.rule,
    tolerance: Math.floor(half / shape.coarseness),
    bias: biasOf(shape, cols, half),
  };
}

function biasOf(shape: Shape, cols: number, half: number): BiasProblem {
  const firstColumn = cols - shape.constants;
  return {
    elements: Int32Array.from(
      { length: shape.constants },
      (_, k) => (firstColumn + k) * shape.taps + (shape.taps >> 1),
    ),
    values: Int32Array.from(
      { length: shape.constants },
      (_, k) => (mix(shape.salt, k + 500) % (2 * half)) - half,
    ),
    sampleShift: shape.gridBits - (shape.salt % 2),
    ownScale: shape.ownBias ? 0.75 : 0,
    interceptScale: shape.hasIntercept ? 0.1234567 : 0,
    tolerance: Math.floor((half * (shape.constants + 1)) / 4),
  };
}

function tileOf(shape: Shape, problem: LayerProblem): Tile {
  const half = 2 ** (shape.gridBits - 1);
  const neuronCount = 1 + (shape.salt % 3);
  const targetCount = neuronCount * problem.channels * problem.taps;
  return {
    id: `tile-${shape.salt}`,
    sourceLayer: problem.sourceLayer,
    pass: shape.salt % 2,
    neurons: Array.from({ length: neuronCount }, (_, neuron) => ({
      neuron,
      firstRow: neuron * 7,
      rowCount: 1 + (mix(shape.salt, neuron + 40) % 6),
      wanted: mix(shape.salt, neuron + 60) % 5,
    })),
    targets: Int32Array.from({ length: targetCount }, (_, k) =>
      k % 5 === 4 ? 0 : Math.floor(((mix(shape.salt, k + 900) % (2 * half)) - half) / 2),
    ),
    biasTargets: Float64Array.from(
      { length: neuronCount },
      (_, k) => (mix(shape.salt, k + 3000) % (3 * half)) - half,
    ),
  };
}

/** A number below 2^31 that depends on both arguments. */
function mix(salt: number, index: number): number {
  const mixed = Math.imul(salt ^ Math.imul(index + 1, 0x9e3779b1), 0x85ebca6b);
  return (mixed ^ (mixed >>> 13)) >>> 1;
}
