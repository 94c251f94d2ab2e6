/**
 * A ticket as a NumPy archive .npz, for `np.load`. λ is the 1-based source layer:
 *
 *   source.λ.rows         int32 [rows]                    the row of the source that each row is
 *   source.λ.weight       float32 [rows, inputs] or [rows, channels, height, width]   the source's numbers, pruned ones too
 *   source.λ.weight_mask  bool, of the same shape         which of them are kept
 *   source.λ.bias         float32 [rows];  source.λ.bias_mask  bool [rows]
 *   metadata              uint8: JSON of the texts of export-metadata.ts: `json.loads(archive["metadata"].tobytes())`
 *
 * A layer computes `(weight * weight_mask) @ x + bias * bias_mask`. The archive is stored, not deflated.
 */
import type { Dtype } from '../format/tensor.ts';
import { encodeUtf8 } from '../format/utf8.ts';
import type { ExportNetwork } from './export-layers.ts';
import { booleanRows, float32Rows, storedStream, streamBytes, type TensorStream } from './tensor-stream.ts';
import { type ZipSource, zipStream } from './zip-stream.ts';

const descriptions: Partial<Readonly<Record<Dtype, string>>> = {
  F32: '<f4',
  I32: '<i4',
  U8: '|u1',
  BOOL: '|b1',
};

/** Returns the bytes of the file in order; each chunk may be overwritten when the next is asked for. */
export function exportNpz(
  network: ExportNetwork,
  metadata: ReadonlyMap<string, string>,
): Generator<Uint8Array> {
  const arrays: [string, TensorStream][] = network.layers.flatMap((layer, index) => {
    const { sourceRows, shape, bias, biasMask } = layer;
    const streams: Record<string, TensorStream> = {
      rows: storedStream('I32', [sourceRows.length], sourceRows),
      weight: float32Rows(shape, layer.weights),
      weight_mask: booleanRows(shape, layer.mask),
      bias: storedStream('F32', [bias.length], bias),
      bias_mask: storedStream('BOOL', [bias.length], biasMask),
    };
    return Object.entries(streams).map(([part, stream]): [string, TensorStream] => [
      `source.${index + 1}.${part}`,
      stream,
    ]);
  });
  const text = encodeUtf8(JSON.stringify(Object.fromEntries(metadata)));
  arrays.push(['metadata', storedStream('U8', [text.length], text)]);
  return zipStream(arrays.map(([name, stream]) => npyFile(name, stream)));
}

/** Version 1 of format/npy.ts, its header padded so that the data begin at a multiple of 64 bytes of the file. */
function npyFile(name: string, stream: TensorStream): ZipSource {
  const { dtype, shape } = stream;
  const dict = `{'descr': '${descriptions[dtype] ?? ''}', 'fortran_order': False, 'shape': (${shape.map((size) => `${size},`).join(' ')}), }`;
  const length = Math.ceil((10 + dict.length + 1) / 64) * 64 - 10;
  const text = encodeUtf8(`${dict.padEnd(length - 1)}\n`);
  const header = new Uint8Array(10 + length);
  header.set([0x93, ...encodeUtf8('NUMPY'), 1, 0, length & 255, length >>> 8]);
  header.set(text, 10);
  return {
    name: `${name}.npy`,
    size: header.length + streamBytes(stream),
    *chunks() {
      yield header;
      yield* stream.chunks();
    },
  };
}
