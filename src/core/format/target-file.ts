/**
 * The one door for target networks: finds the format of a file and returns a checked network.
 *
 *   .onnx            an ONNX model (onnx/import-onnx.ts), external data in files beside it
 *   .pt .pth         a PyTorch state dict (pytorch.ts, state-dict.ts)
 *   .safetensors     our network file, or plain weights with <stem>.json beside it (import-safetensors.ts)
 *
 * The contents decide where they have a magic number (zip, legacy PyTorch, safetensors); ONNX has none, so its name decides.
 */
import { failure, inFile, misuse } from '../errors.ts';
import type { Activation } from '../network/activation.ts';
import type { Network } from '../network/network.ts';
import { checkNetwork } from './checked-network.ts';
import { importSafetensors } from './import-safetensors.ts';
import { importOnnx } from './onnx/import-onnx.ts';
import { isPytorch, readPytorch } from './pytorch.ts';
import { isSafetensors } from './safetensors.ts';
import { importStateDict } from './state-dict.ts';
import { decodeUtf8 } from './utf8.ts';

/** A target's file and what belongs to it. */
export interface TargetFile {
  /** File name; its ending counts. */
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Returns the bytes of a file in the same folder, or undefined if there is none. */
  readonly readSibling: (name: string) => Uint8Array | undefined;
  /** The hidden activation, for formats that do not hold it (PyTorch). */
  readonly activation?: Activation | undefined;
}

/**
 * Returns the network of a target file: its parts fit and every number is finite.
 * @throws TombolaError when the file is of no known format, is damaged, or holds what is not supported; the message ends in
 * the file's name.
 */
export function importTarget(file: TargetFile): Network {
  return inFile(file.name, () => checkNetwork(importByFormat(file)));
}

function importByFormat(file: TargetFile): Network {
  const { bytes, name, activation } = file;
  const ending = /\.[^./\\]*$/.exec(name)?.[0].toLowerCase();
  if (bytes.length === 0) throw failure('Cannot import target: the file is empty');
  const isStateDict =
    ending === '.pt' ||
    ending === '.pth' ||
    (ending !== '.onnx' && ending !== '.safetensors' && isPytorch(bytes));
  if (isStateDict) return importStateDict(readPytorch(bytes), { activation });
  const network = importDescribed(file, ending);
  if (activation !== undefined)
    throw misuse(
      'Cannot use --activation for this target: its own are in its file, expected none; leave it out',
    );
  return network;
}

/** Imports a file that says what is computed with its weights. */
function importDescribed(file: TargetFile, ending: string | undefined): Network {
  const { bytes } = file;
  if (ending === '.onnx') return importOnnx(bytes, (sibling) => demandSibling(file, sibling));
  if (ending === '.safetensors' || isSafetensors(bytes))
    return importSafetensors(bytes, readDescription(file));
  throw failure(
    'Cannot import target: unknown format, expected .onnx, .pt or .pth (a PyTorch state dict) or .safetensors',
  );
}

function demandSibling({ readSibling }: TargetFile, sibling: string): Uint8Array {
  const bytes = readSibling(sibling);
  if (bytes === undefined)
    throw misuse(`Cannot import target: its data file ${sibling} is missing, expected it beside the target`);
  return bytes;
}

function readDescription({ name, readSibling }: TargetFile): string | undefined {
  const sibling = `${name.replace(/\.[^./\\]*$/, '')}.json`;
  const bytes = readSibling(sibling);
  if (bytes === undefined) return undefined;
  const text = decodeUtf8(bytes);
  if (text === undefined) throw failure(`Cannot read ${sibling}: it is no UTF-8`);
  return text;
}
