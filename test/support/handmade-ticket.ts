/** Tickets written by hand: their parts, and what fills in the rest. */
import { networkDigest } from '../../src/core/format/network-file.ts';
import type { Activation } from '../../src/core/network/activation.ts';
import type { Layer, Network } from '../../src/core/network/network.ts';
import { SourceLayerReader, type SourceNetwork } from '../../src/core/source/source-network.ts';
import type { Ticket, TicketLayer } from '../../src/core/ticket/ticket.ts';

/** A ticket by hand, and the target that it is held against. */
export interface Forgery {
  readonly name: string;
  readonly ticket: Ticket;
  readonly network: Network;
  readonly sha256: string;
  /** What the verifier says. */
  readonly fault: RegExp;
}

const none = new Int32Array(0);

/** A target layer's part without any edge. */
export const emptyLayer: TicketLayer = {
  copyCounts: none,
  copyRows: none,
  masks: new Uint8Array(0),
  biasElements: none,
  ownBias: false,
  constantElements: none,
  weightQuantum: 0,
  biasQuantum: 0,
  biasTolerance: 0,
};

/** Returns a dense layer, its weights row by row. */
export function denseLayer(
  weights: readonly number[],
  bias: readonly number[],
  activation?: Activation,
): Layer {
  return {
    name: '',
    linear: {
      kind: 'dense',
      outputs: bias.length,
      inputs: weights.length / bias.length,
      weights: Float64Array.from(weights),
      bias: Float64Array.from(bias),
    },
    steps: activation === undefined ? [] : [{ kind: 'activation', activation }],
  };
}

/** Returns the network of some layers over a flat input. */
export function networkOf(...layers: readonly Layer[]): Network {
  return { inputShape: [layers[0]?.linear.inputs ?? 0], inputSteps: [], layers };
}

/** Returns a source with the rows and columns of each layer, of one gain. */
export function sourceOf(
  shapes: readonly (readonly [number, number])[],
  gridBits: number,
  gain: number,
): SourceNetwork {
  return {
    seed: 7n,
    gridBits,
    biasInit: 'uniform',
    layers: shapes.map(([rows, cols]) => ({ rows, cols, taps: 1, gain, biasGain: 1 })),
  };
}

/** Returns the reader of a source layer, 0-based. */
export function readerOf(source: SourceNetwork, index: number): SourceLayerReader {
  return new SourceLayerReader(source, index, source.layers[index] ?? { cols: 0, taps: 1 });
}

/** Returns a ticket of the claims, the rest of it as in most tickets, for the network. */
export function forgery(
  name: string,
  network: Network,
  fault: RegExp,
  claims: Pick<Ticket, 'source' | 'layers'> & Partial<Ticket>,
): Forgery {
  const sha256 = networkDigest(network);
  const ticket: Ticket = {
    mode: 'tolerance',
    epsilon: 0.01,
    rule: 'fewest',
    inputRange: [0, 1],
    targetSha256: sha256,
    univariate: { inputs: Int32Array.of(-1), constantRows: 0, extendedInput: false, signGroups: 'any' },
    deeperUnivariates: [],
    ...claims,
  };
  return { name, ticket, network, sha256, fault };
}

/** Returns one row's mask with bits 0 … count − 1 set. */
export function ones(count: number): Uint8Array {
  const mask = new Uint8Array(Math.ceil(count / 8));
  for (let bit = 0; bit < count; bit++) mask[bit >> 3] = (mask[bit >> 3] ?? 0) | (1 << (bit & 7));
  return mask;
}
