import { beforeAll, describe, expect, it } from 'vitest';
import { networkDigest } from '../../src/core/format/network-file.ts';
import { decodeTicket, encodeTicket } from '../../src/core/format/ticket-file.ts';
import type { Network } from '../../src/core/network/network.ts';
import { layerViews } from '../../src/core/plan/layer-view.ts';
import { SourceLayerReader } from '../../src/core/source/source-network.ts';
import { layerLayout } from '../../src/core/ticket/layout.ts';
import type { Ticket, TicketLayer } from '../../src/core/ticket/ticket.ts';
import { ticketContext } from '../../src/core/verify/layer-context.ts';
import type { ColumnErrors } from '../../src/core/verify/row-sums.ts';
import { localCheck, verifyTicket } from '../../src/core/verify/verify-ticket.ts';
import { activationStep, convolutionLayer, denseLayer } from '../support/evaluation-networks.ts';
import { kernelSolver, searchInProcess } from '../support/in-process-search.ts';
import {
  sampleNames,
  sampleOf,
  type TicketSample,
  ticketSamples,
  withLayer,
  withValues,
} from '../support/ticket-samples.ts';

let samples: readonly TicketSample[];
beforeAll(async () => {
  samples = await ticketSamples();
});

async function faultOf(sample: TicketSample, ticket: Ticket): Promise<string | null> {
  return (await verifyTicket(decodeTicket(encodeTicket(ticket)).ticket, sample)).fault;
}

function layerOf(ticket: Ticket, index: number): TicketLayer {
  const layer = ticket.layers[index];
  if (layer === undefined) throw new Error(`no layer ${index}`);
  return layer;
}

function withSourceLayer(ticket: Ticket, index: number, change: object): Ticket {
  const layers = ticket.source.layers.map((layer, k) => (k === index ? { ...layer, ...change } : layer));
  return { ...ticket, source: { ...ticket.source, layers } };
}

