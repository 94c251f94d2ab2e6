import { describe, expect, it } from 'vitest';
import { importSafetensors } from '../../src/core/format/import-safetensors.ts';
import { decodeNetwork, encodeNetwork, networkDigest } from '../../src/core/format/network-file.ts';
import { readSafetensors, writeSafetensors } from '../../src/core/format/safetensors.ts';
import { float32Tensor, float64Tensor, type Tensor } from '../../src/core/format/tensor.ts';
import type { Layer, Network } from '../../src/core/network/network.ts';

const convolution: Layer = {
  name: 'conv "1"',
  linear: {
    kind: 'convolution',
    outputs: 2,
    inputs: 1,
    kernel: [2, 1],
    strides: [1, 1],
    dilations: [1, 2],
    padding: [0, 1, 0, 1],
    weights: Float64Array.of(0.1, -2, 3, 1 / 3),
    bias: Float64Array.of(1e-300, 4),
  },
  steps: [
    { kind: 'activation', activation: { kind: 'leakyRelu', slope: 0.01 } },
    { kind: 'maxPool', kernel: [1, 2], strides: [1, 2], padding: [0, 0, 0, 0] },
    { kind: 'averagePool', kernel: [1, 1], strides: [1, 1], padding: [0, 0, 0, 0], countPadding: false },
    { kind: 'globalAveragePool' },
    { kind: 'flatten' },
  ],
};
const dense: Layer = {
  name: 'fc',
  linear: {
    kind: 'dense',
    outputs: 1,
    inputs: 2,
    weights: Float64Array.of(5, -0),
    bias: Float64Array.of(0.5),
  },
  steps: [{ kind: 'activation', activation: { kind: 'gelu', form: 'tanh' } }],
};
const network: Network = { inputShape: [1, 3, 4], inputSteps: [], layers: [convolution, dense] };

/** The network file, with its description or its tensors changed. */
function changed(
  change: (description: ReturnType<typeof JSON.parse>) => unknown,
  changeTensors: (tensors: Map<string, Tensor>) => unknown = () => undefined,
): Uint8Array {
  const file = readSafetensors(encodeNetwork(network));
  const description = JSON.parse(file.metadata.get('network') ?? '');
  const tensors = new Map(file.tensors);
  change(description);
  changeTensors(tensors);
  return writeSafetensors(tensors, new Map([['network', JSON.stringify(description)]]));
}
const keep = (): undefined => undefined;

describe('network file', () => {
  it('reads back exactly what was written', () => {
    expect(decodeNetwork(encodeNetwork(network))).toEqual(network);
    expect(importSafetensors(encodeNetwork(network))).toEqual(network);
  });

  it('gives equal bytes for networks whose keys come in another order', () => {
    const { kind, weights, bias, inputs, outputs } = dense.linear;
    const reordered = { ...dense, linear: { bias, weights, inputs, outputs, kind } as typeof dense.linear };
    expect(
      encodeNetwork({ layers: [convolution, reordered], inputSteps: [], inputShape: [1, 3, 4] }),
    ).toEqual(encodeNetwork(network));
  });

  it.each([
    ['no description', writeSafetensors(new Map()), /metadata has no network/],
    ['a description that is no JSON', writeSafetensors(new Map(), new Map([['network', '{']])), /no JSON/],
    ['an unknown key', changed((d) => Object.assign(d, { more: 1 })), /the whole: Unrecognized key/],
    ['a missing key', changed((d) => delete d.inputShape), /inputShape/],
    [
      'an unknown activation',
      changed((d) => Object.assign(d.layers[1].steps[0].activation, { kind: 'maxout' })),
      /layers\.1\.steps\.0/,
    ],
    [
      'an unknown step',
      changed((d) => Object.assign(d.layers[1].steps[0], { kind: 'dropout' })),
      /layers\.1\.steps\.0/,
    ],
    [
      'a stride of 0',
      changed((d) => Object.assign(d.layers[0].linear, { strides: [0, 1] })),
      /layers\.0\.linear\.strides\.0/,
    ],
    [
      'negative padding',
      changed((d) => Object.assign(d.layers[0].linear, { padding: [0, 0, 0, -1] })),
      /padding\.3/,
    ],
    ['a broken size', changed((d) => Object.assign(d, { inputShape: [1.5] })), /inputShape\.0/],
    ['no layers', changed((d) => Object.assign(d, { layers: [] })), /layers/],
    [
      'parts that do not fit',
      changed((d) => Object.assign(d, { inputShape: [2, 3, 4] })),
      /reads 1 channels/,
    ],
    [
      'a tensor too much',
      changed(keep, (t) => t.set('x', float64Tensor([1], Float64Array.of(1)))),
      /5 tensors, expected 4/,
    ],
    [
      'a tensor under another name',
      changed(keep, (t) => t.delete('layer.1.bias') && t.set('x', float64Tensor([1], Float64Array.of(1)))),
      /layer\.1\.bias is missing/,
    ],
    [
      'float32 weights',
      changed(keep, (t) => t.set('layer.1.bias', float32Tensor([1], Float32Array.of(1)))),
      /F32 \[1\], expected F64/,
    ],
    [
      'weights of another shape',
      changed(keep, (t) => t.set('layer.1.bias', float64Tensor([1, 1], Float64Array.of(1)))),
      /expected F64 \[1\]/,
    ],
    [
      'a weight that is no number',
      changed(keep, (t) => t.set('layer.1.bias', float64Tensor([1], Float64Array.of(Number.NaN)))),
      /layer fc: bias 0 is NaN/,
    ],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => decodeNetwork(bytes)).toThrow(message);
  });

  it.each([0, 1, 2, 3])('refuses a pool whose padding on side %d is as wide as its window', (side) => {
    const padding = [0, 0, 0, 0].with(side, side % 2 === 0 ? 1 : 2);
    expect(() => decodeNetwork(changed((d) => Object.assign(d.layers[0].steps[1], { padding })))).toThrow(
      /^Cannot use the maxPool of layer conv "1": padding \[.*\] around a window of 1×2, expected less/,
    );
  });
});

