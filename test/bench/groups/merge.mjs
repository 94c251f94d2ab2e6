/** Merging results: blocks per second from the tiles' masks to the layer's, once all have come. */
import { LayerMerge } from '../../../dist/src/core/ticket/merge.js';
import { verifyTile } from '../../../dist/src/core/verify/verify-tile.js';
import { medianRate } from '../measure.mjs';

const tileCount = 1000;
const copiesPerNeuron = 5;
/** Blocks of one row, 16 samples each. */
const blocks = 1000;

/** Runs the group. */
export async function merge({ quick }) {
  const problem = problemOf(blocks);
  // All tiles share one array of masks: what is measured does not depend on what they hold.
  const masks = new Uint8Array(2 * blocks * copiesPerNeuron);
  const tiles = Array.from({ length: tileCount }, (_, neuron) => emptyTile(problem, neuron, masks));
  const wanted = new Int32Array(tileCount).fill(copiesPerNeuron);
  const timing = { milliseconds: quick ? 50 : 300, runs: quick ? 1 : 5 };
  const seal = () => {
    const merged = new LayerMerge({ wanted, rowBytes: 2 * blocks });
    for (const tile of tiles) merged.add(tile);
    return merged.seal();
  };
  return [
    {
      name: `layer of ${tileCount} tiles, blocks of 16 samples`,
      value: medianRate(seal, timing) * tileCount * copiesPerNeuron * blocks,
      unit: 'blocks/s',
    },
  ];
}

function problemOf(groups) {
  return {
    seed: 1n,
    gridBits: 24,
    sourceLayer: 1,
    rows: tileCount * copiesPerNeuron,
    cols: 16 * groups,
    taps: 1,
    channels: groups,
    groupOffsets: Int32Array.from({ length: groups + 1 }, (_, group) => 16 * group),
    groupColumns: Int32Array.from({ length: 16 * groups }, (_, column) => column),
    groupChannels: Int32Array.from({ length: groups }, (_, group) => group),
    groupMultipliers: null,
    sampleShift: 0,
    rule: 'fewest',
    tolerance: 0,
    bias: {
      elements: new Int32Array(0),
      values: new Int32Array(0),
      sampleShift: 0,
      ownScale: 0,
      interceptScale: 0,
      tolerance: 0,
    },
  };
}

/** A verified tile of one neuron whose copies keep no edges. */
function emptyTile(problem, neuron, masks) {
  const firstRow = neuron * copiesPerNeuron;
  const tile = {
    id: `${neuron}`.padStart(64, '0'),
    sourceLayer: problem.sourceLayer,
    pass: 0,
    neurons: [{ neuron, firstRow, rowCount: copiesPerNeuron, wanted: copiesPerNeuron }],
    targets: new Int32Array(0),
    biasTargets: new Float64Array(1),
  };
  const result = {
    tileId: tile.id,
    copyCounts: Int32Array.of(copiesPerNeuron),
    copyRows: Int32Array.from({ length: copiesPerNeuron }, (_, row) => firstRow + row),
    masks,
    misses: new Int32Array(0),
  };
  const verdict = verifyTile(problem, { tile, result, isChecked: () => false });
  if (verdict.kind !== 'verified') throw new Error(verdict.reason);
  return verdict.tile;
}
