/**
 * The example target, from nothing: draws digits, trains a network on them and keeps fresh ones to test it.
 */
import { type DrawnDigits, digitImageSize, drawDigits } from './draw-digits.ts';
import { encodeMlpOnnx } from './encode-mlp-onnx.ts';
import { type TrainedLayer, trainMlp } from './train-mlp.ts';

const trainingImageCount = 5000;
const testImageCount = 500;
const streams = { trainingImages: 1, testImages: 2, training: 3 } as const;

/** The example: a model and the images it was not trained on. */
export interface Example {
  readonly layers: readonly TrainedLayer[];
  /** An ONNX model that reads pixel/255, shape [batch, 144]. */
  readonly model: Uint8Array;
  readonly test: DrawnDigits;
}

/** Returns the example; the same bytes on every machine. Takes a few seconds. */
export function buildExample(): Example {
  const training = drawDigits(trainingImageCount, streams.trainingImages);
  const layers = trainMlp(
    Float64Array.from(training.images, (pixel) => pixel / 255),
    training.labels,
    {
      widths: [digitImageSize ** 2, 64, 32, 10],
      epochs: 12,
      batchSize: 32,
      learningRate: 0.05,
      momentum: 0.9,
      weightDecay: 1e-3,
      stream: streams.training,
    },
  );
  return { layers, model: encodeMlpOnnx(layers, 'tombola example'), test: exampleTestDigits() };
}

/** Returns the 500 test images of the example, which share no random number with the training images. */
export function exampleTestDigits(): DrawnDigits {
  return drawDigits(testImageCount, streams.testImages);
}