describe('networkDigest', () => {
  const digest = networkDigest(network);

  it('is the SHA-256 that Python gives for the bytes of the header comment', () => {
    expect(digest).toBe('3cb86871d999e8340f751fd2b657fd29fa050f4c839fb2ba96cacbe4ab3e2dc7');
  });

  it('ignores names, the sign of zeros, identity activations and idle flattens', () => {
    const twin: Layer = {
      name: 'other',
      linear: { ...dense.linear, weights: Float64Array.of(5, 0) },
      steps: [{ kind: 'flatten' }, { kind: 'activation', activation: { kind: 'identity' } }, ...dense.steps],
    };
    expect(networkDigest({ ...network, layers: [convolution, twin] })).toBe(digest);
    const flat: Network = { inputShape: [2], inputSteps: [], layers: [dense] };
    const spatial: Network = { inputShape: [1, 2, 1], inputSteps: [{ kind: 'flatten' }], layers: [dense] };
    expect(networkDigest(spatial)).toBe(networkDigest(flat));
  });

  it('sees every weight, every step and the input shape', () => {
    const last = (change: Partial<Layer>): string =>
      networkDigest({ ...network, layers: [convolution, { ...dense, ...change }] });
    const digests = [
      digest,
      last({ linear: { ...dense.linear, weights: Float64Array.of(5, Number.MIN_VALUE) } }),
      last({ linear: { ...dense.linear, bias: Float64Array.of(0.25) } }),
      last({ steps: [] }),
      last({ steps: [{ kind: 'activation', activation: { kind: 'gelu', form: 'erf' } }] }),
      networkDigest({ ...network, inputShape: [1, 4, 4] }),
    ];
    expect(new Set(digests).size).toBe(digests.length);
  });
});

describe('importSafetensors', () => {
  const weights = new Map<string, Tensor>([
    ['conv.weight', float32Tensor([1, 1, 1, 2], Float32Array.of(1, 2))],
    ['fc.weight_orig', float32Tensor([1, 2], Float32Array.of(3, 4))],
    ['fc.weight_mask', float32Tensor([1, 2], Float32Array.of(0, 1))],
    ['fc.bias', float32Tensor([1], Float32Array.of(5))],
  ]);
  const file = writeSafetensors(weights);
  const layers = [
    { kind: 'convolution', weights: 'conv.weight', steps: ['leaky_relu:0.5', 'flatten'] },
    { kind: 'dense', weights: 'fc.weight', bias: 'fc.bias', name: 'head' },
  ];
  const description = { inputShape: [1, 1, 3], layers };

  it('reads described weights, pruned ones multiplied with their mask', () => {
    expect(importSafetensors(file, JSON.stringify(description))).toEqual({
      inputShape: [1, 1, 3],
      inputSteps: [],
      layers: [
        {
          name: 'conv',
          linear: {
            kind: 'convolution',
            outputs: 1,
            inputs: 1,
            kernel: [1, 2],
            strides: [1, 1],
            dilations: [1, 1],
            padding: [0, 0, 0, 0],
            weights: Float64Array.of(1, 2),
            bias: Float64Array.of(0),
          },
          steps: [{ kind: 'activation', activation: { kind: 'leakyRelu', slope: 0.5 } }, { kind: 'flatten' }],
        },
        {
          name: 'head',
          linear: {
            kind: 'dense',
            outputs: 1,
            inputs: 2,
            weights: Float64Array.of(0, 4),
            bias: Float64Array.of(5),
          },
          steps: [],
        },
      ],
    });
  });

  const second = (change: object): object => ({
    ...description,
    layers: [layers[0], { ...layers[1], ...change }],
  });
  it.each([
    ['no description', undefined, /expected a description <name>\.json/],
    ['no JSON', 'x', /no JSON/],
    ['an unknown key', { ...description, input: 1 }, /Unrecognized key/],
    ['a stride on a dense layer', second({ strides: [1, 1] }), /layers\.1: Unrecognized key/],
    [
      'a tensor that is not there',
      second({ weights: 'fc2.weight' }),
      /no layer of its description names tensor fc\.weight_orig/,
    ],
    ['a bias that is not there', second({ bias: 'b' }), /no layer of its description names tensor fc\.bias/],
    ['a forgotten layer', { ...description, layers: [layers[0]] }, /no layer .* names tensor fc/],
    ['an unknown activation', second({ steps: ['maxout'] }), /activation "maxout"/],
    [
      'a dense layer of a kernel',
      { ...description, layers: [{ kind: 'dense', weights: 'conv.weight' }, layers[1]] },
      /expected 2 dimensions/,
    ],
    ['parts that do not fit', { ...description, inputShape: [1, 1, 9] }, /reads 2 features/],
  ])('refuses %s', (_, json, message) => {
    const text = typeof json === 'object' ? JSON.stringify(json) : json;
    expect(() => importSafetensors(file, text)).toThrow(message);
  });

  it('names the tensors there are when one is missing', () => {
    const only = writeSafetensors(new Map([['a', float32Tensor([1, 1], Float32Array.of(1))]]));
    const text = JSON.stringify({
      inputShape: [1],
      layers: [
        { kind: 'dense', weights: 'a' },
        { kind: 'dense', weights: 'b' },
      ],
    });
    expect(() => importSafetensors(only, text)).toThrow(/no tensor b, expected one of a/);
  });
});
