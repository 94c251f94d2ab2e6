/**
 * Our own network file: a safetensors file (safetensors.ts) with a description of the network in its metadata.
 *
 *   tensors    layer.<i>.weights   F64, [outputs, inputs] or [outputs, inputs, kernel height, kernel width]
 *              layer.<i>.bias      F64, [outputs]                                    i from 0, nothing else
 *   metadata   network             JSON with sorted keys and without spaces:
 *     {"inputShape": [784], "inputSteps": [<step>…], "layers": [{"name": "fc1", "linear": <linear>, "steps": [<step>…]}…]}
 *     linear: {"kind": "dense", "outputs": 300, "inputs": 784}
 *          or {"kind": "convolution", "outputs", "inputs", "kernel", "strides", "dilations", "padding"}
 *     step:   as in network.ts, for example {"kind": "activation", "activation": {"kind": "relu"}}
 *
 * Equal networks give equal bytes. The digest of a network is the SHA-256 of the file it would be without names, after what
 * does not change its function has been taken out: names, the sign of zeros, identity activations, and flatten steps that
 * only reshape (in front of everything, where the input shape becomes flat; and on flat tensors). So one set of weights has
 * one digest, from whatever format it came.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { z } from 'zod';
import { failure } from '../errors.ts';
import type { Layer, Linear, Network, Step } from '../network/network.ts';
import { elementCount, networkShapes, type Shape, stepShape } from '../network/shapes.ts';
import { checkNetwork } from './checked-network.ts';
import { canonicalJson } from './json.ts';
import {
  inputShapeSchema,
  layersSchema,
  paddingSchema,
  pairSchema,
  parseDescription,
  sizeSchema,
  stepSchema,
} from './network-schema.ts';
import { readSafetensors, type SafetensorsFile, writeSafetensors } from './safetensors.ts';
import { float64Tensor, type Tensor, toFloat64Array } from './tensor.ts';

/** The metadata key under which a network file has its description. */
export const networkMetadataKey = 'network';

const linearSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('dense'), outputs: sizeSchema, inputs: sizeSchema }),
  z.strictObject({
    kind: z.literal('convolution'),
    outputs: sizeSchema,
    inputs: sizeSchema,
    kernel: pairSchema,
    strides: pairSchema,
    dilations: pairSchema,
    padding: paddingSchema,
  }),
]);

const networkSchema = z.strictObject({
  inputShape: inputShapeSchema,
  inputSteps: z.array(stepSchema),
  layers: layersSchema(
    z.strictObject({ name: z.string(), linear: linearSchema, steps: z.array(stepSchema) }),
  ),
});

/** Returns the bytes of the network file. */
export function encodeNetwork(network: Network): Uint8Array {
  const tensors = new Map<string, Tensor>();
  for (const [index, { linear }] of network.layers.entries()) {
    tensors.set(`layer.${index}.weights`, float64Tensor(weightShape(linear), linear.weights));
    tensors.set(`layer.${index}.bias`, float64Tensor([linear.outputs], linear.bias));
  }
  const description = {
    inputShape: network.inputShape,
    inputSteps: network.inputSteps,
    layers: network.layers.map(({ name, linear, steps }) => ({
      name,
      linear: describeLinear(linear),
      steps,
    })),
  };
  return writeSafetensors(tensors, new Map([[networkMetadataKey, canonicalJson(description)]]));
}

/**
 * Returns the network of a network file.
 * @throws TombolaError (failure) when the file is damaged, or description and tensors do not fit.
 */
export function decodeNetwork(bytes: Uint8Array): Network {
  return networkOfFile(readSafetensors(bytes));
}

/**
 * Returns the network of a network file that has been read already.
 * @throws TombolaError (failure) when description and tensors do not fit.
 */
export function networkOfFile({ metadata, tensors }: SafetensorsFile): Network {
  const text = metadata.get(networkMetadataKey);
  if (text === undefined) throw failure('Cannot read network file: its metadata has no network');
  const { inputShape, inputSteps, layers } = parseDescription(networkSchema, text, 'network file');
  if (tensors.size !== 2 * layers.length)
    throw failure(
      `Cannot read network file: ${tensors.size} tensors, expected ${2 * layers.length}: weights and bias per layer`,
    );
  const whole = layers.map(({ name, linear, steps }, index): Layer => {
    const weights = readValues(tensors, `layer.${index}.weights`, weightShape(linear));
    const bias = readValues(tensors, `layer.${index}.bias`, [linear.outputs]);
    return { name, linear: { ...linear, weights, bias }, steps };
  });
  return checkNetwork({ inputShape, inputSteps, layers: whole });
}

/** Returns the hex SHA-256 of what the network computes: see the header. */
export function networkDigest(network: Network): string {
  return bytesToHex(sha256(encodeNetwork(withoutIdleParts(network))));
}

type LinearShape = Pick<Linear, 'kind' | 'outputs' | 'inputs'> & {
  readonly kernel?: readonly [number, number];
};

function weightShape({ outputs, inputs, kernel }: LinearShape): readonly number[] {
  return [outputs, inputs, ...(kernel ?? [])];
}

function describeLinear({ weights: _weights, bias: _bias, ...description }: Linear) {
  return description;
}

function readValues(
  tensors: ReadonlyMap<string, Tensor>,
  name: string,
  shape: readonly number[],
): Float64Array {
  const tensor = tensors.get(name);
  if (tensor === undefined || tensor.dtype !== 'F64' || tensor.shape.join() !== shape.join())
    throw failure(
      `Cannot read network file: tensor ${name} is ${tensor === undefined ? 'missing' : `${tensor.dtype} [${tensor.shape.join(', ')}]`}, expected F64 [${shape.join(', ')}]`,
    );
  return toFloat64Array(tensor);
}

function withoutIdleParts(network: Network): Network {
  const shapes = networkShapes(network);
  const startsFlat = network.inputSteps[0]?.kind === 'flatten';
  const inputShape = startsFlat ? [elementCount(network.inputShape)] : network.inputShape;
  return {
    inputShape,
    inputSteps: withoutIdleSteps(network.inputSteps, inputShape),
    layers: network.layers.map(({ linear, steps }, index) => ({
      name: '',
      linear: {
        ...linear,
        weights: withoutSignedZeros(linear.weights),
        bias: withoutSignedZeros(linear.bias),
      },
      steps: withoutIdleSteps(steps, shapes.layers[index]?.linear ?? []),
    })),
  };
}

function withoutIdleSteps(steps: readonly Step[], shape: Shape): readonly Step[] {
  const kept: Step[] = [];
  let current = shape;
  for (const step of steps) {
    const isIdle =
      (step.kind === 'flatten' && current.length === 1) ||
      (step.kind === 'activation' && step.activation.kind === 'identity');
    if (!isIdle) kept.push(step);
    current = stepShape(current, step, 'the network');
  }
  return kept;
}

/** −0 + 0 is +0; every other number stays. */
function withoutSignedZeros(values: Float64Array): Float64Array {
  return values.map((value) => value + 0);
}
