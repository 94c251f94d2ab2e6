/**
 * Reads a target file from disk.
 */
import { basename } from 'node:path';
import { networkDigest } from '../core/format/network-file.ts';
import { importTarget } from '../core/format/target-file.ts';
import type { Activation } from '../core/network/activation.ts';
import type { Network } from '../core/network/network.ts';
import { readInputFile, readSiblingOf } from './read-input-file.ts';

/** A target with its digest. */
export interface LoadedTarget {
  readonly path: string;
  /** File name without its ending. */
  readonly name: string;
  readonly network: Network;
  /** Digest of what the network computes (format/network-file.ts). */
  readonly sha256: string;
}

/**
 * Returns the target of a file.
 * @throws TombolaError when it cannot be read or imported.
 */
export function loadTarget(path: string, activation: Activation | undefined): LoadedTarget {
  const name = basename(path);
  const bytes = readInputFile(path, 'target');
  const network = importTarget({ name, bytes, readSibling: readSiblingOf(path), activation });
  return { path, name: name.replace(/\.[^.]*$/, ''), network, sha256: networkDigest(network) };
}

/** Returns the number of parameters that are not 0. */
export function nonzeroParameterCount(network: Network): number {
  return network.layers.reduce(
    (sum, { linear }) => sum + countNonzero(linear.weights) + countNonzero(linear.bias),
    0,
  );
}

function countNonzero(values: Float64Array): number {
  return values.reduce((count, value) => count + (value === 0 ? 0 : 1), 0);
}
