import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LayerProblem, Tile } from '../../src/core/plan/tile.ts';
import { layerProblemDigest, tileId } from '../../src/core/plan/tiles.ts';
import { decodeGatewayMessage, encodeMessage } from '../../src/core/protocol/codec.ts';
import { problemOf, specOf } from '../../src/core/protocol/layer-spec.ts';
import { checkTile, leaseOf, tileOf } from '../../src/core/protocol/lease-tile.ts';
import type { Lease, Spec } from '../../src/core/protocol/messages.ts';
import { ProtocolError } from '../../src/core/protocol/protocol-error.ts';
import { layerAndTile } from '../support/layer-problems.ts';
import { seededNumbers } from '../support/mutants.ts';
import { sizedLayer } from '../support/random-results.ts';

const [problem, rawTile] = sizedLayer({ size: 5, biasSize: 4, taps: 2 });
const digest = layerProblemDigest(problem);
const spec = specOf(problem, digest);
const tile = named(digest, rawTile);
const terms = { job: 'job', token: new Uint8Array(24), attempt: 1, leaseMs: 1000 };
const lease = leaseOf(tile, { ...terms, spec: digest });

function named(problemDigest: string, { id: _, ...rest }: Tile): Tile {
  return { id: tileId(problemDigest, rest), ...rest };
}

/** A spec changed in some fields, its digest made to fit again where a problem can be made of it. */
function forgedSpec(change: (problem: LayerProblem) => LayerProblem): Spec {
  const forged = change(problem);
  return specOf(forged, layerProblemDigest(forged));
}

function forgedLease(change: Partial<Tile>): Lease {
  return leaseOf(named(digest, { ...tile, ...change }), { ...terms, spec: digest });
}

function closeCode(call: () => unknown): number | undefined {
  try {
    call();
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return error.closeCode;
  }
  return undefined;
}

describe('a layer and a tile', () => {
  it('come back from their messages as they were, digests and ids included', () => {
    fc.assert(
      fc.property(layerAndTile, ([layer, unnamed]) => {
        const layerDigest = layerProblemDigest(layer);
        const own = named(layerDigest, unnamed);
        const gotSpec = decodeGatewayMessage(encodeMessage(specOf(layer, layerDigest)));
        const leases = [leaseOf(own, { ...terms, spec: layerDigest })];
        const gotGrant = decodeGatewayMessage(encodeMessage({ kind: 'grant', leases }));
        if (gotSpec.kind !== 'spec' || gotGrant.kind !== 'grant') throw new Error('another kind');
        const gotLayer = problemOf(gotSpec);
        expect(gotLayer).toEqual(layer);
        expect(layerProblemDigest(gotLayer)).toBe(layerDigest);
        const gotTiles = gotGrant.leases.map(tileOf);
        expect(gotTiles).toEqual([own]);
        for (const got of gotTiles) checkTile(gotLayer, got);
      }),
    );
  });

  it('keep their digests whatever order their fields were put together in', () => {
    const { bias, ...rest } = problem;
    const reordered = { bias: reversed(bias), ...reversed(rest) } as LayerProblem;
    expect(layerProblemDigest(reordered)).toBe(digest);
    expect(tileId(digest, { ...tile, neurons: tile.neurons.map(reversed) })).toBe(tile.id);
  });
});