describe.each(sampleNames)('a ticket of %s is refused', (name) => {
  it('with another seed', async () => {
    const sample = sampleOf(samples, name);
    const source = { ...sample.ticket.source, seed: sample.ticket.source.seed + 1n };
    expect(await faultOf(sample, { ...sample.ticket, source })).toMatch(/^source layer [12][:,] /);
  });

  it('with another gain of any layer', async () => {
    const sample = sampleOf(samples, name);
    for (const [index, { gain }] of sample.ticket.source.layers.entries())
      expect(await faultOf(sample, withSourceLayer(sample.ticket, index, { gain: 1.5 * gain }))).toMatch(
        new RegExp(`^source layer ${Math.max(2, index + 1)}[,:] `),
      );
  });

  it('for another target of the same shapes, whether it owns up to it or not', async () => {
    const sample = sampleOf(samples, name);
    const layers = sample.network.layers.map((layer, index) =>
      index === 1
        ? { ...layer, linear: { ...layer.linear, weights: layer.linear.weights.map((w) => -w) } }
        : layer,
    );
    const network: Network = { ...sample.network, layers };
    const other = { network, sha256: networkDigest(network) };
    expect((await verifyTicket(sample.ticket, other)).fault).toMatch(/^the ticket was made for the target/);
    const pretends = { ...sample.ticket, targetSha256: other.sha256 };
    expect((await verifyTicket(pretends, other)).fault).toMatch(/^source layer 3, neuron 0, row \d+, /);
  });

  it('with two rows of different neurons swapped, or one neuron served by the row of another', async () => {
    const sample = sampleOf(samples, name);
    const { copyRows, copyCounts } = layerOf(sample.ticket, 0);
    const first = copyRows[0] ?? 0;
    const other = copyRows[copyCounts[0] ?? 0] ?? 0;
    const place = copyCounts[0] ?? 0;
    const swapped = withLayer(sample.ticket, 0, () => ({
      copyRows: withValues(copyRows, { 0: other, [place]: first }),
    }));
    expect(await faultOf(sample, swapped)).toMatch(/^source layer 2[,:] .*row \d+/);
    const doubled = withLayer(sample.ticket, 0, () => ({
      copyRows: withValues(copyRows, { [place]: first }),
    }));
    expect(await faultOf(sample, doubled)).toMatch(
      /^source layer 2: (a row is a copy of two neurons|row \d+ is out of order)/,
    );
  });

  it('with a row twice, a row of constants, or a row that does not exist', async () => {
    const sample = sampleOf(samples, name);
    for (const [index, { copyRows, constantElements }] of sample.ticket.layers.entries()) {
      const rows = sample.ticket.source.layers[index + 1]?.rows ?? 0;
      const last = copyRows.length - 1;
      const faultAt = (row: number): Promise<string | null> =>
        faultOf(
          sample,
          withLayer(sample.ticket, index, () => ({ copyRows: withValues(copyRows, { [last]: row }) })),
        );
      const where = `^source layer ${index + 2}: row`;
      if (constantElements.length > 0)
        expect(await faultAt(rows - 1)).toMatch(
          `${where} ${rows - 1} does not exist or is a constant`.slice(1),
        );
      expect(await faultAt(rows)).toMatch(new RegExp(`${where} ${rows} does not exist`));
      expect(await faultAt(-1)).toMatch(new RegExp(`${where} -1 does not exist`));
      expect(await faultAt(copyRows[last - 1] ?? 0)).toMatch(
        new RegExp(`^source layer ${index + 2}: (row \\d+ is out of order|a row is a copy of two)`),
      );
    }
  });

  it('with copies that do not add up', async () => {
    const sample = sampleOf(samples, name);
    const { copyCounts } = layerOf(sample.ticket, 0);
    const faultWith = (places: Record<number, number>): Promise<string | null> =>
      faultOf(
        sample,
        withLayer(sample.ticket, 0, () => ({ copyCounts: withValues(copyCounts, places) })),
      );
    const [a = 0, b = 0] = copyCounts;
    expect(await faultWith({ 0: a + 1 })).toMatch(/^source layer 2: the copies per neuron do not add up/);
    expect(await faultWith({ 0: -1, 1: a + b + 1 })).toMatch(
      /^source layer 2: the copies per neuron do not add up/,
    );
    expect(await faultWith({ 0: a + b, 1: 0 })).toMatch(
      /^source layer 2: neuron 1 has 0 copies|^source layer 2: row|^source layer 2, neuron/,
    );
    expect(await faultWith({ 0: a + 1, 1: b - 1 })).toMatch(/^source layer 2/);
  });

  it('with a constant behind its last layer, where it would be one more output', async () => {
    const { ticket, ...sample } = sampleOf(samples, name);
    const last = ticket.layers.length - 1;
    const rows = (ticket.source.layers[last + 1]?.rows ?? 0) + 1;
    const longer = withLayer(withSourceLayer(ticket, last + 1, { rows }), last, () => ({
      constantElements: Int32Array.of(-1),
    }));
    expect(await faultOf({ ...sample, ticket }, longer)).toBe(
      `source layer ${last + 2}: 1 constant rows, expected none behind the last layer`,
    );
  });

  it('with a wider bias tolerance, a dishonest quantum, or a smaller epsilon', async () => {
    const sample = sampleOf(samples, name);
    const { mode, epsilon } = sample.ticket;
    for (const [index, layer] of sample.ticket.layers.entries()) {
      const faultWith = (change: Partial<TicketLayer>): Promise<string | null> =>
        faultOf(
          sample,
          withLayer(sample.ticket, index, () => change),
        );
      const where = new RegExp(`^source layer ${index + 2}: `);
      const largest = layerViews(sample.network)[index]?.weightMax ?? 1;
      expect(await faultWith({ biasTolerance: 0.02 * largest })).toMatch(where);
      expect(await faultWith({ biasQuantum: 0.02 * largest })).toMatch(where);
      expect(
        await faultWith({ weightQuantum: mode === 'exact' ? layer.weightQuantum * 1.001 : 1e-3 }),
      ).toMatch(where);
    }
    if (mode === 'tolerance')
      expect(await faultOf(sample, { ...sample.ticket, epsilon: epsilon / 100 })).toMatch(
        /^source layer 2: the bias tolerance/,
      );
    if (mode === 'tolerance') {
      const strict = {
        ...sample.ticket,
        epsilon: epsilon / 100,
        layers: sample.ticket.layers.map((l) => ({ ...l, biasTolerance: l.biasTolerance / 100 })),
      };
      expect(await faultOf(sample, strict)).toMatch(/^source layer 2, neuron \d+, row \d+, .*residual/);
    }
    expect(
      await faultOf(sample, { ...sample.ticket, mode: mode === 'exact' ? 'tolerance' : 'exact' }),
    ).not.toBeNull();
  });

  it('with a bit behind the last edge, or masks of another length', async () => {
    const sample = sampleOf(samples, name);
    let tried = 0;
    for (const [index, view] of layerViews(sample.network).entries()) {
      const { masks, copyRows } = layerOf(sample.ticket, index);
      const { elements, rowBytes } = layerLayout(sample.ticket, index, view);
      const longer = new Uint8Array(masks.length + copyRows.length);
      expect(
        await faultOf(
          sample,
          withLayer(sample.ticket, index, () => ({ masks: longer })),
        ),
      ).toMatch(new RegExp(`^source layer ${index + 2}: ${longer.length} bytes of masks`));
      for (let bit = elements.length; bit < 8 * rowBytes; bit++, tried++) {
        const last = rowBytes - 1;
        const changed = withValues(masks, { [last]: (masks[last] ?? 0) | (1 << (bit & 7)) });
        expect(
          await faultOf(
            sample,
            withLayer(sample.ticket, index, () => ({ masks: changed })),
          ),
        ).toMatch(new RegExp(`^source layer ${index + 2}: the mask of row ${copyRows[0]} has a bit`));
      }
    }
    expect(tried).toBeGreaterThan(0);
  });

  it('with bias edges or constants that are none', async () => {
    const sample = sampleOf(samples, name);
    for (const [index, layer] of sample.ticket.layers.entries()) {
      const { biasElements, constantElements } = layer;
      const faultWith = (change: Partial<TicketLayer>): Promise<string | null> =>
        faultOf(
          sample,
          withLayer(sample.ticket, index, () => change),
        );
      const edge =
        layerLayout(sample.ticket, index, layerViews(sample.network)[index] ?? raise()).elements[0] ?? 0;
      const where = `^source layer ${index + 2}: `;
      if (biasElements.length > 0) {
        expect(await faultWith({ biasElements: withValues(biasElements, { 0: edge }) })).toMatch(
          new RegExp(`${where}the bias block reads edge ${edge}, which is no constant`),
        );
        expect(
          await faultWith({ biasElements: withValues(biasElements, { 0: biasElements[1] ?? 0 }) }),
        ).toMatch(new RegExp(`${where}the bias block reads an edge twice`));
      }
      expect(
        await faultWith({ biasElements: biasElements.slice(1), ownBias: !layer.ownBias }),
      ).not.toBeNull();
      if (constantElements.length === 0) continue;
      const constant = biasElements[0] ?? -1;
      expect(await faultWith({ constantElements: withValues(constantElements, { 0: edge }) })).toMatch(
        new RegExp(`${where}a constant row keeps edge ${edge}, which is no constant`),
      );
      if (sample.ticket.source.biasInit === 'uniform')
        expect(await faultWith({ constantElements: withValues(constantElements, { 0: constant }) })).toMatch(
          new RegExp(`${where}a constant row keeps a bias and an edge`),
        );
      const many = new Int32Array((sample.ticket.source.layers[index + 1]?.rows ?? 0) + 1).fill(-1);
      expect(await faultWith({ constantElements: many })).toMatch(new RegExp(where));
    }
  });

  it('with a row or an input range that its sign groups do not allow', async () => {
    const sample = sampleOf(samples, name);
    const { univariate } = sample.ticket;
    const kinds = (['any', 'positive', 'both'] as const).filter((kind) => kind !== univariate.signGroups);
    for (const signGroups of kinds) {
      const fault = await faultOf(sample, { ...sample.ticket, univariate: { ...univariate, signGroups } });
      if (univariate.signGroups !== 'positive' || signGroups !== 'any') expect(fault).not.toBeNull();
    }
    if (univariate.signGroups === 'positive')
      expect(await faultOf(sample, { ...sample.ticket, inputRange: [-1e-9, 1] })).toMatch(
        /^source layer 1 relies on inputs ≥ 0/,
      );
    const backwards = { ...sample.ticket, inputRange: [1, 0] as const };
    expect(await faultOf(sample, backwards)).toMatch(/^the input range \[1, 0\] is empty/);
  });
});

