/** Laws of merging, and what follows from them: one ticket, however the work was cut, ordered, interrupted and resumed. */
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { construct, type TileStore } from '../../coordinator/construct.ts';
import { networkDigest } from '../../src/core/format/network-file.ts';
import { encodeTicket } from '../../src/core/format/ticket-file.ts';
import type { Layer, Network } from '../../src/core/network/network.ts';
import { layerViews } from '../../src/core/plan/layer-view.ts';
import { makePlan } from '../../src/core/plan/make-plan.ts';
import type { Plan } from '../../src/core/plan/plan.ts';
import type { LayerProblem, Solver, Tile, TileResult } from '../../src/core/plan/tile.ts';
import { rowMaskBytes } from '../../src/core/plan/tile.ts';
import { cutTiles, poolPass, reservePass } from '../../src/core/plan/tiles.ts';
import { LayerMerge, type SealedLayer, type VerifiedTile } from '../../src/core/ticket/merge.ts';
import { verifyTile } from '../../src/core/verify/verify-tile.ts';
import { defaultOptions, kernelSolver } from '../support/in-process-search.ts';
import { randomFrom } from '../support/random-network.ts';

/** 300 → 50 → 4, few weights but many blocks: source layer 2 takes several tiles. */
const random = randomFrom(12);
const network: Network = {
  inputShape: [300],
  inputSteps: [],
  layers: [sparseDense(300, 50), sparseDense(50, 4)],
};

function sparseDense(inputs: number, outputs: number): Layer {
  const weights = Float64Array.from({ length: inputs * outputs }, () =>
    inputs === 300 && random() < 0.95 ? 0 : random() - 0.5,
  );
  const bias = Float64Array.from({ length: outputs }, () => random() - 0.5);
  return {
    name: 'sparse',
    linear: { kind: 'dense', inputs, outputs, weights, bias },
    steps: outputs === 4 ? [] : [{ kind: 'activation', activation: { kind: 'relu' } }],
  };
}

let kernel: Solver;
let plan: Plan;
let solved: readonly { readonly problem: LayerProblem; readonly tile: Tile; readonly result: TileResult }[];
let reference: Uint8Array;

beforeAll(async () => {
  kernel = await kernelSolver();
  // Few rows, so that reserve passes are needed.
  const made = await makePlan(network, { ...defaultOptions, epsilon: 0.03, copies: 14 }, kernel);
  const layers = made.layers.map((layer) => ({ ...layer, pool: layer.copies, reserve: layer.reserve + 30 }));
  plan = withRows({ ...made, layers });
  const seen: { problem: LayerProblem; tile: Tile; result: TileResult }[] = [];
  reference = await ticketBytes({
    concurrency: 1,
    solve: async (problem, tile) => {
      const result = await kernel.solve(problem, tile);
      seen.push({ problem, tile, result });
      return result;
    },
  });
  solved = seen;
});

/** The plan with source layers that have as many rows as its pools and reserves say. */
function withRows(changed: Plan): Plan {
  const layers = changed.source.layers.map((layer) => ({ ...layer }));
  changed.layers.forEach(({ pool, reserve, constantRows }, index) => {
    const rows = (network.layers[index]?.linear.outputs ?? 0) * pool + reserve + constantRows;
    layers[index + 1] = { ...(layers[index + 1] ?? raise()), rows };
    if (layers[index + 2] !== undefined)
      layers[index + 2] = { ...(layers[index + 2] ?? raise()), cols: rows };
  });
  return { ...changed, source: { ...changed.source, layers } };
}

function raise(): never {
  throw new Error('no such layer');
}

const noStore: TileStore = { read: () => Promise.resolve(undefined), write: () => Promise.resolve() };

async function ticketBytes(solver: Solver, store: TileStore = noStore): Promise<Uint8Array> {
  const { ticket } = await construct(plan, network, {
    solver,
    store,
    targetSha256: networkDigest(network),
    checkOneIn: 1,
    onEvent: () => undefined,
    signal: new AbortController().signal,
  });
  return encodeTicket(ticket);
}

/** One tile a neuron of source layer 2, solved and verified. */
async function smallTiles(): Promise<{ tiles: VerifiedTile[]; problem: LayerProblem; wanted: Int32Array }> {
  const first = solved[0] ?? raise();
  const view = layerViews(network)[0] ?? raise();
  const place = { plan, index: 0, view };
  const wanted = new Int32Array(view.neurons).fill(plan.layers[0]?.copies ?? 0).fill(0, 5);
  const passes = [...poolPass(place, wanted), ...reservePass(place, wanted, 0).slice(0, 2)];
  const tiles: VerifiedTile[] = [];
  for (const neuron of passes)
    for (const tile of cutTiles(place, {
      pass: 0,
      neurons: [neuron],
      problemDigest: 'any',
      tileBlocks: 100_000,
    })) {
      const result = await kernel.solve(first.problem, tile);
      const verdict = verifyTile(first.problem, { tile, result, isChecked: () => true });
      if (verdict.kind === 'refused') throw new Error(verdict.reason);
      tiles.push(verdict.tile);
    }
  // Reserve rows come on top here.
  return { tiles, problem: first.problem, wanted: wanted.map((count) => 2 * count) };
}

