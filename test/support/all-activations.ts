import { type Activation, seluDefaults } from '../../src/core/network/activation.ts';

/** Every kind of activation, with several parameters where it has some. */
export const allActivations: readonly Activation[] = [
  { kind: 'identity' },
  { kind: 'relu' },
  { kind: 'leakyRelu', slope: 0.01 },
  { kind: 'leakyRelu', slope: -0.5 },
  { kind: 'elu', alpha: 1 },
  { kind: 'elu', alpha: 0.3 },
  { kind: 'elu', alpha: 2.5 },
  { kind: 'elu', alpha: -0.7 },
  { kind: 'selu', ...seluDefaults },
  { kind: 'selu', alpha: -1.2, gamma: 1.1 },
  { kind: 'tanh' },
  { kind: 'sigmoid' },
  { kind: 'softplus' },
  { kind: 'softsign' },
  { kind: 'gelu', form: 'erf' },
  { kind: 'gelu', form: 'tanh' },
  { kind: 'hardSwish' },
  { kind: 'mish' },
  { kind: 'silu' },
];
