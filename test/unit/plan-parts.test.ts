/** The parts of a plan one by one: rows, tiles, views, the first gain. */
import { describe, expect, it } from 'vitest';
import { activate, linearisation } from '../../src/core/network/activation.ts';
import type { Layer, Network } from '../../src/core/network/network.ts';
import { chooseFirstGain } from '../../src/core/plan/first-gain.ts';
import type { LayerPlace } from '../../src/core/plan/layer-problem.ts';
import { layerViews } from '../../src/core/plan/layer-view.ts';
import type { LayerPlan, Plan } from '../../src/core/plan/plan.ts';
import { rowBudget } from '../../src/core/plan/row-budget.ts';
import { type ConstructionKind, stagesOf } from '../../src/core/plan/stage.ts';
import type { LayerProblem } from '../../src/core/plan/tile.ts';
import {
  cutTiles,
  layerProblemDigest,
  poolPass,
  reservePass,
  tileBlocksFor,
} from '../../src/core/plan/tiles.ts';
import { activationStep, convolutionLayer, denseLayer } from '../support/evaluation-networks.ts';
import { everyActivation, randomFrom } from '../support/random-network.ts';

describe('the row budget', () => {
  /** Share of runs in which the neurons together need more than the reserve. */
  function failureRate(
    success: readonly number[],
    rows: { pool: number; reserve: number; copies: number },
  ): number {
    const random = randomFrom(1);
    const runs = 4000;
    let failures = 0;
    for (let run = 0; run < runs; run++) {
      let beyond = 0;
      for (const s of success) {
        let tries = 0;
        for (let found = 0; found < rows.copies; tries++) if (random() < s) found++;
        beyond += Math.max(0, tries - rows.pool);
      }
      if (beyond > rows.reserve) failures++;
    }
    return failures / runs;
  }

  it.each([
    ['alike and good', Array.from({ length: 40 }, () => 0.95), 10, 0.02],
    ['alike and poor', Array.from({ length: 20 }, () => 0.3), 6, 0.05],
    ['unlike', Array.from({ length: 30 }, (_, k) => 0.3 + 0.02 * k), 12, 0.02],
    ['few', [0.8], 1, 0.01],
    ['one hopeless among many', [0.05, ...Array.from({ length: 30 }, () => 0.99)], 8, 0.02],
  ] as const)('keeps the failure rate below delta for neurons that are %s', (_, success, copies, delta) => {
    const { pool, reserve } = rowBudget(success, { copies, delta, missFactorMax: 1 });
    expect(pool).toBeGreaterThanOrEqual(copies);
    // The budget allows for misses 1.3 times as likely as sampled; so does the simulation.
    expect(
      failureRate(
        success.map((s) => s ** 1.3),
        { pool, reserve, copies },
      ),
    ).toBeLessThan(delta);
  });

  it('grows with the demands, and is no more than the copies where no row fails', () => {
    const options = { copies: 10, delta: 0.01, missFactorMax: 1 };
    const total = (success: number, change: object): number => {
      const { pool, reserve } = rowBudget([success, success], { ...options, ...change });
      return 2 * pool + reserve;
    };
    expect(total(0.8, { delta: 1e-6 })).toBeGreaterThan(total(0.8, {}));
    expect(total(0.8, { missFactorMax: 3 })).toBeGreaterThan(total(0.8, {}));
    expect(total(0.8, {})).toBeGreaterThan(total(0.9, {}));
    expect(rowBudget([1, 1], options)).toMatchObject({ pool: 10 });
    expect(rowBudget([], options)).toEqual({ pool: 0, reserve: 0 });
  });
});

const relu = activationStep({ kind: 'relu' });
const layerPlan: LayerPlan = {
  copies: 3,
  pool: 4,
  reserve: 5,
  constantRows: 2,
  weightUnit: 0.01,
  sampleShift: 0,
  tolerance: 1,
  biasUnit: 0.001,
  biasTolerance: 2,
  biasQuantum: 0,
  biasBlockSize: 4,
  ownBias: true,
  prediction: { missProbability: 0, rowSuccess: 1, meanSubsetSize: 2 },
};

