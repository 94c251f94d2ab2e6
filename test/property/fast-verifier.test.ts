/** The fast verifier says nothing that the readable one does not: same verdicts on rows, same sums to the last bit. */
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { fastVerifierBytesMax } from '../../src/core/limits.ts';
import type { PlanOptions } from '../../src/core/plan/make-plan.ts';
import {
  type LayerProblem,
  rowMaskBits,
  rowMaskBytes,
  type Tile,
  type TileResult,
} from '../../src/core/plan/tile.ts';
import type { Ticket } from '../../src/core/ticket/ticket.ts';
import { openFastVerifier } from '../../src/core/verify/fast/fast-verifier.ts';
import { RowModule, type RowShape } from '../../src/core/verify/fast/row-module.ts';
import { layerContext, ticketContext } from '../../src/core/verify/layer-context.ts';
import { ReadableRows, type RowSums, type RowsSubject } from '../../src/core/verify/row-sums.ts';
import { verifyRows } from '../../src/core/verify/verify-rows.ts';
import { localCheck, neuronsOfCopies, verifyTicket } from '../../src/core/verify/verify-ticket.ts';
import { verifyTile } from '../../src/core/verify/verify-tile.ts';
import { loadKernel } from '../../worker/kernel/kernel.ts';
import { kernelSolver, searchInProcess } from '../support/in-process-search.ts';
import { layerAndTile } from '../support/layer-problems.ts';
import { seededNumbers } from '../support/mutants.ts';
import { networkOf } from '../support/random-network.ts';
import {
  sampleNames,
  sampleOf,
  type TicketSample,
  ticketSamples,
  withLayer,
  withValues,
} from '../support/ticket-samples.ts';

const kernel = await loadKernel();
const fast = openFastVerifier();

/** Returns what the readable verifier says of one copy of a result, null for nothing. */
function readableFault(problem: LayerProblem, tile: Tile, { result, copy }: Row): string | null {
  const verdict = verifyTile(problem, { tile, result, isChecked: (each) => each === copy });
  return verdict.kind === 'verified' ? null : verdict.reason;
}

interface Row {
  readonly result: TileResult;
  readonly copy: number;
}

/** Returns whether the fast verifier passes one copy of a result. */
function fastHolds(problem: LayerProblem, tile: Tile, { result, copy }: Row): boolean {
  const rows = fast.tileRows(problem);
  if (rows === undefined) throw new Error('no layer here is too large');
  let index = 0;
  for (let end = result.copyCounts[0] ?? 0; copy >= end; end += result.copyCounts[index] ?? 0) index++;
  const size = problem.channels * problem.taps;
  rows.aim(tile.targets.subarray(index * size, (index + 1) * size), tile.biasTargets[index] ?? 0);
  const bytes = rowMaskBytes(problem);
  return rows.holds(result.copyRows[copy] ?? 0, result.masks.subarray(copy * bytes, (copy + 1) * bytes));
}

/** Ways to change what a row is checked against, or the row. */
const tampering = fc.oneof(
  fc.record({ kind: fc.constant('none' as const) }),
  fc.record({ kind: fc.constant('bits' as const), bits: fc.array(fc.nat(), { minLength: 1, maxLength: 3 }) }),
  fc.record({ kind: fc.constant('noise' as const), salt: fc.nat() }),
  fc.record({ kind: fc.constant('target' as const), place: fc.nat(), by: fc.integer() }),
  fc.record({ kind: fc.constant('bias' as const), by: fc.double({ noDefaultInfinity: true }) }),
  fc.record({ kind: fc.constant('seed' as const) }),
  fc.record({ kind: fc.constant('tolerance' as const), tolerance: fc.constantFrom(0, 0.5, 1, 1e9, 1e300) }),
);
type Tampering = typeof tampering extends fc.Arbitrary<infer T> ? T : never;

function tampered(
  [problem, tile]: readonly [LayerProblem, Tile],
  { result, copy }: Row,
  change: Tampering,
): [LayerProblem, Tile, TileResult] {
  const bytes = rowMaskBytes(problem);
  const masks = result.masks.slice();
  switch (change.kind) {
    case 'bits':
      for (const bit of change.bits) {
        const place = copy * bytes + ((bit >> 3) % Math.max(1, bytes));
        masks[place] = (masks[place] ?? 0) ^ (1 << (bit & 7));
      }
      return [problem, tile, { ...result, masks }];
    case 'noise': {
      const next = seededNumbers(change.salt);
      const bits = rowMaskBits(problem);
      for (let k = 0; k < bytes; k++)
        masks[copy * bytes + k] = next(256) & (8 * k + 8 > bits ? (1 << (bits & 7)) - 1 : 255);
      return [problem, tile, { ...result, masks }];
    }
    case 'target': {
      const place = change.place % tile.targets.length;
      const targets = withValues(tile.targets, { [place]: (tile.targets[place] ?? 0) + change.by });
      return [problem, { ...tile, targets }, result];
    }
    case 'bias':
      return [
        problem,
        { ...tile, biasTargets: tile.biasTargets.map((target) => target + change.by) },
        result,
      ];
    case 'seed':
      return [{ ...problem, seed: problem.seed ^ 1n }, tile, result];
    case 'tolerance':
      return [{ ...problem, tolerance: change.tolerance }, tile, result];
    case 'none':
      return [problem, tile, result];
  }
}

