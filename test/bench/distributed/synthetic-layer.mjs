/** One layer of blocks of a chosen size, cut into tiles: what throughput, floods and forgeries are measured on. */
import { layerProblemDigest, tileBlocksFor, tileId } from '../../../dist/src/core/plan/tiles.js';

/** Copies of a neuron: each channel's target travels once for all of them. */
const copies = 16;
const rowsPerNeuron = 2 * copies;
const rowsMax = 2 ** 24;

/**
 * Returns a layer with plain blocks, no constants, and as many neurons as the source may have rows for.
 * @param setting `size` samples in a block, `rule`, relative tolerance `epsilon`; `tileBlocks` if tiles are not to be as large as a
 * search's; `channels` blocks in a row beside the empty bias block.
 */
export function syntheticLayer({ rule, size, epsilon, tileBlocks, channels = 100, gridBits = 24 }) {
  const half = 2 ** (gridBits - 1);
  const columns = channels * size;
  const problem = {
    seed: 1n,
    gridBits,
    sourceLayer: 2,
    rows: rowsMax,
    cols: columns,
    taps: 1,
    channels,
    groupOffsets: Int32Array.from({ length: channels + 1 }, (_, group) => group * size),
    groupColumns: Int32Array.from({ length: columns }, (_, column) => column),
    groupChannels: Int32Array.from({ length: channels }, (_, group) => group),
    groupMultipliers: null,
    sampleShift: 0,
    rule,
    tolerance: Math.floor(epsilon * half),
    bias: {
      elements: new Int32Array(0),
      values: new Int32Array(0),
      sampleShift: 0,
      ownScale: 0,
      interceptScale: 0,
      tolerance: 2 ** 50,
    },
  };
  const digest = layerProblemDigest(problem);
  const blocksPerNeuron = copies * (channels + 1);
  const wanted = tileBlocks ?? tileBlocksFor(problem);
  const neuronsPerTile = Math.max(1, Math.round(wanted / blocksPerNeuron));
  const tileCount = Math.floor(rowsMax / rowsPerNeuron / neuronsPerTile);
  return {
    problem,
    digest,
    blocksPerTile: neuronsPerTile * blocksPerNeuron,
    tileCount,
    tile: (index) => makeTile({ digest, neuronsPerTile, index, channels, half }),
  };
}

/** Targets as trained weights have them: most of them small. */
function makeTile({ digest, neuronsPerTile, index, channels, half }) {
  const neurons = Array.from({ length: neuronsPerTile }, (_, k) => {
    const neuron = index * neuronsPerTile + k;
    return { neuron, firstRow: neuron * rowsPerNeuron, rowCount: rowsPerNeuron, wanted: copies };
  });
  const targets = Int32Array.from({ length: neuronsPerTile * channels }, (_, k) => {
    const turn = Math.sin((index * neuronsPerTile * channels + k + 1) * 12.9898) * 43_758.5453;
    return Math.round((turn - Math.floor(turn) - 0.5) * half);
  });
  const shape = { pass: 0, neurons, targets, biasTargets: new Float64Array(neuronsPerTile) };
  return { id: tileId(digest, shape), sourceLayer: 2, ...shape };
}