function placeOf(inputs: number, neurons: number): LayerPlace {
  const network: Network = {
    inputShape: [inputs],
    inputSteps: [],
    layers: [denseLayer(inputs, neurons, [relu])],
  };
  const [view] = layerViews(network);
  if (view === undefined) throw new Error('a network has a layer');
  const plan = { source: {}, layers: [layerPlan] } as unknown as Plan;
  return { plan, index: 0, view };
}

describe('tiles', () => {
  it('partition the neurons of a pass, in order, with the targets of each', () => {
    const place = placeOf(9000, 11);
    const neurons = poolPass(place, new Int32Array(11).fill(3));
    expect(neurons[4]).toEqual({ neuron: 4, firstRow: 16, rowCount: 4, wanted: 3 });
    const cut = cutTiles(place, { pass: 0, neurons, problemDigest: 'd', tileBlocks: 100_000 });
    const tiles = [...cut];
    expect(tiles.length).toBeGreaterThan(2);
    expect(cut.count).toBe(tiles.length);
    expect(tiles.flatMap((tile) => tile.neurons)).toEqual(neurons);
    expect(new Set(tiles.map(({ id }) => id)).size).toBe(tiles.length);
    for (const tile of tiles) {
      expect(tile.targets.length).toBe(9000 * tile.neurons.length);
      expect(tile.targets[8999]).toBe(
        Math.round((place.view.weights[((tile.neurons[0]?.neuron ?? 0) + 1) * 9000 - 1] ?? 0) / 0.01),
      );
      expect(tile.biasTargets[0]).toBe(
        Math.round((place.view.bias[tile.neurons[0]?.neuron ?? 0] ?? 0) / 0.001),
      );
    }
  });

  it('leave out neurons that nothing reads', () => {
    const wanted = Int32Array.of(0, 3, 0, 3);
    expect(poolPass(placeOf(3, 4), wanted).map(({ neuron }) => neuron)).toEqual([1, 3]);
    const none = cutTiles(placeOf(3, 4), { pass: 0, neurons: [], problemDigest: 'd', tileBlocks: 100_000 });
    expect([none.count, ...none]).toEqual([0]);
  });

  it('hand out reserve rows in neuron order until there are none', () => {
    const place = placeOf(3, 4);
    const rows = (missing: readonly number[], used: number): unknown =>
      reservePass(place, Int32Array.from(missing), used).map(({ neuron, firstRow, rowCount, wanted }) => [
        neuron,
        firstRow,
        rowCount,
        wanted,
      ]);
    expect(rows([2, 0, 1, 1], 0)).toEqual([
      [0, 16, 2, 2],
      [2, 18, 1, 1],
      [3, 19, 1, 1],
    ]);
    expect(rows([2, 0, 9, 1], 0)).toEqual([
      [0, 16, 2, 2],
      [2, 18, 3, 3],
    ]);
    expect(rows([1, 0, 0, 1], 4)).toEqual([[0, 20, 1, 1]]);
    expect(rows([1, 1, 1, 1], 5)).toEqual([]);
    expect(rows([0, 0, 0, 0], 0)).toEqual([]);
  });

  it('have ids that change with every field', () => {
    const place = placeOf(3, 4);
    const neurons = poolPass(place, Int32Array.of(3, 3, 3, 3));
    const idOf = (
      change: { pass?: number; neurons?: typeof neurons; problemDigest?: string },
      at = place,
    ): string =>
      [...cutTiles(at, { pass: 0, neurons, problemDigest: 'd', tileBlocks: 100_000, ...change })][0]?.id ??
      '';
    const view = { ...place.view, weights: place.view.weights.map((w, k) => (k === 11 ? w + 1 : w)) };
    const biased = { ...place.view, bias: place.view.bias.map((b, k) => (k === 3 ? b + 1 : b)) };
    const [first, ...rest] = neurons;
    if (first === undefined) throw new Error('there are neurons');
    const ids = [
      idOf({}),
      idOf({ pass: 1 }),
      idOf({ problemDigest: 'e' }),
      idOf({ neurons: rest }),
      ...(['neuron', 'firstRow', 'rowCount', 'wanted'] as const).map((field) =>
        idOf({ neurons: [{ ...first, [field]: first[field] + 1 }, ...rest] }),
      ),
      idOf({}, { ...place, view }),
      idOf({}, { ...place, view: biased }),
    ];
    expect(new Set(ids).size).toBe(ids.length);
    expect(idOf({})).toBe(ids[0]);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{64}$/);
  });

  it('are as long as they are meant to be, up to the bytes of a result, and never empty', () => {
    const blocksFor = (samples: number, seconds: number, rule: LayerProblem['rule'] = 'closest'): number =>
      tileBlocksFor(
        {
          rule,
          groupColumns: new Int32Array(2 * samples),
          groupChannels: new Int32Array(2),
          gridBits: 24,
          tolerance: 80_000,
        } as LayerProblem,
        { kind: 'seconds', seconds },
      );
    expect(blocksFor(36, 60)).toBeGreaterThan(30_000);
    expect(blocksFor(36, 60) / blocksFor(36, 0.5)).toBeCloseTo(120, 0);
    expect(blocksFor(36, 0.1)).toBeLessThan(blocksFor(36, 0.5));
    for (const seconds of [0.5, 60]) expect(blocksFor(20, seconds, 'fewest')).toBe(150_000);
    expect(blocksFor(20, 60)).toBe(150_000);
    expect(blocksFor(60, 0.1)).toBe(1);
    expect(tileBlocksFor({} as LayerProblem, { kind: 'blocks', blocks: 7 })).toBe(7);
  });

  it('of two layer problems that differ anywhere never share a digest', () => {
    const bias = {
      elements: Int32Array.of(4),
      values: Int32Array.of(7),
      sampleShift: 3,
      ownScale: 0.5,
      interceptScale: 0.25,
      tolerance: 9,
    };
    const problem: LayerProblem = {
      seed: 1n,
      gridBits: 24,
      sourceLayer: 1,
      rows: 8,
      cols: 5,
      taps: 1,
      channels: 2,
      groupOffsets: Int32Array.of(0, 2, 4),
      groupColumns: Int32Array.of(0, 1, 2, 3),
      groupChannels: Int32Array.of(0, 1),
      groupMultipliers: null,
      sampleShift: 0,
      rule: 'fewest',
      tolerance: 3,
      bias,
    };
    const bump = (value: unknown): unknown => {
      if (typeof value === 'number') return value + 1;
      if (typeof value === 'bigint') return value + 1n;
      if (value instanceof Int32Array) return value.map((item) => item + 1);
      return value === null ? Int32Array.of(1, 1, 1, 1) : 'closest';
    };
    const changed = Object.entries(problem).flatMap(([field, value]) =>
      field === 'bias' ? [] : [{ ...problem, [field]: bump(value) }],
    );
    const changedBias = Object.entries(bias).map(([field, value]) => ({
      ...problem,
      bias: { ...bias, [field]: bump(value) },
    }));
    const moved = { ...problem, groupColumns: Int32Array.of(0, 1, 2), groupChannels: Int32Array.of(3, 0, 1) };
    const digests = [problem, ...changed, ...changedBias, moved].map((each) =>
      layerProblemDigest(each as LayerProblem),
    );
    expect(digests.length).toBe(1 + 14 + 6 + 1);
    expect(new Set(digests).size).toBe(digests.length);
    expect(layerProblemDigest({ ...problem, bias: { ...bias } })).toBe(digests[0]);
  });
});

