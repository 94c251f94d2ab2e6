/**
 * A ticket as a PyTorch `nn.Sequential`: one line of Python, and the places of its layers in it. The names of the tensors in the
 * exported files are these places, so that `load_state_dict` finds them.
 */
import { failure } from '../errors.ts';
import { type Activation, seluDefaults } from '../network/activation.ts';
import type { Padding, PoolWindow, Step } from '../network/network.ts';
import type { ExportLayer, ExportNetwork } from './export-layers.ts';

/** The line of Python, and the index in it of each layer with parameters. */
export interface TorchSequential {
  readonly line: string;
  readonly indices: readonly number[];
}

/**
 * Returns the network as nn.Sequential.
 * @throws TombolaError (failure) when PyTorch has no module for a step.
 */
export function torchSequential(network: ExportNetwork): TorchSequential {
  const modules = network.inputSteps.flatMap(stepModules);
  const indices: number[] = [];
  for (const layer of network.layers) {
    const linear = linearModules(layer);
    indices.push(modules.length + linear.length - 1);
    modules.push(...linear, ...layer.steps.flatMap(stepModules));
  }
  return { line: `nn.Sequential(${modules.join(', ')})`, indices };
}

function linearModules({ kind, shape, kernel, strides, dilations, padding }: ExportLayer): string[] {
  const [rows = 0, inputs = 0] = shape;
  if (kind === 'dense') return [`nn.Linear(${inputs}, ${rows})`];
  const options = [
    `${inputs}, ${rows}, ${pair(kernel)}`,
    ...(isOnes(strides) ? [] : [`stride=${pair(strides)}`]),
    ...(isSymmetric(padding) && !isZero(padding) ? [`padding=${pair([padding[0], padding[1]])}`] : []),
    ...(isOnes(dilations) ? [] : [`dilation=${pair(dilations)}`]),
  ];
  return [...(isSymmetric(padding) ? [] : [padModule(padding, '0.0')]), `nn.Conv2d(${options.join(', ')})`];
}

function stepModules(step: Step): string[] {
  switch (step.kind) {
    case 'activation':
      return [activationModule(step.activation)];
    case 'flatten':
      return ['nn.Flatten()'];
    case 'globalAveragePool':
      return ['nn.AdaptiveAvgPool2d(1)'];
    case 'maxPool':
      return poolModules(`nn.MaxPool2d(${windowOf(step)})`, step.padding, "float('-inf')");
    case 'averagePool':
      if (step.countPadding || isZero(step.padding))
        return poolModules(`nn.AvgPool2d(${windowOf(step)})`, step.padding, '0.0');
      return [uncountedAverage(step)];
  }
}

/** PyTorch pads a pool by at most half its window and on both sides alike; a module of its own pads by anything. */
function poolModules(pool: string, padding: Padding, value: string): string[] {
  return isZero(padding) ? [pool] : [padModule(padding, value), pool];
}

function uncountedAverage(step: PoolWindow): string {
  const { padding, kernel } = step;
  if (!isSymmetric(padding) || padding[0] > kernel[0] / 2 || padding[1] > kernel[1] / 2)
    throw noModule(`average pooling with padding [${padding.join(', ')}] that does not count`);
  return `nn.AvgPool2d(${windowOf(step)}, padding=${pair([padding[0], padding[1]])}, count_include_pad=False)`;
}

function activationModule(activation: Activation): string {
  switch (activation.kind) {
    case 'identity':
      return 'nn.Identity()';
    case 'relu':
      return 'nn.ReLU()';
    case 'leakyRelu':
      return `nn.LeakyReLU(${activation.slope})`;
    case 'elu':
      return `nn.ELU(${activation.alpha})`;
    case 'selu':
      if (isNear(activation.alpha, seluDefaults.alpha) && isNear(activation.gamma, seluDefaults.gamma))
        return 'nn.SELU()';
      throw noModule(`SELU with alpha ${activation.alpha} and gamma ${activation.gamma}`);
    case 'tanh':
      return 'nn.Tanh()';
    case 'sigmoid':
      return 'nn.Sigmoid()';
    case 'softplus':
      return 'nn.Softplus()';
    case 'softsign':
      return 'nn.Softsign()';
    case 'gelu':
      return activation.form === 'erf' ? 'nn.GELU()' : "nn.GELU(approximate='tanh')";
    case 'hardSwish':
      return 'nn.Hardswish()';
    case 'mish':
      return 'nn.Mish()';
    case 'silu':
      return 'nn.SiLU()';
  }
}

function noModule(what: string): Error {
  return failure(
    `Cannot export to PyTorch: ${what}, expected a step that torch.nn has a module for; use --format onnx or npz`,
  );
}

/** [left, right, top, bottom], as PyTorch orders it. */
function padModule([top, left, bottom, right]: Padding, value: string): string {
  return `nn.ConstantPad2d((${left}, ${right}, ${top}, ${bottom}), ${value})`;
}

function windowOf({ kernel, strides }: PoolWindow): string {
  return `${pair(kernel)}, stride=${pair(strides)}`;
}

function pair([height, width]: readonly [number, number]): string {
  return height === width ? String(height) : `(${height}, ${width})`;
}

function isOnes(values: readonly number[]): boolean {
  return values.every((value) => value === 1);
}

function isZero(padding: Padding): boolean {
  return padding.every((size) => size === 0);
}

function isSymmetric([top, left, bottom, right]: Padding): boolean {
  return top === bottom && left === right;
}

function isNear(a: number, b: number): boolean {
  return Math.abs(a - b) < 1e-6;
}
