/**
 * What a result costs on its way: blocks per second through the mask code, bits per block, messages per second through the codec.
 * Run after `npm run build`: node test/bench/codec.mjs [target.onnx] [milliseconds per row]. The tiles are those of a real search
 * with the default options and, for comparison, the target weights of its largest layer as blocks of n samples.
 */
import { existsSync } from 'node:fs';
import { construct } from '../../dist/coordinator/construct.js';
import { loadTarget } from '../../dist/src/cli/load-target.js';
import { makePlan } from '../../dist/src/core/plan/make-plan.js';
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

const path = process.argv[2] ?? '../shared/targets/mlp-300-100-relu.onnx';
const milliseconds = Number(process.argv[3] ?? 500);
const kernel = await loadKernel();
const job = 'bench';
const token = new Uint8Array(24);

if (!existsSync(path)) {
  process.stdout.write(`no target at ${path}: give one as the first argument\n`);
} else {
  const solved = await searchTiles();
  process.stdout.write(
    '| tile | rule | n | blocks | bits/block, body | on the wire, both ways | encode M blocks/s | decode M blocks/s |\n|---|---|---|---|---|---|---|---|\n',
  );
  for (const each of largestOfEachLayer(solved)) row(`search, layer ${each.problem.sourceLayer}`, each);
  const { problem, tile } = largestOfEachLayer(solved).at(-1);
  for (const [rule, size, epsilon] of [
    ['fewest', 15, 0.01],
    ['fewest', 20, 0.01],
    ['fewest', 20, 0.001],
    ['fewest', 30, 0.0001],
    ['closest', 24, 0.01],
    ['closest', 40, 0.01],
  ])
    row(`weights, ε ${epsilon}`, blocksOf({ problem, tile, rule, size, epsilon }));
  messages(solved);
}

/** Every tile of a search with the default options, solved. */
async function searchTiles() {
  const { network, sha256 } = loadTarget(path, undefined);
  const solved = [];
  const solver = {
    concurrency: 1,
    solve: (problem, tile) => {
      const result = kernel.solveTile(problem, tile);
      solved.push({ problem, tile, result });
      return Promise.resolve(result);
    },
  };
  const options = {
    mode: 'tolerance',
    epsilon: 0.01,
    rule: 'fewest',
    seed: 1n,
    gridBits: 24,
    copies: 'auto',
    biasInit: 'uniform',
    failureProbability: 1e-3,
    inputRange: [0, 1],
  };
  const plan = await makePlan(network, options, solver);
  solved.length = 0;
  await construct(plan, network, {
    solver,
    store: { read: () => Promise.resolve(undefined), write: () => Promise.resolve() },
    targetSha256: sha256,
    checkOneIn: 1e9,
    onEvent: () => undefined,
    signal: new AbortController().signal,
  });
  return solved;
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

function row(name, { problem, tile, result }) {
  const blocks = result.copyRows.length * blocksPerRow(problem);
  const body = encodeResultBody(problem, tile, result);
  const encode = perSecond(() => encodeResultBody(problem, tile, result));
  const decode = perSecond(() => decodeResultBody(problem, tile, body));
  const wire =
    encodeMessage(resultOf({ problem, tile, body })).length +
    encodeMessage(grantOf([{ problem, tile }])).length;
  const size = problem.groupColumns.length / problem.groupChannels.length;
  const cells = [
    name,
    problem.rule,
    size.toFixed(1),
    blocks,
    ((8 * body.length) / blocks).toFixed(2),
    ((8 * wire) / blocks).toFixed(2),
    ((encode * blocks) / 1e6).toFixed(1),
    ((decode * blocks) / 1e6).toFixed(1),
  ];
  process.stdout.write(`| ${cells.join(' | ')} |\n`);
}

function messages(solved) {
  const small = solved.reduce((best, each) =>
    each.result.masks.length < best.result.masks.length ? each : best,
  );
  const large = solved.reduce((best, each) =>
    each.result.masks.length > best.result.masks.length ? each : best,
  );
  const named = { job, tile: small.tile.id };
  process.stdout.write('\n| message | bytes | encode k/s | decode k/s |\n|---|---|---|---|\n');
  for (const [name, message, decodeMessage] of [
    ['want', { kind: 'want', slots: 4 }, decodeWorkerMessage],
    ['beat, 8 tiles', { kind: 'beat', holding: Array(8).fill(named), hidden: false }, decodeWorkerMessage],
    ['result, smallest', resultMessage(small), decodeWorkerMessage],
    ['result, largest', resultMessage(large), decodeWorkerMessage],
    ['committed', { kind: 'committed', ...named, outcome: 'new' }, decodeGatewayMessage],
    ['grant, largest', grantOf([large]), decodeGatewayMessage],
    ['spec, largest', specOf(large.problem, layerProblemDigest(large.problem)), decodeGatewayMessage],
  ]) {
    const bytes = encodeMessage(message);
    const encode = perSecond(() => encodeMessage(message));
    const decode = perSecond(() => decodeMessage(bytes));
    process.stdout.write(
      `| ${[name, bytes.length, (encode / 1e3).toFixed(1), (decode / 1e3).toFixed(1)].join(' | ')} |\n`,
    );
  }
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

/** Calls per second of processor time: the machine may be busy with other things. */
function perSecond(call) {
  const measure = () => {
    const start = process.cpuUsage();
    let calls = 0;
    let spent = 0;
    let batch = 1;
    while (spent < milliseconds) {
      for (let k = 0; k < batch; k++) call();
      calls += batch;
      const { user, system } = process.cpuUsage(start);
      spent = (user + system) / 1e3;
      if (spent < 1) batch *= 2;
    }
    return (calls * 1e3) / spent;
  };
  measure();
  return measure();
}