describe('a layer view', () => {
  const flatten = { kind: 'flatten' } as const;
  const pool = { kind: 'maxPool', kernel: [2, 2], strides: [2, 2], padding: [0, 0, 0, 0] } as const;
  const network: Network = {
    inputShape: [2, 6, 6],
    inputSteps: [],
    layers: [
      convolutionLayer({ inputs: 2, outputs: 3, padding: [1, 1, 1, 1] }, [pool, relu]),
      convolutionLayer({ inputs: 3, outputs: 4, kernel: [2, 1] }, [relu, flatten]),
      denseLayer(4 * 2 * 3, 5, [relu]),
      denseLayer(5, 2),
    ],
  };

  it('counts channels and taps: of a kernel, of the positions before a flatten, of nothing', () => {
    expect(
      layerViews(network).map(({ neurons, channels, taps, inputSize, linearSize }) => ({
        neurons,
        channels,
        taps,
        inputSize,
        linearSize,
      })),
    ).toEqual([
      { neurons: 3, channels: 2, taps: 9, inputSize: [6, 6], linearSize: [6, 6] },
      { neurons: 4, channels: 3, taps: 2, inputSize: [3, 3], linearSize: [2, 3] },
      { neurons: 5, channels: 4, taps: 6, inputSize: [2, 3], linearSize: [1, 1] },
      { neurons: 2, channels: 5, taps: 1, inputSize: [1, 1], linearSize: [1, 1] },
    ]);
  });

  it('takes the activation of a stage from its first layer, or the last one before that has any', () => {
    const activations = (construction: ConstructionKind, ...layers: Layer[]): string[] =>
      stagesOf({ inputShape: [3], inputSteps: [], layers }, construction).map(
        (stage) => stage.network.univariateActivation.kind,
      );
    const [tanh, none] = [denseLayer(3, 3, [activationStep({ kind: 'tanh' })]), denseLayer(3, 3)];
    expect(activations('L+1', tanh, none)).toEqual(['tanh']);
    expect(activations('L+1', none, tanh)).toEqual(['identity']);
    expect(activations('2L', none, tanh, none)).toEqual(['identity', 'tanh', 'tanh']);
  });

  it('takes pixels for channels where the input is flattened first, and knows which are read', () => {
    const layer = denseLayer(6, 2);
    const weights = layer.linear.weights.map((weight, k) => (k % 6 === 4 ? 0 : weight));
    const flat = {
      inputShape: [1, 2, 3],
      inputSteps: [flatten],
      layers: [{ ...layer, linear: { ...layer.linear, weights } }],
    };
    const [view] = layerViews(flat);
    expect([view?.channels, view?.taps, view?.usedChannels]).toEqual([6, 1, Uint8Array.of(1, 1, 1, 1, 0, 1)]);
    expect(view?.weightMax).toBe(Math.max(...weights.map(Math.abs)));
  });
});

describe('the first gain', () => {
  it.each(everyActivation.map((activation) => [JSON.stringify(activation), activation] as const))(
    'is the largest that keeps %s linear to the share asked for',
    (_, activation) => {
      const inputs = [-0.5, 2] as const;
      const share = 0.01;
      const gain = chooseFirstGain(activation, inputs, share);
      const { intercept, slopePositive, slopeNegative } = linearisation(activation);
      const excess = (z: number): number => {
        const slope = z >= 0 ? slopePositive : slopeNegative;
        return Math.abs(activate(activation, z) - intercept - slope * z) / Math.abs(slope * z || 1);
      };
      for (let k = 1; k <= 400; k++)
        for (const sign of [-1, 1])
          expect(excess((sign * 2 * gain * k) / 400)).toBeLessThanOrEqual(share + 1e-9);
      if (['identity', 'relu', 'leakyRelu'].includes(activation.kind)) return expect(gain).toBe(1);
      expect(Math.max(excess(2.2 * gain), excess(-2.2 * gain))).toBeGreaterThan(share);
      expect(chooseFirstGain(activation, inputs, share / 10)).toBeLessThan(gain);
    },
  );
});
