/**
 * NumPy's archive .npz: a zip archive (stored or deflated) with one `<name>.npy` per array. Nothing else may be in it.
 */
import { failure } from '../errors.ts';
import { readNpy } from './npy.ts';
import type { Tensor } from './tensor.ts';
import { readZip, unpackEntry } from './zip.ts';

/**
 * Returns the arrays of an .npz archive by name, in the order of the archive. `wanted` says which to unpack; default: all.
 * @throws TombolaError (failure) when the archive or an array is damaged, or an array does not hold numbers.
 */
export function readNpz(
  bytes: Uint8Array,
  wanted: (name: string) => boolean = () => true,
): ReadonlyMap<string, Tensor> {
  const archive = readZip(bytes);
  const arrays = new Map<string, Tensor>();
  for (const entry of archive.entries.values()) {
    if (!entry.name.endsWith('.npy'))
      throw failure(`Cannot read .npz archive: it holds ${entry.name}, expected only .npy arrays`);
    const name = entry.name.slice(0, -'.npy'.length);
    if (wanted(name)) arrays.set(name, readNpy(unpackEntry(archive, entry), `array ${name}`));
  }
  return arrays;
}
