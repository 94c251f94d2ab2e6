/**
 * A tile as the lease that carries it. A gateway is not trusted: counts and ranges are checked before anything is allocated by
 * them, and the tile's id, which is a hash of the layer's digest and of every field, at the end.
 */
import { tileBlockCountMax, tileMaskBytesMax, tileNeuronCountMax, tileRowCountMax } from '../limits.ts';
import { blocksPerRow, type LayerProblem, rowMaskBytes, type Tile, type TileNeuron } from '../plan/tile.ts';
import { tileId } from '../plan/tiles.ts';
import { bytesOf, float64Of, int32Of } from './little-endian.ts';
import type { Lease } from './messages.ts';
import { ProtocolError } from './protocol-error.ts';

/** What a lease says beyond its tile. */
export interface LeaseTerms {
  readonly job: string;
  /** Digest of the layer's spec. */
  readonly spec: string;
  readonly token: Uint8Array;
  readonly attempt: number;
  readonly leaseMs: number;
}

/** Numbers per neuron in a lease: neuron, firstRow, rowCount, wanted. */
const neuronNumbers = 4;

/** Returns the lease of a tile. */
export function leaseOf(tile: Tile, { job, spec, token, attempt, leaseMs }: LeaseTerms): Lease {
  const numbers = tile.neurons.flatMap(({ neuron, firstRow, rowCount, wanted }) => [
    neuron,
    firstRow,
    rowCount,
    wanted,
  ]);
  return {
    job,
    tile: tile.id,
    spec,
    token,
    attempt,
    leaseMs,
    sourceLayer: tile.sourceLayer,
    pass: tile.pass,
    neurons: bytesOf(Int32Array.from(numbers)),
    targets: bytesOf(tile.targets),
    biasTargets: bytesOf(tile.biasTargets),
  };
}

/**
 * Returns the tile of a lease, in arrays of its own. Whether it fits its layer: {@link checkTile}.
 * @param lease part of a message that the schema has let through.
 * @throws ProtocolError 1002 when its parts do not fit each other, 1008 when they are not what the tile's id says.
 */
export function tileOf(lease: Lease): Tile {
  const count = lease.biasTargets.length / 8;
  expect('neurons', count, Number.isInteger(count) && count >= 1 && count <= tileNeuronCountMax);
  const numbers = int32Of(lease.neurons, neuronNumbers * count, 'the neurons of a tile');
  const targetCount = lease.targets.length / 4;
  expect('targets', targetCount, targetCount % count === 0);
  const biasTargets = float64Of(lease.biasTargets, count, 'the bias targets of a tile');
  for (const target of biasTargets) expect('bias target', target, Number.isSafeInteger(target));
  const tile = {
    sourceLayer: lease.sourceLayer,
    pass: lease.pass,
    neurons: Array.from({ length: count }, (_, index) => neuronOf(numbers, index * neuronNumbers)),
    targets: int32Of(lease.targets, targetCount, 'the targets of a tile'),
    biasTargets,
  };
  const id = tileId(lease.spec, tile);
  if (id !== lease.tile)
    throw new ProtocolError(1008, `Cannot accept a tile: its id is ${id}, expected ${lease.tile}`);
  return { id, ...tile };
}

/**
 * Returns if a tile fits its layer: a target for every channel and tap, rows that exist, a result of bounded size. Call before
 * solving.
 * @throws ProtocolError 1002 otherwise.
 */
export function checkTile(problem: LayerProblem, tile: Tile): void {
  expect('source layer', tile.sourceLayer, tile.sourceLayer === problem.sourceLayer);
  const targets = tile.neurons.length * problem.channels * problem.taps;
  expect('targets', tile.targets.length, tile.targets.length === targets);
  let copies = 0;
  let rows = 0;
  for (const { firstRow, rowCount, wanted } of tile.neurons) {
    expect('row', firstRow + rowCount, firstRow + rowCount <= problem.rows);
    copies += Math.min(rowCount, wanted);
    rows += rowCount;
  }
  expect('rows to try', rows, rows <= tileRowCountMax);
  const blocks = rows * blocksPerRow(problem);
  expect('blocks to try', blocks, blocks <= tileBlockCountMax);
  const bytes = copies * rowMaskBytes(problem);
  expect('mask bytes', bytes, bytes <= tileMaskBytesMax);
}

function neuronOf(numbers: Int32Array, at: number): TileNeuron {
  const [neuron = -1, firstRow = -1, rowCount = -1, wanted = -1] = numbers.subarray(at, at + neuronNumbers);
  for (const number of [neuron, firstRow, rowCount, wanted])
    expect('neuron with number', number, number >= 0);
  return { neuron, firstRow, rowCount, wanted };
}

function expect(what: string, value: number, isWithin: boolean): void {
  if (!isWithin)
    throw new ProtocolError(
      1002,
      `Cannot accept a tile: ${what} ${value}, expected one that fits the others and the bounds`,
    );
}