describe('a hostile layer is refused', () => {
  it.each<[string, (layer: LayerProblem) => LayerProblem]>([
    ['without rows', (layer) => ({ ...layer, rows: 0 })],
    ['without taps', (layer) => ({ ...layer, taps: 0 })],
    ['with rows of 2^40 elements', (layer) => ({ ...layer, cols: 2 ** 20, taps: 2 ** 20 })],
    ['with 2^40 targets a neuron', (layer) => ({ ...layer, channels: 2 ** 30 })],
    ['with a column beyond the row', (layer) => ({ ...layer, cols: 20 })],
    ['with a channel that does not exist', (layer) => ({ ...layer, channels: 4 })],
    ['with a negative column', (layer) => ({ ...layer, groupColumns: layer.groupColumns.with(0, -1) })],
    [
      'with a column twice in a group',
      (layer) => ({ ...layer, groupColumns: layer.groupColumns.with(1, 0) }),
    ],
    [
      'with a group that ends before it starts',
      (layer) => ({ ...layer, groupOffsets: layer.groupOffsets.with(1, -3) }),
    ],
    [
      'with a group beyond the columns',
      (layer) => ({ ...layer, groupOffsets: layer.groupOffsets.with(4, 1000) }),
    ],
    ['with columns of no group', (layer) => ({ ...layer, groupOffsets: layer.groupOffsets.with(5, 22) })],
    ['with a group that starts late', (layer) => ({ ...layer, groupOffsets: layer.groupOffsets.with(0, 1) })],
    ['with a group too few', (layer) => ({ ...layer, groupChannels: layer.groupChannels.slice(1) })],
    ['with a block of 41 samples', () => sizedLayer({ size: 41, biasSize: 1, taps: 1 })[0]],
    ['with a bias block of 4,097 samples', () => sizedLayer({ size: 1, biasSize: 4097, taps: 1 })[0]],
    ['with multipliers too few', (layer) => ({ ...layer, groupMultipliers: new Int32Array(3) })],
    [
      'with multipliers too large',
      (layer) => ({ ...layer, groupMultipliers: layer.groupColumns.map(() => 2 ** 25) }),
    ],
    [
      'with constants beyond the row',
      (layer) => ({ ...layer, bias: { ...layer.bias, elements: layer.bias.elements.with(0, 9999) } }),
    ],
    [
      'with constants without values',
      (layer) => ({ ...layer, bias: { ...layer.bias, values: new Int32Array(1) } }),
    ],
    [
      'with values too large',
      (layer) => ({ ...layer, bias: { ...layer.bias, values: layer.bias.values.with(0, -(2 ** 25)) } }),
    ],
  ])('%s', (_, change) => {
    expect(closeCode(() => problemOf(forgedSpec(change)))).toBe(1002);
  });

  it('with arrays that are no whole number of integers', () => {
    for (const field of [
      'groupOffsets',
      'groupColumns',
      'groupChannels',
      'biasElements',
      'biasValues',
    ] as const)
      expect(closeCode(() => problemOf({ ...spec, [field]: spec[field].slice(1) }))).toBe(1002);
  });

  it('with multipliers it says it has not', () => {
    expect(closeCode(() => problemOf({ ...spec, groupMultipliers: spec.groupColumns }))).toBe(1002);
  });

  it('with any field other than what its digest says', () => {
    const fields: Partial<Spec>[] = [
      { seed: '6' },
      { gridBits: 23 },
      { sourceLayer: 3 },
      { rows: 999 },
      { cols: spec.cols + 1 },
      { channels: 6 },
      { sampleShift: 1 },
      { rule: 'closest' },
      { tolerance: 1 },
      { biasSampleShift: 1 },
      { biasOwnScale: 1 },
      { biasInterceptScale: 0.5 },
      { biasTolerance: 0 },
      { digest: 'ab'.repeat(32) },
    ];
    for (const field of fields) expect(closeCode(() => problemOf({ ...spec, ...field }))).toBe(1008);
    expect(closeCode(() => problemOf(spec))).toBeUndefined();
  });

  it('with any bit of any array turned', () => {
    const next = seededNumbers(4);
    for (const field of [
      'groupOffsets',
      'groupColumns',
      'groupChannels',
      'biasElements',
      'biasValues',
    ] as const)
      for (let round = 0; round < 50; round++) {
        const bytes = spec[field].slice();
        const at = next(bytes.length);
        bytes[at] = (bytes[at] ?? 0) ^ (1 << next(8));
        expect([1002, 1008]).toContain(closeCode(() => problemOf({ ...spec, [field]: bytes })));
      }
  });
});