describe('the fast verifier of tiles', () => {
  it('passes the rows that the readable one passes, and no other', () => {
    const seen = { passed: 0, refused: 0 };
    fc.assert(
      fc.property(layerAndTile, tampering, (layer, change) => {
        const found = kernel.solveTile(...layer);
        for (let copy = 0; copy < found.copyRows.length; copy++) {
          const [problem, tile, result] = tampered(layer, { result: found, copy }, change);
          const holds = fastHolds(problem, tile, { result, copy });
          expect(holds).toBe(readableFault(problem, tile, { result, copy }) === null);
          seen[holds ? 'passed' : 'refused']++;
        }
      }),
      { numRuns: 600 },
    );
    expect(seen.passed).toBeGreaterThan(100);
    expect(seen.refused).toBeGreaterThan(100);
  });

  it('leaves verdicts and their words as they are', () => {
    fc.assert(
      fc.property(layerAndTile, tampering, (layer, change) => {
        const found = kernel.solveTile(...layer);
        const [problem, tile, result] = tampered(layer, { result: found, copy: 0 }, change);
        const check = { tile, result, isChecked: () => true };
        expect(verifyTile(problem, { ...check, fast })).toEqual(verifyTile(problem, check));
      }),
      { numRuns: 200 },
    );
  });

  it('passes rows whose positions lie beyond 2^32, and no others', () => {
    const problem: LayerProblem = {
      seed: 0xfedcba9876543210n,
      gridBits: 24,
      sourceLayer: 3,
      rows: 9_000,
      cols: 1_000_003,
      taps: 1,
      channels: 1,
      groupOffsets: Int32Array.of(0, 12),
      groupColumns: Int32Array.from({ length: 12 }, (_, k) => 83_333 * k + k * k),
      groupChannels: Int32Array.of(0),
      groupMultipliers: null,
      sampleShift: 0,
      rule: 'fewest',
      tolerance: 2 ** 19,
      bias: {
        elements: Int32Array.of(1_000_002),
        values: Int32Array.of(0),
        sampleShift: 0,
        ownScale: 0,
        interceptScale: 0,
        tolerance: 0,
      },
    };
    const tile: Tile = {
      id: 'tile',
      sourceLayer: 3,
      pass: 0,
      neurons: [{ neuron: 0, firstRow: 8_900, rowCount: 9, wanted: 5 }],
      targets: Int32Array.of(2_000_000),
      biasTargets: Float64Array.of(0),
    };
    const result = kernel.solveTile(problem, tile);
    expect(result.copyRows.length).toBeGreaterThan(2);
    for (let copy = 0; copy < result.copyRows.length; copy++)
      expect(fastHolds(problem, tile, { result, copy })).toBe(true);
    const moved = { ...result, copyRows: result.copyRows.map((row) => row + 1) };
    expect(fastHolds(problem, tile, { result: moved, copy: 0 })).toBe(false);
  });

  it('leaves a layer that is too large for it to the readable one', () => {
    fc.assert(
      fc.property(layerAndTile, ([problem]) => {
        expect(fast.tileRows({ ...problem, rows: 2 ** 52, cols: 4 })).toBeUndefined();
        expect(fast.tileRows({ ...problem, cols: 2 ** 31 })).toBeUndefined();
      }),
      { numRuns: 3 },
    );
  });

  it('leaves a layer whose areas are too much memory to the readable one, and takes the next', () => {
    const module = new RowModule();
    const shape: RowShape = {
      seed: 1n,
      gridBits: 8,
      sourceLayer: 1,
      rows: 9,
      rowElements: 64,
      elements: Int32Array.from({ length: 64 }, (_, element) => element),
      blockStarts: Int32Array.of(0, 32, 64),
      multipliers: null,
    };
    const ofSpreads = (edges: number, channels: number): RowShape => ({
      ...shape,
      spreads: { edges, channels },
    });
    // Sums of bytes on both sides of what the module may have, of 2^31 and of 2^32; the last row is 2^30 bytes long.
    for (const large of [
      ofSpreads(fastVerifierBytesMax / 32, 1),
      ofSpreads(1, fastVerifierBytesMax / 32),
      ofSpreads(2 ** 26, 2),
      ofSpreads(2 ** 27, 2 ** 27),
      ofSpreads(2 ** 31 - 1, 2 ** 31 - 1),
      { ...shape, rowElements: 2 ** 31 - 64 },
    ]) {
      expect(module.setUp(large, large)).toBe(false);
      expect(module.isSetUpFor(large)).toBe(false);
      expect(module.exports.memory.buffer.byteLength).toBeLessThan(2 ** 20);
      const small = { ...shape };
      expect(module.setUp(small, small)).toBe(true);
      module.mask.fill(255);
      expect([module.exports.checkRow(0), module.report[0]]).toEqual([0, 64]);
    }
  });
});

