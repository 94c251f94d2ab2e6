/**
 * Networks from safetensors files: our own network file (network-file.ts), or plain weights with a description beside them.
 *
 * The description is JSON; tensors are named as in the file, defaults stand in brackets:
 *
 *   {"inputShape": [1, 28, 28],
 *    "inputSteps": [<step>…],                                                                  ([])
 *    "layers": [
 *      {"kind": "convolution", "weights": "conv1.weight", "bias": "conv1.bias", "strides": [1, 1], "dilations": [1, 1],
 *       "padding": [0, 0, 0, 0], "steps": ["relu", {"kind": "maxPool", "kernel": [2, 2], "strides": [2, 2], "padding": [0, 0, 0, 0]}, "flatten"]},
 *      {"kind": "dense", "weights": "fc1.weight", "bias": "fc1.bias", "name": "fc1", "steps": ["leakyRelu:0.01"]}]}
 *
 *   weights   dense: [out, in]; convolution: [out, in, height, width], one group
 *   bias      [out] (left out: zero)
 *   padding   [top, left, bottom, right] (no padding); strides, dilations ([1, 1])
 *   name      for messages (the name of the weights without `.weight`)
 *   steps     ([]) in order: the name of an activation (network/activation-name.ts), "flatten", "globalAveragePool",
 *             {"kind": "maxPool", "kernel", "strides", "padding"} or {"kind": "averagePool", "countPadding", "kernel", "strides", "padding"}
 *
 * Of pruned layers `X_orig` · `X_mask` is read where X is named (torch.nn.utils.prune). A tensor that no layer names is refused.
 */
import { z } from 'zod';
import { failure, misuse } from '../errors.ts';
import { parseActivation } from '../network/activation-name.ts';
import type { Layer, Linear, Network, Step } from '../network/network.ts';
import { checkNetwork } from './checked-network.ts';
import { networkMetadataKey, networkOfFile } from './network-file.ts';
import {
  inputShapeSchema,
  layersSchema,
  paddingSchema,
  pairSchema,
  parseDescription,
  plainStepSchema,
} from './network-schema.ts';
import { readSafetensors } from './safetensors.ts';
import { readParameter } from './state-dict.ts';
import type { Tensor } from './tensor.ts';

const stepsSchema = z.array(z.union([z.string(), plainStepSchema])).default([]);

const layerFields = {
  name: z.string().optional(),
  weights: z.string(),
  bias: z.string().optional(),
  steps: stepsSchema,
};

const layerSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('dense'), ...layerFields }),
  z.strictObject({
    kind: z.literal('convolution'),
    ...layerFields,
    strides: pairSchema.default([1, 1]),
    dilations: pairSchema.default([1, 1]),
    padding: paddingSchema.default([0, 0, 0, 0]),
  }),
]);

const descriptionSchema = z.strictObject({
  inputShape: inputShapeSchema,
  inputSteps: stepsSchema,
  layers: layersSchema(layerSchema),
});

type LayerDescription = z.output<typeof layerSchema>;

/**
 * Returns the network of a safetensors file. `descriptionJson` is needed unless it is a network file of ours.
 * @throws TombolaError (misuse) when the description is missing; (failure) when file or description are damaged or do not fit.
 */
export function importSafetensors(bytes: Uint8Array, descriptionJson?: string): Network {
  const file = readSafetensors(bytes);
  if (file.metadata.has(networkMetadataKey)) return networkOfFile(file);
  if (descriptionJson === undefined)
    throw misuse(
      'Cannot import plain safetensors weights: they do not say what is computed with them, expected a description <name>.json beside the file; or export the model to ONNX',
    );
  const description = parseDescription(
    descriptionSchema,
    descriptionJson,
    'description of the safetensors file',
  );
  checkAllNamed(file.tensors, description.layers);
  return checkNetwork({
    inputShape: description.inputShape,
    inputSteps: description.inputSteps.map(toStep),
    layers: description.layers.map((layer) => toLayer(file.tensors, layer)),
  });
}

function toStep(step: string | z.output<typeof plainStepSchema>): Step {
  if (typeof step !== 'string') return step;
  if (step === 'flatten' || step === 'globalAveragePool') return { kind: step };
  return { kind: 'activation', activation: parseActivation(step) };
}

function toLayer(tensors: ReadonlyMap<string, Tensor>, description: LayerDescription): Layer {
  const name = description.name ?? description.weights.replace(/\.weight$/, '');
  return { name, linear: toLinear(tensors, description, name), steps: description.steps.map(toStep) };
}

function toLinear(tensors: ReadonlyMap<string, Tensor>, description: LayerDescription, name: string): Linear {
  const { shape, values: weights } = demand(tensors, description.weights, name);
  const [outputs = 0, inputs = 0, height = 0, width = 0] = shape;
  const rank = description.kind === 'dense' ? 2 : 4;
  if (shape.length !== rank || shape.includes(0))
    throw failure(
      `Cannot import layer ${name}: weights of shape [${shape.join(', ')}], expected ${rank} dimensions for a ${description.kind} layer`,
    );
  const bias = description.bias === undefined ? undefined : demand(tensors, description.bias, name);
  if (bias !== undefined && (bias.shape.length !== 1 || bias.shape[0] !== outputs))
    throw failure(
      `Cannot import layer ${name}: a bias of shape [${bias.shape.join(', ')}], expected [${outputs}]`,
    );
  const shared = { outputs, inputs, weights, bias: bias?.values ?? new Float64Array(outputs) };
  if (description.kind === 'dense') return { kind: 'dense', ...shared };
  const { strides, dilations, padding } = description;
  return { kind: 'convolution', ...shared, kernel: [height, width], strides, dilations, padding };
}

function demand(tensors: ReadonlyMap<string, Tensor>, tensorName: string, layerName: string) {
  const parameter = readParameter(tensors, tensorName);
  if (parameter === undefined)
    throw failure(
      `Cannot import layer ${layerName}: there is no tensor ${tensorName}, expected one of ${[...tensors.keys()].slice(0, 20).join(', ')}`,
    );
  return parameter;
}

/** A tensor that nobody names is most likely a layer that the description forgot. */
function checkAllNamed(tensors: ReadonlyMap<string, Tensor>, layers: readonly LayerDescription[]): void {
  const named = new Set(layers.flatMap(({ weights, bias }) => [weights, bias]));
  for (const name of tensors.keys())
    if (!named.has(name) && !named.has(name.replace(/_(orig|mask)$/, '')))
      throw failure(`Cannot import safetensors file: no layer of its description names tensor ${name}`);
}
