import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { zipStream } from '../../src/core/export/zip-stream.ts';
import { crc32 } from '../../src/core/format/crc32.ts';
import { readZip, unpackEntry } from '../../src/core/format/zip.ts';
import { collect } from '../support/exported.ts';
import { hasNumpy } from '../support/python.ts';

const contents = [new Uint8Array(0), Uint8Array.of(1, 2, 3), new Uint8Array(1000).fill(7)];
const sources = contents.map((bytes, index) => ({
  name: `file ${index}.bin`,
  size: bytes.length,
  chunks: () => [bytes.subarray(0, 2), bytes.subarray(2)],
}));

describe('a zip archive written as a stream', () => {
  it.each([
    ['plainly', undefined],
    ['with Zip64 records for sizes and places from 100 bytes on', 100],
    ['with Zip64 records for everything', 0],
  ])('is read by our reader and by Python, written %s', (_, wideFrom) => {
    const bytes = collect(zipStream(sources, wideFrom));
    const archive = readZip(bytes);
    const found = [...archive.entries.values()].map((entry) => unpackEntry(archive, entry));
    expect(found.map((part) => [...part])).toEqual(contents.map((part) => [...part]));
    if (!hasNumpy) return;
    const program =
      'import io, sys, zipfile; z = zipfile.ZipFile(io.BytesIO(sys.stdin.buffer.read())); print(z.testzip(), [len(z.read(n)) for n in z.namelist()])';
    const { stdout, stderr } = spawnSync('python3', ['-c', program], { input: bytes });
    expect(`${stderr}${stdout}`).toBe('None [0, 3, 1000]\n');
  });

  it('has the same bytes each time', () => {
    expect(collect(zipStream(sources))).toEqual(collect(zipStream(sources)));
  });
});

it('the CRC-32 of two parts is that of the whole, wherever it is cut', () => {
  const bytes = Uint8Array.from({ length: 40 }, (_, k) => k * 37);
  for (let cut = 0; cut <= bytes.length; cut++)
    expect(crc32(bytes.subarray(cut), crc32(bytes.subarray(0, cut)))).toBe(crc32(bytes));
});
