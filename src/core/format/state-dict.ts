/**
 * A multilayer perceptron from the tensors of a PyTorch state dict.
 *
 * A state dict names weights, not what is computed with them. What is read here: linear layers `X.weight` [out, in] with
 * `X.bias` [out] (without it, zero), in the order in which they stand in the file, each reading what the one before gives;
 * of a pruned layer (torch.nn.utils.prune) `X.weight_orig` · `X.weight_mask`, the same for the bias. The activation between
 * the layers is not in the file, so it is an argument; behind the last layer there is none.
 * Everything else (convolutions, normalisation) is refused: an ONNX export holds the computation too.
 */
import { failure, misuse } from '../errors.ts';
import type { Activation } from '../network/activation.ts';
import type { Layer, Network } from '../network/network.ts';
import { type Tensor, toFloat64Array } from './tensor.ts';

/** Numbers with their shape. */
export interface Parameter {
  readonly shape: readonly number[];
  readonly values: Float64Array;
}

/**
 * Returns the network of a state dict; inputShape is [in], and each layer is named by its prefix.
 * @throws TombolaError (misuse) without an activation for more than one layer; (failure) when it is no plain MLP.
 */
export function importStateDict(
  tensors: ReadonlyMap<string, Tensor>,
  { activation }: { readonly activation?: Activation | undefined } = {},
): Network {
  const prefixes = findLayers(tensors);
  if (prefixes.length > 1 && activation === undefined)
    throw misuse(
      `Cannot import a state dict of ${prefixes.length} layers without their activation: it is not in the file; give it, for example --activation relu`,
    );
  const steps =
    activation === undefined || activation.kind === 'identity'
      ? []
      : [{ kind: 'activation', activation } as const];
  const layers = prefixes.map((prefix, index) => ({
    ...readLinear(tensors, prefix),
    steps: index + 1 < prefixes.length ? steps : [],
  }));
  checkChain(layers);
  return { inputShape: [layers[0]?.linear.inputs ?? 0], inputSteps: [], layers };
}

/**
 * Returns the parameter of a name, `name_orig` · `name_mask` if it was pruned, or undefined if there is none.
 * @throws TombolaError (failure) when a mask is missing or has another shape.
 */
export function readParameter(tensors: ReadonlyMap<string, Tensor>, name: string): Parameter | undefined {
  const whole = tensors.get(name);
  if (whole !== undefined) return { shape: whole.shape, values: toFloat64Array(whole) };
  const original = tensors.get(`${name}_orig`);
  const mask = tensors.get(`${name}_mask`);
  if (original === undefined && mask === undefined) return undefined;
  if (original === undefined || mask === undefined)
    throw failure(
      `Cannot import ${name}: of ${name}_orig and ${name}_mask only one is in the file, expected both`,
    );
  if (original.shape.join() !== mask.shape.join())
    throw failure(
      `Cannot import ${name}: its mask has shape [${mask.shape.join(', ')}], expected [${original.shape.join(', ')}]`,
    );
  const keep = toFloat64Array(mask);
  const values = toFloat64Array(original).map((value, index) => value * (keep[index] ?? 0));
  return { shape: original.shape, values };
}

const parameterName = /^(?:(.*)\.)?(weight|bias)(?:_orig|_mask)?$/s;

function findLayers(tensors: ReadonlyMap<string, Tensor>): readonly string[] {
  const prefixes = new Set<string>();
  for (const [name, tensor] of tensors) {
    const [, prefix = '', role] = parameterName.exec(name) ?? [];
    if (role === undefined)
      throw failure(
        `Cannot import tensor ${name} of a state dict: expected only weights and biases of linear layers; export the model to ONNX`,
      );
    if (role === 'weight' && tensor.shape.length !== 2)
      throw failure(
        `Cannot import tensor ${name} of a state dict: shape [${tensor.shape.join(', ')}], expected [out, in] of a linear layer; export the model to ONNX`,
      );
    prefixes.add(prefix);
  }
  if (prefixes.size === 0)
    throw failure('Cannot import a state dict: it holds no weights; save model.state_dict()');
  return [...prefixes];
}

function readLinear(
  tensors: ReadonlyMap<string, Tensor>,
  prefix: string,
): Pick<Layer, 'name'> & { linear: Extract<Layer['linear'], { kind: 'dense' }> } {
  const name = prefix === '' ? 'linear' : prefix;
  const inner = prefix === '' ? '' : `${prefix}.`;
  const weights = readParameter(tensors, `${inner}weight`);
  const bias = readParameter(tensors, `${inner}bias`);
  const [outputs, inputs] = weights?.shape ?? [];
  if (weights === undefined || outputs === undefined || inputs === undefined)
    throw failure(`Cannot import layer ${name} of a state dict: it has a bias but no weights`);
  if (outputs === 0 || inputs === 0)
    throw failure(`Cannot import layer ${name} of a state dict: it has no weights`);
  if (bias !== undefined && (bias.shape.length !== 1 || bias.shape[0] !== outputs))
    throw failure(
      `Cannot import layer ${name} of a state dict: a bias of shape [${bias.shape.join(', ')}], expected [${outputs}]`,
    );
  const linear = {
    kind: 'dense',
    outputs,
    inputs,
    weights: weights.values,
    bias: bias?.values ?? new Float64Array(outputs),
  } as const;
  return { name, linear };
}

function checkChain(layers: readonly ReturnType<typeof readLinear>[]): void {
  for (const [index, { name, linear }] of layers.entries()) {
    const before = layers[index - 1];
    if (before !== undefined && before.linear.outputs !== linear.inputs)
      throw failure(
        `Cannot import layer ${name} of a state dict: it reads ${linear.inputs} features, but ${before.name} before it gives ${before.linear.outputs}; export the model to ONNX`,
      );
  }
}