function raise(): never {
  throw new Error('no such layer');
}

describe('the verifier', () => {
  it('refuses a univariate row of negative weight where only positive inputs pass', async () => {
    // Not one row of the ticket changes: a forger gives the row a negative weight by choosing another input for it.
    const sample = sampleOf(samples, 'dense ReLU');
    const { ticket } = sample;
    const layer = ticket.source.layers[0] ?? raise();
    const reader = new SourceLayerReader(ticket.source, 0, layer);
    const { inputs, constantRows } = ticket.univariate;
    const idle = inputs.findIndex(
      (input, row) => input < 0 && row < inputs.length - constantRows && reader.weight(row, 0) < 0,
    );
    expect(idle).toBeGreaterThanOrEqual(0);
    const univariate = { ...ticket.univariate, inputs: withValues(inputs, { [idle]: 0 }) };
    expect(await faultOf(sample, { ...ticket, univariate })).toBe(
      `source layer 1, row ${idle} has a negative weight, but only positive ones may serve inputs ≥ 0`,
    );
  });

  it('refuses a tolerance so wide that no edge at all would do', async () => {
    const sample = sampleOf(samples, 'dense ReLU');
    for (const epsilon of [1, 2, 1e300])
      expect(await faultOf(sample, { ...sample.ticket, epsilon })).toBe(
        `the tolerance is ${epsilon}, which tolerance mode does not have`,
      );
  });

  it('refuses a source of more rows than any target needs, instead of making room for them', async () => {
    const sample = sampleOf(samples, 'dense ReLU');
    const last = sample.ticket.source.layers.length - 1;
    expect(await faultOf(sample, withSourceLayer(sample.ticket, last, { rows: 2 ** 40 }))).toMatch(
      /^source layer 4 has 1099511627776 rows, expected at most/,
    );
    const wide = withSourceLayer(withSourceLayer(sample.ticket, 2, { rows: 2 ** 52 }), 3, { cols: 2 ** 52 });
    expect(await faultOf(sample, wide)).toMatch(
      /^source layer 3 has 4503599627370496 rows, expected at most/,
    );
  });

  it('refuses a source of more numbers in a layer than float64 has places for', async () => {
    const sample = sampleOf(samples, 'dense ReLU');
    const [first] = sample.ticket.source.layers;
    if (first === undefined) throw new Error('a source has layers');
    for (const cols of [2 ** 53 - 1, Math.ceil(2 ** 53 / first.rows)])
      expect(await faultOf(sample, withSourceLayer(sample.ticket, 0, { cols }))).toBe(
        `source layer 1 has ${first.rows} × ${cols} × 1 weights, expected fewer than 2^53`,
      );
    const below = withSourceLayer(sample.ticket, 0, { cols: Math.floor(2 ** 53 / first.rows) - 1 });
    expect(await faultOf(sample, below)).toMatch(/^source layer 1 has another shape/);
  });

  it('does not let huge constants blur a bias residual', async () => {
    const sample = sampleOf(samples, 'dense ReLU');
    for (const biasGain of [1e300, 1e308])
      for (const index of [0, 1, 2])
        expect(await faultOf(sample, withSourceLayer(sample.ticket, index, { biasGain }))).not.toBeNull();
  });

  it('takes a bias for exact only if it is, however coarse its quantum claims to be', async () => {
    const sample = sampleOf(samples, 'exact dense');
    const { weightQuantum, biasQuantum } = layerOf(sample.ticket, 1);
    expect(biasQuantum).toBeLessThan(weightQuantum / 4);
    const coarse = withLayer(sample.ticket, 1, () => ({ biasQuantum: weightQuantum / 2, biasTolerance: 0 }));
    expect(await faultOf(sample, coarse)).toMatch(/^source layer 3, neuron \d+, row \d+, bias: residual/);
  });

  it('counts the error 0 of padded positions among the errors of what a padded convolution reads', async () => {
    const relu = activationStep({ kind: 'relu' });
    const network: Network = {
      inputShape: [1, 5, 5],
      inputSteps: [],
      layers: [
        convolutionLayer({ inputs: 1, outputs: 2, kernel: [2, 2] }, [relu]),
        convolutionLayer({ inputs: 2, outputs: 2, padding: [1, 0, 0, 0] }, [relu, { kind: 'flatten' }]),
        denseLayer(2 * 3 * 2, 2),
      ],
    };
    const { ticket, sha256 } = await searchInProcess(network, {}, await kernelSolver());
    const local = localCheck(ticketContext(ticket, network));
    const seen: ColumnErrors[] = [];
    await verifyTicket(ticket, { network, sha256 }, async (index, range, errors) => {
      seen[index] = errors;
      const report = await local(index, range, errors);
      return { ...report, errorLow: report.errorLow.fill(0.25), errorHigh: report.errorHigh.fill(0.5) };
    });
    const [row = 0] = ticket.layers[0]?.copyRows ?? [];
    const [deeper = 0] = ticket.layers[1]?.copyRows ?? [];
    expect([seen[1]?.low[row], seen[1]?.high[row]]).toEqual([0, 0.5]);
    expect([seen[2]?.low[deeper], seen[2]?.high[deeper]]).toEqual([0.25, 0.5]);
  });

  it('gives a bound that is a number, or infinity, for any range', async () => {
    const sample = sampleOf(samples, 'sigmoid with intercepts');
    for (const limit of [0, 1e10, 1e200, 1e308]) {
      const verdict = await verifyTicket({ ...sample.ticket, inputRange: [-limit, limit] }, sample);
      expect(verdict.certifiedBound).not.toBeNaN();
      expect(verdict.linearisationBound).not.toBeNaN();
    }
  });

  it('certifies nothing where the intervals of the target are beyond all numbers', async () => {
    for (const name of ['dense ReLU', 'dense ReLU with sign groups', 'exact dense']) {
      const sample = sampleOf(samples, name);
      const [low] = sample.ticket.inputRange;
      const inputRange = [low * 1e308, 1.7e308] as const;
      const { fault, certifiedBound } = await verifyTicket({ ...sample.ticket, inputRange }, sample);
      expect(fault).toBeNull();
      expect(certifiedBound).toBe(Number.POSITIVE_INFINITY);
    }
  });
});
