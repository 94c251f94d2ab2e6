/**
 * Names of activation functions as people write them in options and files: `kind[:parameter[:parameter]]`.
 *
 *   identity  relu  leakyRelu:slope (0.01)  elu:alpha (1)  selu:alpha:gamma (as in ONNX)  tanh  sigmoid  softplus  softsign
 *   gelu:erf or gelu:tanh (erf)  hardSwish  mish  silu
 *
 * In brackets the default of a parameter that is left out. Case, `-` and `_` do not matter: `leaky_relu` is leakyRelu.
 */
import { misuse } from '../errors.ts';
import { type Activation, seluDefaults } from './activation.ts';

const kinds = [
  'identity',
  'relu',
  'leakyRelu',
  'elu',
  'selu',
  'tanh',
  'sigmoid',
  'softplus',
  'softsign',
  'gelu',
  'hardSwish',
  'mish',
  'silu',
] as const satisfies readonly Activation['kind'][];

/**
 * Returns the activation function of a name.
 * @throws TombolaError (misuse) when there is none, or its parameters are wrong.
 */
export function parseActivation(text: string): Activation {
  const [name = '', ...parameters] = text.trim().split(':');
  const plain = name.replace(/[-_]/g, '').toLowerCase();
  const kind = kinds.find((known) => known.toLowerCase() === plain);
  if (kind === undefined)
    throw misuse(
      `Cannot use activation ${JSON.stringify(text)}: unknown, expected one of ${kinds.join(', ')}`,
    );
  switch (kind) {
    case 'leakyRelu': {
      const [slope] = parseNumbers(text, parameters, [0.01]);
      return { kind, slope };
    }
    case 'elu': {
      const [alpha] = parseNumbers(text, parameters, [1]);
      return { kind, alpha };
    }
    case 'selu': {
      const [alpha, gamma] = parseNumbers(text, parameters, [seluDefaults.alpha, seluDefaults.gamma]);
      return { kind, alpha, gamma };
    }
    case 'gelu':
      return { kind, form: parseForm(text, parameters) };
    default:
      parseNumbers(text, parameters, []);
      return { kind };
  }
}

/** Returns the name of an activation function, with all parameters; {@link parseActivation} reads it back exactly. */
export function activationName(activation: Activation): string {
  switch (activation.kind) {
    case 'leakyRelu':
      return `leakyRelu:${activation.slope}`;
    case 'elu':
      return `elu:${activation.alpha}`;
    case 'selu':
      return `selu:${activation.alpha}:${activation.gamma}`;
    case 'gelu':
      return `gelu:${activation.form}`;
    default:
      return activation.kind;
  }
}

/** The parameters given, the defaults behind them; as many numbers as there are defaults. */
function parseNumbers<Defaults extends readonly number[]>(
  text: string,
  parameters: readonly string[],
  defaults: readonly [...Defaults],
): { -readonly [K in keyof Defaults]: number } {
  const numbers = parameters.map((part) => (/^[-+.\deE]+$/.test(part) ? Number(part) : Number.NaN));
  if (numbers.length > defaults.length || !numbers.every(Number.isFinite))
    throw misuse(
      `Cannot use activation ${JSON.stringify(text)}: expected at most ${defaults.length} finite numbers behind the name`,
    );
  return defaults.map((value, index) => numbers[index] ?? value) as {
    -readonly [K in keyof Defaults]: number;
  };
}

function parseForm(text: string, [form = 'erf', ...rest]: readonly string[]): 'erf' | 'tanh' {
  if (rest.length > 0 || (form !== 'erf' && form !== 'tanh'))
    throw misuse(`Cannot use activation ${JSON.stringify(text)}: expected gelu, gelu:erf or gelu:tanh`);
  return form;
}