let samples: readonly TicketSample[];
beforeAll(async () => {
  samples = await ticketSamples();
});

/** A subject with errors of all signs and sizes, now and then infinite. */
function subjectOf(
  ticket: Ticket,
  sample: TicketSample,
  { index, salt }: { index: number; salt: number },
): RowsSubject {
  const context = layerContext(ticketContext(ticket, sample.network), index);
  const next = seededNumbers(salt);
  const cols = ticket.source.layers[index + 1]?.cols ?? 0;
  const ends = Array.from({ length: cols }, () => {
    const [a, b] = [next(2001) / 1e3 - 1, next(2001) / 1e3 - 1];
    if (salt % 7 === 0 && next(20) === 0)
      return [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY] as const;
    return [Math.min(a, b), Math.max(a, b)] as const;
  });
  const errors = {
    low: Float64Array.from(ends, ([low]) => low),
    high: Float64Array.from(ends, ([, high]) => high),
  };
  return { ticket, context, errors };
}

function plain({ kept, weights, biasFrom, ...sums }: RowSums): unknown {
  const { keptCount, blocks, keptSum, residualMax, edges, inputErrors, residuals } = sums;
  return {
    ...{ keptCount, blocks, keptSum, residualMax, biasFrom },
    bounds: [edges, inputErrors, residuals].map(({ low, high, size }) =>
      [low, high, size].map((each) => each + 0),
    ),
    kept: [...kept.subarray(0, keptCount)],
  };
}

describe.each(sampleNames)('the fast verifier of a ticket of %s', (name) => {
  it('gives the sums of the readable one, to the last bit, of the rows that are sound', () => {
    const sample = sampleOf(samples, name);
    const next = seededNumbers(77);
    const seen = { sound: 0, wrong: 0 };
    for (let round = 0; round < 60; round++) {
      const index = next(sample.ticket.layers.length);
      const { masks, copyRows } = sample.ticket.layers[index] ?? { masks: new Uint8Array(0), copyRows: [] };
      const copy = next(copyRows.length);
      const rowBytes = masks.length / copyRows.length;
      const byte = copy * rowBytes + next(rowBytes);
      const bit = round % 2 === 0 ? 0 : 1 << next(8);
      const ticket = withLayer(sample.ticket, index, () => ({
        masks: withValues(masks, { [byte]: (masks[byte] ?? 0) ^ bit }),
      }));
      const layer = ticket.layers[index];
      if (layer === undefined) throw new Error('no such layer');
      const subject = subjectOf(ticket, sample, { index, salt: round });
      const place = { copy, neuron: neuronsOfCopies(layer)[copy] ?? 0 };
      const expected = new ReadableRows(subject).sum(place);
      const found = fast.ticketRows(subject)?.sum(place);
      if (expected.fault === null) {
        expect(plain(found as RowSums)).toEqual(plain(expected));
        seen.sound++;
      } else {
        expect(found).toBeUndefined();
        seen.wrong++;
      }
      const range = { from: copy, to: copy + 1, neurons: neuronsOfCopies(layer) };
      expect(verifyRows(subject, range, fast)).toEqual(verifyRows(subject, range));
      // The same layer with errors of their own, as every message to a thread brings them.
      const { low } = subject.errors;
      const calm = { ...subject, errors: { low: low.map(() => -0.5), high: low.map(() => 0.25) } };
      expect(verifyRows(calm, range, fast)).toEqual(verifyRows(calm, range));
    }
    expect(seen.sound).toBeGreaterThan(20);
    expect(seen.wrong).toBeGreaterThan(0);
  });

  it('leaves the verdict as it is', async () => {
    const sample = sampleOf(samples, name);
    const check = localCheck(ticketContext(sample.ticket, sample.network), fast);
    expect(await verifyTicket(sample.ticket, sample, check)).toEqual(sample.verdict);
  });
});

describe('the fast verifier of other tickets', () => {
  it.each<[string, Partial<PlanOptions>]>([
    ['whose inputs are negative', { inputRange: [-2, -0.5] }],
    ['whose inputs are positive', { inputRange: [0.5, 2], rule: 'closest' }],
    ['of the 2L construction', { construction: '2L', inputRange: [-1, 1] }],
    ['of the 2L construction, exact', { construction: '2L', mode: 'exact', gridBits: 8 }],
  ])('leaves the verdict on one %s as it is', async (_, options) => {
    const network = networkOf({
      seed: 5,
      activations: [{ kind: 'leakyRelu', slope: 0.25 }, { kind: 'tanh' }],
      // A padded convolution reads zeros, too.
      convolutional: options.construction === '2L',
      pooling: 'none',
      sparsity: 0.1,
      biased: true,
      padded: true,
    });
    const { ticket, sha256, verdict } = await searchInProcess(network, options, await kernelSolver());
    expect(verdict.fault).toBeNull();
    const check = localCheck(ticketContext(ticket, network), fast);
    expect(await verifyTicket(ticket, { network, sha256 }, check)).toEqual(verdict);
  });
});
