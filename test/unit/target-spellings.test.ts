/** A ticket is for a function, which one digest stands for: its target may be written in several ways. */
import { beforeAll, describe, expect, it } from 'vitest';
import { networkDigest } from '../../src/core/format/network-file.ts';
import type { Network, Step } from '../../src/core/network/network.ts';
import { verifyTicket } from '../../src/core/verify/verify-ticket.ts';
import { activationStep } from '../support/evaluation-networks.ts';
import { IndependentCheck } from '../support/independent-check.ts';
import { sampleNames, sampleOf, type TicketSample, ticketSamples } from '../support/ticket-samples.ts';

let samples: readonly TicketSample[];
beforeAll(async () => {
  samples = await ticketSamples();
});

/** The network written otherwise: with steps that do nothing, and zeros of the other sign. */
function respelled({ inputShape, inputSteps, layers }: Network): Network {
  const identity = activationStep({ kind: 'identity' });
  const flatten: Step = { kind: 'flatten' };
  const isFlat = inputShape.length === 1;
  const turned = (values: Float64Array): Float64Array =>
    values.map((value) => (value === 0 ? -value : value));
  return {
    inputShape: isFlat ? [1, ...inputShape, 1] : inputShape,
    inputSteps: isFlat ? [flatten, identity, flatten, ...inputSteps] : [identity, ...inputSteps],
    layers: layers.map(({ name, linear, steps }) => ({
      name: `${name}, respelled`,
      linear: { ...linear, weights: turned(linear.weights), bias: turned(linear.bias) },
      steps: [identity, ...steps.flatMap((step) => [step, identity]), ...(isFlat ? [flatten] : [])],
    })),
  };
}

describe.each(sampleNames)('a ticket of %s', (name) => {
  it('is sound for every spelling of its target that has its digest', async () => {
    const { ticket, network, sha256, verdict } = sampleOf(samples, name);
    const other = respelled(network);
    expect(networkDigest(other)).toBe(sha256);
    const { fault, keptEdges } = await verifyTicket(ticket, { network: other, sha256 });
    expect({ fault, keptEdges }).toEqual({ fault: null, keptEdges: verdict.keptEdges });
    expect(new IndependentCheck(ticket, other).fault()).toBeNull();
  });
});
