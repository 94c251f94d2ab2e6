/**
 * Cuts one pass over a layer into tiles with content-hash ids.
 *
 * Pass 0 gives every neuron its own pool. A later pass gives the neurons that are still short as many reserve rows as they
 * lack, in neuron order; so who gets which row depends on the results of the pass before, never on their order of arrival.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { type LayerPlace, layerPlan, neuronBiasTarget, neuronTargets } from './layer-problem.ts';
import type { LayerProblem, Tile, TileNeuron } from './tile.ts';

/** Blocks per tile to aim at: some tenths of a second of work at easy tolerances. */
const tileBlocks = 100_000;

/** Returns hex SHA-256 over every field of a layer problem: two problems with one digest have one answer. */
export function layerProblemDigest(problem: LayerProblem): string {
  const hash = sha256.create();
  const { bias, seed, groupOffsets, groupColumns, groupChannels, groupMultipliers, ...numbers } = problem;
  const { elements, values, ...biasNumbers } = bias;
  hash.update(ascii(JSON.stringify({ seed: seed.toString(), numbers, biasNumbers })));
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

/** Returns the tiles of one pass. */
export function cutTiles(
  place: LayerPlace,
  { pass, neurons, problemDigest }: { pass: number; neurons: readonly TileNeuron[]; problemDigest: string },
): Tile[] {
  const blocksPerRow = place.view.channels * place.view.taps + 1;
  const tiles: Tile[] = [];
  let batch: TileNeuron[] = [];
  let blocks = 0;
  for (const neuron of neurons) {
    batch.push(neuron);
    blocks += neuron.wanted * blocksPerRow;
    if (blocks < tileBlocks) continue;
    tiles.push(makeTile(place, { pass, neurons: batch, problemDigest }));
    batch = [];
    blocks = 0;
  }
  if (batch.length > 0) tiles.push(makeTile(place, { pass, neurons: batch, problemDigest }));
  return tiles;
}

function makeTile(
  place: LayerPlace,
  { pass, neurons, problemDigest }: { pass: number; neurons: readonly TileNeuron[]; problemDigest: string },
): Tile {
  const size = place.view.channels * place.view.taps;
  const targets = new Int32Array(neurons.length * size);
  const biasTargets = new Float64Array(neurons.length);
  neurons.forEach(({ neuron }, index) => {
    targets.set(neuronTargets(place, neuron), index * size);
    biasTargets[index] = neuronBiasTarget(place, neuron);
  });
  const hash = sha256.create();
  hash.update(ascii(JSON.stringify({ problemDigest, pass, neurons })));
  hash.update(lengthPrefixed(targets));
  hash.update(new Uint8Array(biasTargets.buffer));
  return { id: bytesToHex(hash.digest()), sourceLayer: place.index + 1, pass, neurons, targets, biasTargets };
}

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function lengthPrefixed(array: Int32Array): Uint8Array {
  const bytes = new Uint8Array(4 + array.byteLength);
  new DataView(bytes.buffer).setUint32(0, array.length, true);
  bytes.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), 4);
  return bytes;
}
