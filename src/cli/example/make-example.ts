/**
 * Makes the files of the example, which are committed beside it:
 *
 *     npx tsc -b src/cli && node dist/src/cli/example/make-example.js src/cli/example
 *
 * - `digits-mlp.onnx`: a ReLU network 144–64–32–10, float32, trained here on 5,000 drawn digits (12 epochs of SGD with
 *   momentum and weight decay). It reads pixel/255.
 * - `digits-images.idx.gz`, `digits-labels.idx.gz`: 500 other digits, 12 × 12 grey pixels, unsigned bytes, in MNIST's format.
 *
 * Nothing is downloaded and nothing is anybody's data: the digits are strokes drawn by draw-digits.ts. The model and the
 * digits come out the same, byte for byte, on every machine (the gzip around them may differ with the version of zlib).
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { buildExample } from './build-example.ts';
import { digitImageSize } from './draw-digits.ts';

const folder = process.argv[2] ?? '.';
const { model, test } = buildExample();
const count = test.labels.length;
await mkdir(folder, { recursive: true });
await writeFile(join(folder, 'digits-mlp.onnx'), model);
await writeFile(
  join(folder, 'digits-images.idx.gz'),
  idxGzip([count, digitImageSize, digitImageSize], test.images),
);
await writeFile(join(folder, 'digits-labels.idx.gz'), idxGzip([count], test.labels));

/** Returns a gzipped IDX file: 0, 0, 8 (unsigned byte), rank, the sizes as big-endian 32-bit numbers, the data. */
function idxGzip(shape: readonly number[], data: Uint8Array): Uint8Array {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header.set([0, 0, 8, shape.length]);
  shape.forEach((size, axis) => {
    header.writeUInt32BE(size, 4 + 4 * axis);
  });
  return gzipSync(Buffer.concat([header, data]), { level: 9 });
}
