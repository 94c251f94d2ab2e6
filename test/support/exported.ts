/** A ticket's exports as bytes, and what they must compute. */
import { createHash } from 'node:crypto';
import { type ExportForm, exportNetwork } from '../../src/core/export/export-layers.ts';
import { exportMetadata } from '../../src/core/export/export-metadata.ts';
import { exportNpz } from '../../src/core/export/export-npz.ts';
import { exportOnnx } from '../../src/core/export/export-onnx.ts';
import { exportSafetensors } from '../../src/core/export/export-safetensors.ts';
import { encodeTicket } from '../../src/core/format/ticket-file.ts';
import type { Network } from '../../src/core/network/network.ts';
import { elementCount } from '../../src/core/network/shapes.ts';
import { materialise } from '../../src/core/ticket/materialise.ts';
import { sparseForward } from '../../src/core/ticket/sparse-forward.ts';
import type { Ticket } from '../../src/core/ticket/ticket.ts';
import { randomNumbers } from './onnx-oracle.ts';

/** A ticket and its target. */
export interface Exported {
  readonly ticket: Ticket;
  readonly network: Network;
}

/** Returns the bytes of an export without external data. */
export function exportBytes(
  { ticket, network }: Exported,
  format: 'torch' | 'onnx' | 'npz' | 'safetensors',
  form: ExportForm = 'pruned',
): Uint8Array {
  const layers = exportNetwork(ticket, network, form);
  const metadata = exportMetadata(ticket, sha256(encodeTicket(ticket)), layers);
  if (format === 'onnx') return collect(exportOnnx(layers, { metadata, dataName: '' }).model);
  return collect(
    format === 'npz' ? exportNpz(layers, metadata) : exportSafetensors(layers, format, metadata),
  );
}

/** Returns the chunks in one; each may be overwritten by the next. */
export function collect(chunks: Iterable<Uint8Array>): Uint8Array {
  return Uint8Array.from(Buffer.concat(Array.from(chunks, (chunk) => chunk.slice())));
}

/** Returns the SHA-256 of bytes, hexadecimal. */
export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Returns inputs of the ticket's declared range, three for each call. */
export function inputsOf({ ticket, network }: Exported): Float32Array[] {
  const [low, high] = ticket.inputRange;
  return [11, 12, 13].map((seed) =>
    Float32Array.from(
      randomNumbers(elementCount(network.inputShape), seed),
      (value) => low + ((value + 1) / 2) * (high - low),
    ),
  );
}

/** Returns what the readable float64 pass of the ticket gives for each input. */
export function expectedOutputs(
  { ticket, network }: Exported,
  inputs: readonly Float32Array[],
): Float64Array[] {
  const sparse = materialise(ticket, network);
  return inputs.map((input) => sparseForward(sparse, Float64Array.from(input)));
}

/** Returns the largest |found − expected| in shares of the largest |expected|. */
export function relativeDifference(
  found: readonly ArrayLike<number>[],
  expected: readonly Float64Array[],
): number {
  let difference = 0;
  let size = 0;
  expected.forEach((values, index) => {
    if (found[index]?.length !== values.length) difference = Number.POSITIVE_INFINITY;
    values.forEach((value, k) => {
      difference = Math.max(difference, Math.abs((found[index]?.[k] ?? Number.NaN) - value));
      size = Math.max(size, Math.abs(value));
    });
  });
  return Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference / Math.max(size, 1e-9);
}
