/**
 * Cuts one pass over a layer into tiles with content-hash ids.
 *
 * Pass 0 gives every neuron its own pool. A later pass gives the neurons that are still short as many reserve rows as they
 * lack, in neuron order; so who gets which row depends on the results of the pass before, never on their order of arrival.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { tileSecondsDefault } from '../limits.ts';
import { wholeSourceLayer } from '../source/source-network.ts';
import { blockMicroseconds } from './block-cost.ts';
import { type LayerPlace, layerPlan, neuronBiasTarget, neuronTargets } from './layer-problem.ts';
import type { LayerProblem, Tile, TileNeuron } from './tile.ts';

/** Most blocks per tile: its result is about 150 kB on the wire. Smaller ones cost more: a tile takes milliseconds beside its blocks. */
const tileBlocksMax = 150_000;

/** How large tiles are to be: how long one core should take for one or, where a test wants to know, how many blocks it has. */
export type TileSize =
  | { readonly kind: 'seconds'; readonly seconds: number }
  | { readonly kind: 'blocks'; readonly blocks: number };

/** One pass over a layer. */
export interface PassToCut {
  readonly pass: number;
  readonly neurons: readonly TileNeuron[];
  readonly problemDigest: string;
  /** Blocks per tile to aim at. */
  readonly tileBlocks: number;
}

/** Returns hex SHA-256 over every field of a layer problem: two problems with one digest have one answer. */
export function layerProblemDigest(problem: LayerProblem): string {
  const hash = sha256.create();
  const { bias, groupOffsets, groupColumns, groupChannels, groupMultipliers } = problem;
  const { elements, values } = bias;
  // Field by field: the text must not depend on the order in which someone put the object together.
  const numbers = {
    gridBits: problem.gridBits,
    sourceLayer: problem.sourceLayer,
    rows: problem.rows,
    cols: problem.cols,
    taps: problem.taps,
    channels: problem.channels,
    sampleShift: problem.sampleShift,
    rule: problem.rule,
    tolerance: problem.tolerance,
  };
  const biasNumbers = {
    sampleShift: bias.sampleShift,
    ownScale: bias.ownScale,
    interceptScale: bias.interceptScale,
    tolerance: bias.tolerance,
  };
  hash.update(ascii(JSON.stringify({ seed: problem.seed.toString(), numbers, biasNumbers })));
  for (const array of [
    groupOffsets,
    groupColumns,
    groupChannels,
    groupMultipliers ?? new Int32Array(0),
    elements,
    values,
  ])
    hash.update(lengthPrefixed(array));
  return bytesToHex(hash.digest());
}

/** Returns hex SHA-256 over a layer's digest and every field of a tile of it: what a tile is known by everywhere. */
export function tileId(
  problemDigest: string,
  tile: Pick<Tile, 'pass' | 'neurons' | 'targets' | 'biasTargets'>,
): string {
  const { pass, targets, biasTargets } = tile;
  const neurons = tile.neurons.map(({ neuron, firstRow, rowCount, wanted }) => ({
    neuron,
    firstRow,
    rowCount,
    wanted,
  }));
  const hash = sha256.create();
  hash.update(ascii(JSON.stringify({ problemDigest, pass, neurons })));
  hash.update(lengthPrefixed(targets));
  hash.update(new Uint8Array(biasTargets.buffer, biasTargets.byteOffset, biasTargets.byteLength));
  return bytesToHex(hash.digest());
}

/** Returns what each neuron tries in pass 0: its whole pool; neurons that nothing downstream reads are left out. */
export function poolPass(place: LayerPlace, wanted: Int32Array): TileNeuron[] {
  const { pool } = layerPlan(place);
  const neurons: TileNeuron[] = [];
  wanted.forEach((count, neuron) => {
    if (count > 0) neurons.push({ neuron, firstRow: neuron * pool, rowCount: pool, wanted: count });
  });
  return neurons;
}

/**
 * Returns who gets which reserve rows, in neuron order, until they run out.
 * @param missing copies each neuron still lacks, shape [neurons].
 * @param used reserve rows handed out in earlier passes.
 */
export function reservePass(place: LayerPlace, missing: Int32Array, used: number): TileNeuron[] {
  const { pool, reserve } = layerPlan(place);
  const neurons: TileNeuron[] = [];
  let next = used;
  missing.forEach((count, neuron) => {
    const rowCount = Math.min(count, reserve - next);
    if (rowCount <= 0) return;
    neurons.push({ neuron, firstRow: place.view.neurons * pool + next, rowCount, wanted: rowCount });
    next += rowCount;
  });
  return neurons;
}

/**
 * Returns the blocks per tile to aim at for a layer: a function of problem and size, so a resumed search cuts the same tiles. A time
 * gives at most tileBlocksMax: where blocks are easy, bytes rather than work bound a tile.
 */
export function tileBlocksFor(
  problem: LayerProblem,
  size: TileSize = { kind: 'seconds', seconds: tileSecondsDefault },
): number {
  if (size.kind === 'blocks') return size.blocks;
  const blocks = Math.round((size.seconds * 1e6) / layerBlockMicroseconds(problem));
  return Math.max(1, Math.min(tileBlocksMax, blocks));
}

/** Returns the time one block of a layer takes, in microseconds of one core; plan/block-cost.ts says how well that is known. */
export function layerBlockMicroseconds(problem: LayerProblem): number {
  const groups = problem.groupChannels.length;
  const blockSize = groups === 0 ? 0 : Math.ceil(problem.groupColumns.length / groups);
  return blockMicroseconds({ ...problem, blockSize });
}

/** The tiles of one pass, each made when it is asked for: their targets together are as large as the layer. */
export interface CutTiles {
  readonly count: number;
  /** Yields the tiles in neuron order. */
  [Symbol.iterator](): IterableIterator<Tile>;
}

/** Returns the tiles of one pass. */
export function cutTiles(
  place: LayerPlace,
  { pass, neurons, problemDigest, tileBlocks }: PassToCut,
): CutTiles {
  const blocksPerRow = place.view.channels * place.view.taps + 1;
  const batches: TileNeuron[][] = [];
  let batch: TileNeuron[] = [];
  let blocks = 0;
  for (const neuron of neurons) {
    if (batch.length === 0) batches.push(batch);
    batch.push(neuron);
    blocks += neuron.wanted * blocksPerRow;
    if (blocks < tileBlocks) continue;
    batch = [];
    blocks = 0;
  }
  return {
    count: batches.length,
    *[Symbol.iterator]() {
      for (const each of batches) yield makeTile(place, { pass, neurons: each, problemDigest });
    },
  };
}

function makeTile(place: LayerPlace, { pass, neurons, problemDigest }: Omit<PassToCut, 'tileBlocks'>): Tile {
  const size = place.view.channels * place.view.taps;
  const targets = new Int32Array(neurons.length * size);
  const biasTargets = new Float64Array(neurons.length);
  neurons.forEach(({ neuron }, index) => {
    targets.set(neuronTargets(place, neuron), index * size);
    biasTargets[index] = neuronBiasTarget(place, neuron);
  });
  const sourceLayer = wholeSourceLayer(place.plan.source, place.index + 1);
  const tile = { sourceLayer, pass, neurons, targets, biasTargets };
  return { id: tileId(problemDigest, tile), ...tile };
}

function ascii(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index++) bytes[index] = text.charCodeAt(index);
  return bytes;
}

function lengthPrefixed(array: Int32Array): Uint8Array {
  const bytes = new Uint8Array(4 + array.byteLength);
  new DataView(bytes.buffer).setUint32(0, array.length, true);
  bytes.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), 4);
  return bytes;
}
