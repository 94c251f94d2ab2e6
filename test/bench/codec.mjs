/**
 * What a result costs on its way: blocks per second through the mask code, bits per block, messages per second through the codec.
 * Run by bench.mjs, or alone after `npm run build`: node test/bench/codec.mjs [milliseconds per row]. The tiles are those of a real
 * search with the default options and, for comparison, the target weights of its largest layer as blocks of n samples.
 */
import { blocksPerRow } from '../../dist/src/core/plan/tile.js';
import { layerProblemDigest, tileId } from '../../dist/src/core/plan/tiles.js';
import {
  decodeGatewayMessage,
  decodeWorkerMessage,
  encodeMessage,
} from '../../dist/src/core/protocol/codec.js';
import { specOf } from '../../dist/src/core/protocol/layer-spec.js';
import { leaseOf } from '../../dist/src/core/protocol/lease-tile.js';
import { decodeResultBody, encodeResultBody } from '../../dist/src/core/protocol/mask-code.js';
import { loadKernel } from '../../dist/worker/kernel/kernel.js';
import { callsPerSecond } from './measure.mjs';
import { isMain, markdownTable } from './report.mjs';
import { defaultTarget, searchTiles } from './search-tiles.mjs';

const kernel = await loadKernel();
const job = 'bench';
const token = new Uint8Array(24);

if (isMain(import.meta.url)) {
  const milliseconds = Number(process.argv[2] ?? 500);
  const { tiles, messages } = await codecRows(milliseconds);
  for (const rows of [tiles, messages]) {
    const cells = rows.map((row) => Object.values(row));
    process.stdout.write(`${markdownTable([Object.keys(rows[0]), ...cells])}\n\n`);
  }
}

/** Returns the rows of both tables: what tiles and what messages cost. */
export async function codecRows(milliseconds) {
  const { solved } = await searchTiles(kernel, defaultTarget(), {});
  const largest = largestOfEachLayer(solved);
  const tiles = largest.map((each) =>
    tileRow(`search, layer ${each.problem.sourceLayer}`, each, milliseconds),
  );
  for (const [rule, size, epsilon] of [
    ['fewest', 15, 0.01],
    ['fewest', 20, 0.01],
    ['fewest', 20, 0.001],
    ['fewest', 30, 0.0001],
    ['closest', 24, 0.01],
    ['closest', 40, 0.01],
  ])
    tiles.push(
      tileRow(`weights, ε ${epsilon}`, blocksOf({ ...largest.at(-1), rule, size, epsilon }), milliseconds),
    );
  return { tiles, messages: messageRows(solved, milliseconds) };
}

function largestOfEachLayer(solved) {
  const layers = new Map();
  for (const each of solved) {
    const { sourceLayer } = each.problem;
    const best = layers.get(sourceLayer);
    if (best === undefined || best.result.masks.length < each.result.masks.length)
      layers.set(sourceLayer, each);
  }
  return [...layers.values()];
}

/** The first neurons of a tile with blocks of `size` samples of unit range each, 16 copies a neuron. */
function blocksOf({ problem: real, tile: wide, rule, size, epsilon }) {
  const { channels } = real;
  const half = 2 ** 23;
  const neuronCount = Math.min(wide.neurons.length, rule === 'closest' && size > 24 ? 1 : 16);
  const targets = wide.targets.slice(0, neuronCount * channels);
  const largest = targets.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
  const columns = channels * size;
  const problem = {
    ...real,
    rows: 32 * neuronCount,
    cols: columns,
    taps: 1,
    groupOffsets: Int32Array.from({ length: channels + 1 }, (_, g) => g * size),
    groupColumns: Int32Array.from({ length: columns }, (_, column) => column),
    groupChannels: Int32Array.from({ length: channels }, (_, g) => g),
    groupMultipliers: null,
    sampleShift: 0,
    rule,
    tolerance: Math.floor(epsilon * half),
    bias: {
      ...real.bias,
      elements: new Int32Array(0),
      values: new Int32Array(0),
      ownScale: 0,
      interceptScale: 0,
      tolerance: 2 ** 50,
    },
  };
  const shape = {
    pass: 0,
    neurons: Array.from({ length: neuronCount }, (_, k) => ({
      neuron: k,
      firstRow: 32 * k,
      rowCount: 32,
      wanted: 16,
    })),
    targets: targets.map((value) => Math.round((value / largest) * half)),
    biasTargets: new Float64Array(neuronCount),
  };
  const tile = { id: tileId(layerProblemDigest(problem), shape), sourceLayer: problem.sourceLayer, ...shape };
  return { problem, tile, result: kernel.solveTile(problem, tile) };
}

