/**
 * A ticket as a safetensors file for others, in two kinds. X is a layer's place in the `nn.Sequential` of torch-modules.ts.
 *
 *   torch        X.weight_orig F32, X.weight_mask BOOL, X.bias_orig F32, X.bias_mask BOOL, as torch.nn.utils.prune names them:
 *                the source's own numbers beside the mask
 *   safetensors  X.weight F32, X.bias F32: the numbers that are kept, 0 for all others
 *
 * `__metadata__` has the texts of export-metadata.ts and, as every file that PyTorch writes, `format: "pt"`. A torch file is loaded by
 *
 *     model = nn.Sequential(…)                  # the text `torch` of the metadata; `tombola export` prints it
 *     for layer in model:
 *         if hasattr(layer, "weight"):
 *             prune.identity(prune.identity(layer, "weight"), "bias")
 *     model.load_state_dict(load_file("ticket-torch.safetensors"))
 *
 * with `from torch import nn`, `from torch.nn.utils import prune` and `from safetensors.torch import load_file`. A plain file is
 * loaded by the first and the last of these lines. In the form `full` the outputs are `model(x)[:, columns]`, with the columns of the text `tombola_outputs`.
 */
import { safetensorsStart } from '../format/safetensors.ts';
import type { ExportLayer, ExportNetwork } from './export-layers.ts';
import { booleanRows, float32Rows, storedStream, type TensorStream } from './tensor-stream.ts';
import { torchSequential } from './torch-modules.ts';

/** Returns the bytes of the file in order; each chunk may be overwritten when the next is asked for. */
export function* exportSafetensors(
  network: ExportNetwork,
  kind: 'torch' | 'safetensors',
  metadata: ReadonlyMap<string, string>,
): Generator<Uint8Array> {
  const { line, indices } = torchSequential(network);
  const tensors = new Map<string, TensorStream>();
  network.layers.forEach((layer, index) => {
    const streams = kind === 'torch' ? maskedStreams(layer) : plainStreams(layer);
    for (const [part, stream] of Object.entries(streams)) tensors.set(`${indices[index]}.${part}`, stream);
  });
  const texts = new Map([['format', 'pt'], ...metadata, ['torch', line]]);
  const { start, order } = safetensorsStart(tensors, texts);
  yield start;
  for (const name of order) yield* tensors.get(name)?.chunks() ?? [];
}

function maskedStreams(layer: ExportLayer): Readonly<Record<string, TensorStream>> {
  const { shape, bias, biasMask } = layer;
  return {
    weight_orig: float32Rows(shape, layer.weights),
    weight_mask: booleanRows(shape, layer.mask),
    bias_orig: storedStream('F32', [bias.length], bias),
    bias_mask: storedStream('BOOL', [bias.length], biasMask),
  };
}

function plainStreams(layer: ExportLayer): Readonly<Record<string, TensorStream>> {
  const { shape, bias, biasMask } = layer;
  const kept = bias.map((value, row) => (biasMask[row] === 1 ? value : 0));
  return { weight: float32Rows(shape, layer.keptWeights), bias: storedStream('F32', [bias.length], kept) };
}
