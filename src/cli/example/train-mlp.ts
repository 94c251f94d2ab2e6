/**
 * Trains a small fully connected ReLU network by stochastic gradient descent with momentum on the cross-entropy, in float64.
 * Additions, multiplications, divisions and square roots only, so every machine gets the same weights, bit for bit.
 */
import { uniformNumbers } from './draw-digits.ts';

/** One layer: z = weights · x + bias. */
export interface TrainedLayer {
  readonly inputs: number;
  readonly outputs: number;
  /** Shape [outputs, inputs]. */
  readonly weights: Float64Array;
  /** Shape [outputs]. */
  readonly bias: Float64Array;
}

/** How to train. */
export interface TrainingOptions {
  /** Widths from the input to the output. */
  readonly widths: readonly number[];
  readonly epochs: number;
  readonly batchSize: number;
  /** At the start; it falls linearly to 0. */
  readonly learningRate: number;
  readonly momentum: number;
  /** Share of a weight taken off per unit of learning rate. */
  readonly weightDecay: number;
  /** Stream of the first weights and of the order of the examples. */
  readonly stream: number;
}

interface LayerState extends TrainedLayer {
  readonly input: Float64Array;
  /** Derivative of the loss by the layer's input. */
  readonly inputSlope: Float64Array;
  readonly weightStep: Float64Array;
  readonly biasStep: Float64Array;
}

/** Returns the layers trained on inputs [count, widths[0]] and labels [count]; ReLU between layers, none after the last. */
export function trainMlp(inputs: Float64Array, labels: Uint8Array, options: TrainingOptions): TrainedLayer[] {
  const random = uniformNumbers(options.stream);
  const layers = options.widths
    .slice(1)
    .map((outputs, i) => newLayer(options.widths[i] ?? 0, outputs, random));
  const order = Int32Array.from(labels, (_, i) => i);
  const stepCount = options.epochs * Math.ceil(labels.length / options.batchSize);
  let step = 0;
  for (let epoch = 0; epoch < options.epochs; epoch++) {
    shuffle(order, random);
    for (let start = 0; start < order.length; start += options.batchSize) {
      const batch = order.subarray(start, start + options.batchSize);
      for (const example of batch) addGradient(layers, inputs, example, labels[example] ?? 0);
      const rate = options.learningRate * (1 - step++ / stepCount);
      for (const layer of layers)
        descend(layer, rate / batch.length, { ...options, batchCount: batch.length });
    }
  }
  return layers.map(({ inputs: width, outputs, weights, bias }) => ({
    inputs: width,
    outputs,
    weights,
    bias,
  }));
}

/** Uniform weights of variance 2/inputs (He et al. 2015), biases 0. */
function newLayer(
  inputs: number,
  outputs: number,
  random: (low: number, high: number) => number,
): LayerState {
  const limit = Math.sqrt(6 / inputs);
  return {
    inputs,
    outputs,
    weights: Float64Array.from({ length: inputs * outputs }, () => random(-limit, limit)),
    bias: new Float64Array(outputs),
    input: new Float64Array(inputs),
    inputSlope: new Float64Array(inputs),
    weightStep: new Float64Array(inputs * outputs),
    biasStep: new Float64Array(outputs),
  };
}

function shuffle(order: Int32Array, random: (low: number, high: number) => number): void {
  for (let i = order.length - 1; i > 0; i--) {
    const other = Math.floor(random(0, i + 1));
    const kept = order[i] as number;
    order[i] = order[other] as number;
    order[other] = kept;
  }
}

/** Adds one example's negative gradient to the layers' steps. */
function addGradient(
  layers: readonly LayerState[],
  inputs: Float64Array,
  example: number,
  label: number,
): void {
  let values = inputs.subarray(example * (layers[0]?.inputs ?? 0));
  for (const layer of layers) {
    for (let i = 0; i < layer.inputs; i++) layer.input[i] = values[i] as number;
    values = layerOutput(layer, layer.input);
    if (layer !== layers.at(-1))
      for (let i = 0; i < values.length; i++) values[i] = Math.max(0, values[i] as number);
  }
  let slope = softmax(values);
  slope[label] = (slope[label] as number) - 1;
  for (const layer of layers.toReversed()) {
    addLayerGradient(layer, slope);
    slope = layer.inputSlope;
  }
}

function layerOutput({ weights, bias, inputs, outputs }: TrainedLayer, input: Float64Array): Float64Array {
  const result = bias.slice();
  for (let output = 0; output < outputs; output++) {
    let sum = 0;
    const row = output * inputs;
    for (let i = 0; i < inputs; i++) sum += (weights[row + i] as number) * (input[i] as number);
    result[output] = (result[output] as number) + sum;
  }
  return result;
}

/** Subtracts slope · input from the step, and writes the derivative by the input; it is 0 where the ReLU before was 0. */
function addLayerGradient(layer: LayerState, slope: Float64Array): void {
  const { input, inputSlope, weights, weightStep, inputs } = layer;
  inputSlope.fill(0);
  for (let output = 0; output < layer.outputs; output++) {
    const change = slope[output] as number;
    if (change === 0) continue;
    const row = output * inputs;
    layer.biasStep[output] = (layer.biasStep[output] as number) - change;
    for (let i = 0; i < inputs; i++) {
      if (input[i] === 0) continue;
      weightStep[row + i] = (weightStep[row + i] as number) - change * (input[i] as number);
      inputSlope[i] = (inputSlope[i] as number) + change * (weights[row + i] as number);
    }
  }
}

/** Moves the parameters by rate · step; the step, in units of one example's gradient, decays by the momentum. */
function descend(
  layer: LayerState,
  rate: number,
  options: Pick<TrainingOptions, 'momentum' | 'weightDecay'> & { readonly batchCount: number },
): void {
  const shrink = 1 - rate * options.batchCount * options.weightDecay;
  for (let i = 0; i < layer.weights.length; i++) {
    layer.weights[i] = (layer.weights[i] as number) * shrink + rate * (layer.weightStep[i] as number);
    layer.weightStep[i] = (layer.weightStep[i] as number) * options.momentum;
  }
  for (let i = 0; i < layer.bias.length; i++) {
    layer.bias[i] = (layer.bias[i] as number) + rate * (layer.biasStep[i] as number);
    layer.biasStep[i] = (layer.biasStep[i] as number) * options.momentum;
  }
}

function softmax(logits: Float64Array): Float64Array {
  const largest = logits.reduce((most, z) => Math.max(most, z), Number.NEGATIVE_INFINITY);
  const exponentials = logits.map((z) => exponential(Math.max(-30, z - largest)));
  const sum = exponentials.reduce((total, value) => total + value, 0);
  return exponentials.map((value) => value / sum);
}

/**
 * Returns e^x for −30 ≤ x ≤ 0 to 1e-5 of itself: the Taylor polynomial of degree 4 at x/256, squared eight times. Engines
 * differ in the last bits of Math.exp, not in products.
 */
function exponential(x: number): number {
  const y = x / 256;
  let value = 1 + y * (1 + (y / 2) * (1 + (y / 3) * (1 + y / 4)));
  for (let i = 0; i < 8; i++) value *= value;
  return value;
}