describe('a hostile lease is refused', () => {
  it.each<[string, Lease]>([
    [
      'without neurons',
      forgedLease({ neurons: [], targets: new Int32Array(0), biasTargets: new Float64Array(0) }),
    ],
    ['with neurons too few', { ...lease, neurons: lease.neurons.slice(16) }],
    ['with half a neuron', { ...lease, neurons: lease.neurons.slice(8) }],
    ['with half a bias target', { ...lease, biasTargets: lease.biasTargets.slice(4) }],
    ['with targets that are no integers', { ...lease, targets: lease.targets.slice(1) }],
    ['with targets that neurons cannot share', { ...lease, targets: lease.targets.slice(4) }],
    [
      'with a bias target that is not a number',
      forgedLease({ biasTargets: tile.biasTargets.with(0, Number.NaN) }),
    ],
    [
      'with a bias target that is infinite',
      forgedLease({ biasTargets: tile.biasTargets.with(0, -Infinity) }),
    ],
    ['with a bias target that is not whole', forgedLease({ biasTargets: tile.biasTargets.with(0, 0.5) })],
    [
      'with a negative row',
      forgedLease({ neurons: tile.neurons.with(0, { neuron: 0, firstRow: -1, rowCount: 1, wanted: 1 }) }),
    ],
    [
      'with a negative count',
      forgedLease({ neurons: tile.neurons.with(0, { neuron: 0, firstRow: 0, rowCount: -1, wanted: 1 }) }),
    ],
  ])('%s', (_, forged) => {
    expect(closeCode(() => tileOf(forged))).toBe(1002);
  });

  it('with anything other than what its id says', () => {
    const other = Uint8Array.from(lease.targets.with(0, 1));
    for (const change of [
      { tile: 'ab'.repeat(32) },
      { spec: 'ab'.repeat(32) },
      { pass: 1 },
      { targets: other },
    ])
      expect(closeCode(() => tileOf({ ...lease, ...change }))).toBe(1008);
    expect(closeCode(() => tileOf(lease))).toBeUndefined();
  });
});

describe('a tile that does not fit its layer is refused', () => {
  const neuron = { neuron: 0, firstRow: 0, rowCount: 9, wanted: 6 };
  const withNeuron = (change: Partial<typeof neuron>): Tile => ({
    ...tile,
    neurons: tile.neurons.with(0, { ...neuron, ...change }),
  });
  it.each<[string, Tile, Partial<LayerProblem>]>([
    ['another source layer', { ...tile, sourceLayer: 3 }, {}],
    ['targets too few', { ...tile, targets: tile.targets.slice(3) }, {}],
    ['rows beyond the layer', withNeuron({ firstRow: 995 }), {}],
    ['rows beyond 2^31', withNeuron({ firstRow: 2 ** 31 - 1, rowCount: 2 ** 31 - 1 }), {}],
    ['too many rows', withNeuron({ rowCount: 2 ** 23 }), { rows: 2 ** 31 - 1 }],
    ['too many blocks', withNeuron({ rowCount: 2 ** 22 - 100 }), { rows: 2 ** 31 - 1, taps: 200 }],
  ])('%s', (_, forged, change) => {
    const layer = { ...problem, ...change };
    const targets = new Int32Array(change.taps === undefined ? 0 : 3 * layer.channels * layer.taps);
    expect(closeCode(() => checkTile(layer, targets.length === 0 ? forged : { ...forged, targets }))).toBe(
      1002,
    );
  });

  it('and one that asks for what there is is not', () => {
    expect(closeCode(() => checkTile(problem, withNeuron({ firstRow: 991 })))).toBeUndefined();
    expect(closeCode(() => checkTile(problem, withNeuron({ firstRow: 992 })))).toBe(1002);
  });
});

function reversed<Thing extends object>(thing: Thing): Thing {
  return Object.fromEntries(Object.entries(thing).reverse()) as Thing;
}
