import { describe, expect, it } from 'vitest';
import { type Activation, seluDefaults } from '../../src/core/network/activation.ts';
import { activationName, parseActivation } from '../../src/core/network/activation-name.ts';

describe('parseActivation', () => {
  it.each<[string, Activation]>([
    ['relu', { kind: 'relu' }],
    ['identity', { kind: 'identity' }],
    ['leakyRelu', { kind: 'leakyRelu', slope: 0.01 }],
    ['leakyRelu:0.2', { kind: 'leakyRelu', slope: 0.2 }],
    ['leaky_relu:-1e-3', { kind: 'leakyRelu', slope: -0.001 }],
    ['LeakyReLU:1', { kind: 'leakyRelu', slope: 1 }],
    ['elu', { kind: 'elu', alpha: 1 }],
    ['elu:0.5', { kind: 'elu', alpha: 0.5 }],
    ['selu', { kind: 'selu', ...seluDefaults }],
    ['selu:2:3', { kind: 'selu', alpha: 2, gamma: 3 }],
    ['gelu', { kind: 'gelu', form: 'erf' }],
    ['gelu:tanh', { kind: 'gelu', form: 'tanh' }],
    [' hard-swish ', { kind: 'hardSwish' }],
    ['SiLU', { kind: 'silu' }],
  ])('reads %j', (text, activation) => {
    expect(parseActivation(text)).toEqual(activation);
  });

  it('reads back every name that activationName gives', () => {
    const plain = [
      'identity',
      'relu',
      'tanh',
      'sigmoid',
      'softplus',
      'softsign',
      'hardSwish',
      'mish',
      'silu',
    ] as const;
    const all: readonly Activation[] = [
      ...plain.map((kind) => ({ kind })),
      { kind: 'leakyRelu', slope: 1 / 3 },
      { kind: 'elu', alpha: 1e-300 },
      { kind: 'selu', ...seluDefaults },
      { kind: 'gelu', form: 'erf' },
      { kind: 'gelu', form: 'tanh' },
    ];
    for (const activation of all) expect(parseActivation(activationName(activation))).toEqual(activation);
  });

  it.each([
    '',
    'rel',
    'relu:1',
    'elu:',
    'elu:x',
    'elu:1:2',
    'elu:Infinity',
    'elu:1e999',
    'gelu:sigmoid',
    'gelu:erf:1',
    'constructor',
    'leakyRelu:0x10',
  ])('refuses %j', (text) => {
    expect(() => parseActivation(text)).toThrow(/Cannot use activation/);
  });
});
