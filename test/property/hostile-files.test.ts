/** Damaged files, the same few thousand in every run: a reader may give a value or a TombolaError, nothing else. */
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { readDataSet } from '../../src/core/format/data-set.ts';
import { importSafetensors } from '../../src/core/format/import-safetensors.ts';
import { decodeNetwork, encodeNetwork } from '../../src/core/format/network-file.ts';
import { readNpy } from '../../src/core/format/npy.ts';
import { readNpz } from '../../src/core/format/npz.ts';
import { readPytorch } from '../../src/core/format/pytorch.ts';
import { readSafetensors } from '../../src/core/format/safetensors.ts';
import { importStateDict } from '../../src/core/format/state-dict.ts';
import { importTarget } from '../../src/core/format/target-file.ts';
import { toFloat64Array } from '../../src/core/format/tensor.ts';
import { parseActivation } from '../../src/core/network/activation-name.ts';
import { refusedMutants } from '../support/mutants.ts';
import { op, stateDictFile, torchFile, torchTensor } from '../support/pickle-writer.ts';
import { writeZip } from '../support/zip-writer.ts';

const activation = { kind: 'relu' } as const;
const stateDict = stateDictFile([
  ['a.weight', [2, 3], [1, 2, 3, 4, 5, 6]],
  ['a.bias', [2], [7, 8]],
  ['b.weight_orig', [1, 2], [9, 10]],
  ['b.weight_mask', [1, 2], [1, 0]],
]);
const network = encodeNetwork(importStateDict(readPytorch(stateDict), { activation }));
const npyHeader = "{'descr': '<i2', 'fortran_order': True, 'shape': (2, 3), }\n";
const npy = new Uint8Array(
  Buffer.concat([
    Buffer.from(`\x93NUMPY\x01\x00${String.fromCharCode(npyHeader.length)}\x00${npyHeader}`, 'latin1'),
    Buffer.alloc(12, 1),
  ]),
);
const idx = Uint8Array.of(0, 0, 0x0d, 2, 0, 0, 0, 2, 0, 0, 0, 1, 0x3f, 0x80, 0, 0, 0, 0, 0, 0);
const pickle = op.program(
  op.dict([['x', torchTensor({ storageCount: 6, shape: [2, 3], strides: [1, 2], isParameter: true })]]),
);
const description = Buffer.from(
  '{"inputShape":[3],"layers":[{"kind":"dense","weights":"layer.0.weights","bias":"layer.0.bias","steps":["relu"]},{"kind":"dense","weights":"layer.1.weights","bias":"layer.1.bias"}]}',
);
const tensorsOnly = Buffer.from(network);
tensorsOnly.write('"networx"', tensorsOnly.indexOf('"network"'));

function readAll(tensors: ReadonlyMap<string, Parameters<typeof toFloat64Array>[0]>): void {
  for (const tensor of tensors.values()) toFloat64Array(tensor);
}

const readers: readonly (readonly [string, Uint8Array, (bytes: Uint8Array) => unknown])[] = [
  ['safetensors', network, (bytes) => readAll(readSafetensors(bytes).tensors)],
  ['network file', network, decodeNetwork],
  ['description', description, (bytes) => importSafetensors(tensorsOnly, Buffer.from(bytes).toString())],
  ['npy', npy, (bytes) => toFloat64Array(readNpy(bytes))],
  ['npz, stored', writeZip([['x.npy', npy]]), (bytes) => readAll(readNpz(bytes))],
  ['npz, deflated', writeZip([['x.npy', npy]], { deflate: true }), (bytes) => readAll(readNpz(bytes))],
  ['IDX', idx, (images) => readDataSet({ imagesName: 'x', images })],
  ['IDX in gzip', new Uint8Array(gzipSync(idx)), (images) => readDataSet({ imagesName: 'x', images })],
  ['PyTorch file', stateDict, (bytes) => importStateDict(readPytorch(bytes), { activation })],
  ['pickle', pickle, (bytes) => readAll(readPytorch(torchFile(bytes, { 0: new Uint8Array(24) })))],
  ['activation name', Buffer.from('selu:1.5:2e3'), (bytes) => parseActivation(Buffer.from(bytes).toString())],
  [
    'target',
    stateDict,
    (bytes) => importTarget({ name: 'x', bytes, readSibling: () => undefined, activation }),
  ],
];

describe('a damaged file', () => {
  it.each(readers)('%s: gives a value or a TombolaError', (_, bytes, read) => {
    read(bytes);
    const refused = refusedMutants(bytes, read, { count: 3000, seed: 20261122 });
    expect(refused).toBeGreaterThan(500);
  });
});