function tileRow(name, { problem, tile, result }, milliseconds) {
  const blocks = result.copyRows.length * blocksPerRow(problem);
  const body = encodeResultBody(problem, tile, result);
  const encode = perSecond(() => encodeResultBody(problem, tile, result), milliseconds);
  const decode = perSecond(() => decodeResultBody(problem, tile, body), milliseconds);
  const wire =
    encodeMessage(resultOf({ problem, tile, body })).length +
    encodeMessage(grantOf([{ problem, tile }])).length;
  const size = problem.groupColumns.length / problem.groupChannels.length;
  return {
    tile: name,
    rule: problem.rule,
    n: size.toFixed(1),
    blocks,
    'bits/block, body': ((8 * body.length) / blocks).toFixed(2),
    'on the wire, both ways': ((8 * wire) / blocks).toFixed(2),
    'encode M blocks/s': ((encode * blocks) / 1e6).toFixed(1),
    'decode M blocks/s': ((decode * blocks) / 1e6).toFixed(1),
  };
}

function messageRows(solved, milliseconds) {
  const small = solved.reduce((best, each) =>
    each.result.masks.length < best.result.masks.length ? each : best,
  );
  const large = solved.reduce((best, each) =>
    each.result.masks.length > best.result.masks.length ? each : best,
  );
  const named = { job, tile: small.tile.id };
  return [
    ['want', { kind: 'want', slots: 4 }, decodeWorkerMessage],
    ['beat, 8 tiles', { kind: 'beat', holding: Array(8).fill(named), hidden: false }, decodeWorkerMessage],
    ['result, smallest', resultMessage(small), decodeWorkerMessage],
    ['result, largest', resultMessage(large), decodeWorkerMessage],
    ['committed', { kind: 'committed', ...named, outcome: 'new' }, decodeGatewayMessage],
    ['grant, largest', grantOf([large]), decodeGatewayMessage],
    ['spec, largest', specOf(large.problem, layerProblemDigest(large.problem)), decodeGatewayMessage],
  ].map(([name, message, decodeMessage]) => {
    const bytes = encodeMessage(message);
    const encode = perSecond(() => encodeMessage(message), milliseconds);
    const decode = perSecond(() => decodeMessage(bytes), milliseconds);
    return {
      message: name,
      bytes: bytes.length,
      'encode k/s': (encode / 1e3).toFixed(1),
      'decode k/s': (decode / 1e3).toFixed(1),
    };
  });
}

function resultMessage({ problem, tile, result }) {
  return resultOf({ problem, tile, body: encodeResultBody(problem, tile, result) });
}

function resultOf({ problem, tile, body }) {
  const spec = layerProblemDigest(problem);
  return { kind: 'result', job, tile: tile.id, spec, token, attempt: 1, body, computeMs: 12.5 };
}

function grantOf(tiles) {
  const leases = tiles.map(({ problem, tile }) =>
    leaseOf(tile, { job, spec: layerProblemDigest(problem), token, attempt: 1, leaseMs: 60_000 }),
  );
  return { kind: 'grant', leases };
}

/** The first run warms up. */
function perSecond(call, milliseconds) {
  callsPerSecond(call, milliseconds);
  return callsPerSecond(call, milliseconds);
}
