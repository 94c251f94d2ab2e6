import { beforeAll, describe, expect, it } from 'vitest';
import { evaluateTicket } from '../../coordinator/evaluate/evaluate-ticket.ts';
import { forward } from '../../src/core/network/forward.ts';
import { materialise } from '../../src/core/ticket/materialise.ts';
import { sparseForward } from '../../src/core/ticket/sparse-forward.ts';
import { uniform } from '../support/evaluation-networks.ts';
import { denseTarget, type SmallTicket, smallTicket, spatialTarget } from '../support/small-tickets.ts';

const count = 20;
const tickets: { dense?: SmallTicket; spatial?: SmallTicket; exact?: SmallTicket } = {};
beforeAll(async () => {
  tickets.dense = await smallTicket(denseTarget);
  tickets.spatial = await smallTicket(spatialTarget, { inputRange: [-1, 1] });
  tickets.exact = await smallTicket(denseTarget, { mode: 'exact', gridBits: 8 });
});

function subjectOf(name: keyof typeof tickets) {
  const found = tickets[name];
  if (found === undefined) throw new Error('the tickets are made before the tests');
  const { ticket, network } = found;
  const length = network.inputShape.reduce((product, size) => product * size, 1);
  const inputs = Float32Array.from(uniform(count * length, 31), (value) =>
    ticket.inputRange[0] < 0 ? value : Math.abs(value),
  );
  return { ticket, network, inputs, count, labels: null };
}

function referenceOutputs({ network, ticket, inputs }: ReturnType<typeof subjectOf>) {
  const length = inputs.length / count;
  const sparse = materialise(ticket, network);
  return Array.from({ length: count }, (_, k) => {
    const input = Float64Array.from(inputs.subarray(k * length, (k + 1) * length));
    return { target: forward(network, input), ticket: sparseForward(sparse, input) };
  });
}

describe('evaluating a ticket', () => {
  it.each(['dense', 'spatial'] as const)(
    'finds the error that the reference passes show: %s',
    async (name) => {
      const subject = subjectOf(name);
      const found = await evaluateTicket(subject);
      const errors = referenceOutputs(subject).flatMap(({ target, ticket }) =>
        Array.from(target, (value, k) => Math.abs(value - (ticket[k] ?? Number.NaN))),
      );
      expect(found).toMatchObject({
        fault: null,
        images: count,
        referenceImages: 16,
        outsideRange: 0,
        quantised: null,
      });
      expect(found.maxAbsError).toBeCloseTo(Math.max(...errors), 4);
      expect(found.maxAbsError).toBeGreaterThan(1e-4);
      expect(found.referenceMaxDifference).toBeLessThan(1e-4);
      expect(found.accuracy).toBeNull();
    },
  );

  it('counts right answers against the labels', async () => {
    const subject = subjectOf('dense');
    const classes = referenceOutputs(subject).map(({ target }) => target.indexOf(Math.max(...target)));
    const labels = Int32Array.from(classes, (value, k) => (k < 5 ? (value + 1) % 3 : value));
    const found = await evaluateTicket({ ...subject, labels });
    expect(found.accuracy?.target).toBe(0.75);
  });

  it('compares an exact ticket with the quantised target, which it equals', async () => {
    const found = await evaluateTicket(subjectOf('exact'));
    expect(found.fault).toBeNull();
    expect(found.maxAbsError).toBeGreaterThan(1e-3);
    expect(found.quantised?.maxAbsError).toBeLessThan(1e-4);
  });

  it('finds fault with inputs outside the declared range, and counts them', async () => {
    const subject = subjectOf('dense');
    subject.inputs.set([1.5, -0.01, 1, 0]);
    const found = await evaluateTicket(subject);
    expect(found).toMatchObject({
      outsideRange: 2,
      fault: expect.stringMatching(/^2 of 240 input values lie outside/),
    });
  });

  it('finds fault with outputs that are no numbers', async () => {
    const subject = subjectOf('dense');
    const [first, ...others] = subject.network.layers;
    if (first === undefined) throw new Error('a network with layers');
    const bias = first.linear.bias.map(() => Number.NaN);
    const network = {
      ...subject.network,
      layers: [{ ...first, linear: { ...first.linear, bias } }, ...others],
    };
    expect((await evaluateTicket({ ...subject, network })).fault).toMatch(/not a finite number/);
  });

  it('finds fault with a network that float32 cannot compute', async () => {
    const subject = subjectOf('dense');
    const [first, second, ...others] = subject.network.layers;
    if (first === undefined || second === undefined) throw new Error('a network of three layers');
    const { linear: after } = second;
    const shift = 1e9;
    // What the first layer's biases add, those of the second take away again.
    const sums = after.bias.map((bias, row) =>
      after.weights
        .subarray(row * after.inputs, (row + 1) * after.inputs)
        .reduce((sum, weight) => sum - shift * weight, bias),
    );
    const layers = [
      { ...first, linear: { ...first.linear, bias: first.linear.bias.map((bias) => bias + shift) } },
      { ...second, linear: { ...after, bias: sums } },
      ...others,
    ];
    const found = await evaluateTicket({ ...subject, network: { ...subject.network, layers } });
    expect(found.fault).toMatch(/differ from the reference passes by .*, expected at most 0.001$/);
  });

  it('refuses inputs and labels of another number', async () => {
    const subject = subjectOf('dense');
    for (const wrong of [
      { count: count + 1 },
      { count: 0, inputs: new Float32Array(0) },
      { inputs: subject.inputs.subarray(1) },
      { labels: new Int32Array(count - 1) },
    ])
      await expect(evaluateTicket({ ...subject, ...wrong })).rejects.toMatchObject({ kind: 'misuse' });
  });

  it('ends with the signal’s reason, before and during the work', async () => {
    const reason = new Error('enough');
    const stop = new AbortController();
    const waiting = evaluateTicket({ ...subjectOf('dense'), signal: stop.signal });
    stop.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    await expect(evaluateTicket({ ...subjectOf('dense'), signal: stop.signal })).rejects.toBe(reason);
  });
});