describe('merging', () => {
  it('ignores the order of tiles, and how often each is added', async () => {
    const { tiles, problem, wanted } = await smallTiles();
    expect(tiles.length).toBeGreaterThan(4);
    const rowBytes = rowMaskBytes(problem);
    const sealed = (order: readonly VerifiedTile[]): SealedLayer => {
      const merge = new LayerMerge({ wanted, rowBytes });
      for (const tile of order) merge.add(tile);
      return merge.seal();
    };
    const whole = sealed(tiles);
    expect(whole.copyRows.length).toBe(tiles.reduce((sum, { result }) => sum + result.copyRows.length, 0));
    for (const { tile, result } of tiles)
      for (const [copy, row] of result.copyRows.entries()) {
        const place = whole.copyRows.indexOf(row);
        const bytes = (masks: Uint8Array, index: number): unknown =>
          masks.slice(index * rowBytes, (index + 1) * rowBytes);
        expect(bytes(whole.masks, place)).toEqual(bytes(result.masks, copy));
        expect(neuronOf(whole, place)).toBe(tile.neurons[0]?.neuron);
      }
    const order = fc
      .shuffledSubarray(tiles, { minLength: tiles.length })
      .chain((all) => fc.tuple(fc.constant(all), fc.subarray(tiles)));
    fc.assert(
      fc.property(order, fc.nat(), ([all, again], cut) => {
        const at = cut % (all.length + 1);
        expect(sealed([...all.slice(0, at), ...again, ...all.slice(at), ...again])).toEqual(whole);
      }),
      { numRuns: 20, seed: 1 },
    );
  });

  it('refuses more copies than a neuron wants', async () => {
    const { tiles, problem, wanted } = await smallTiles();
    const merge = new LayerMerge({
      wanted: wanted.map((count) => Math.min(count, 1)),
      rowBytes: rowMaskBytes(problem),
    });
    expect(() => {
      for (const tile of tiles) merge.add(tile);
    }).toThrow(/more copies than/);
  });
});

/** The neuron that a copy belongs to. */
function neuronOf({ copyCounts }: SealedLayer, place: number): number {
  let end = 0;
  return copyCounts.findIndex((count) => {
    end += count;
    return place < end;
  });
}

describe('a ticket', () => {
  it('took several tiles in one pass here, so that there is an order to disturb', () => {
    expect(solved.filter(({ tile }) => tile.pass === 0 && tile.sourceLayer === 1).length).toBeGreaterThan(1);
  });

  it('needed reserve passes here, so that their order is tested too', () => {
    expect(solved.some(({ tile }) => tile.pass === 1)).toBe(true);
  });

  it('is the same for a solver that answers in any order, as many at a time as it likes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.integer({ min: 1, max: 9 }), async (seed, concurrency) => {
        const random = randomFrom(seed);
        const solver: Solver = {
          concurrency,
          solve: async (problem, tile) => {
            for (let turns = Math.floor(random() * 20); turns > 0; turns--) await Promise.resolve();
            return kernel.solve(problem, tile);
          },
        };
        expect(Buffer.compare(await ticketBytes(solver), reference)).toBe(0);
      }),
      { numRuns: 5, seed: 3 },
    );
  });

  it('is the same whatever the store already had, damaged or not, and solves only the rest', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), async (seed) => {
        const random = randomFrom(seed);
        const kept = new Map<string, TileResult>();
        let sound = 0;
        for (const { tile, result } of solved) {
          const fate = random();
          if (fate < 0.35) continue;
          if (fate < 0.7) sound++;
          kept.set(tile.id, fate < 0.7 ? result : damaged(result, random));
        }
        let calls = 0;
        const solver: Solver = {
          concurrency: 3,
          solve: (problem, tile) => {
            calls++;
            return kernel.solve(problem, tile);
          },
        };
        const bytes = await ticketBytes(solver, {
          read: (_, tile) => Promise.resolve(kept.get(tile.id)),
          write: (result) => Promise.resolve(kept.set(result.tileId, result)).then(() => undefined),
        });
        expect(Buffer.compare(bytes, reference)).toBe(0);
        expect(calls).toBe(solved.length - sound);
        expect(kept.size).toBe(solved.length);
        for (const { tile, result } of solved) expect(kept.get(tile.id)).toEqual(result);
      }),
      { numRuns: 10, seed: 4 },
    );
  });

  it('is never made of a solver’s result that does not verify', async () => {
    const dishonest: Solver = {
      concurrency: 1,
      solve: async (problem, tile) => damaged(await kernel.solve(problem, tile), () => 0.9),
    };
    await expect(ticketBytes(dishonest)).rejects.toThrow('does not verify');
  });
});

/** One of the ways in which a stored result goes bad. */
function damaged(result: TileResult, random: () => number): TileResult {
  switch (Math.floor(random() * 5)) {
    case 0:
      return { ...result, tileId: `${result.tileId}0` };
    case 1:
      return { ...result, masks: result.masks.subarray(1) };
    case 2:
      return { ...result, copyRows: result.copyRows.map((row) => row + 1) };
    case 3:
      return { ...result, copyCounts: result.copyCounts.map((count) => count - 1) };
    default:
      return { ...result, masks: result.masks.map((byte) => byte ^ 255) };
  }
}
