import { deflateRawSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { crc32 } from '../../src/core/format/crc32.ts';
import { gunzip, inflateExactly } from '../../src/core/format/inflate.ts';
import { readZip, unpackEntry } from '../../src/core/format/zip.ts';
import { zipEntryCountMax } from '../../src/core/limits.ts';
import { writeZip } from '../support/zip-writer.ts';

const text = new Uint8Array(Buffer.from('hello hello hello hello hello'));

function unpackAll(bytes: Uint8Array): readonly string[] {
  const archive = readZip(bytes);
  return [...archive.entries.values()].map((entry) => Buffer.from(unpackEntry(archive, entry)).toString());
}

/** A copy with some bytes written over; a negative position counts from the end. */
function patch(bytes: Uint8Array, at: number, ...values: number[]): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy.set(values, at < 0 ? copy.length + at : at);
  return copy;
}

/** An archive of one entry whose sizes stand in Zip64 fields, as PyTorch and 4 GB archives have them. */
function zip64(): Uint8Array {
  const plain = Buffer.from(writeZip([['a', text]]));
  const recordAt = plain.readUInt32LE(plain.length - 6);
  const record = Buffer.from(plain.subarray(recordAt, plain.length - 22));
  for (const field of [20, 24, 42]) record.writeUInt32LE(0xffffffff, field);
  record.writeUInt16LE(28, 30);
  const extra = Buffer.alloc(28);
  extra.writeUInt16LE(1, 0);
  extra.writeUInt16LE(24, 2);
  extra.writeBigUInt64LE(BigInt(text.length), 4);
  extra.writeBigUInt64LE(BigInt(text.length), 12);
  const end64 = Buffer.alloc(56);
  end64.writeUInt32LE(0x06064b50, 0);
  end64.writeBigUInt64LE(1n, 32);
  end64.writeBigUInt64LE(BigInt(record.length + 28), 40);
  end64.writeBigUInt64LE(BigInt(recordAt), 48);
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(0x07064b50, 0);
  locator.writeBigUInt64LE(BigInt(recordAt + record.length + 28), 8);
  const end = Buffer.alloc(22, 0xff);
  end.write('PK\x05\x06\0\0\0\0', 'latin1');
  end.writeUInt16LE(0, 20);
  return new Uint8Array(Buffer.concat([plain.subarray(0, recordAt), record, extra, end64, locator, end]));
}

describe('readZip', () => {
  it('unpacks stored, deflated, empty and Zip64 entries', () => {
    expect(
      unpackAll(
        writeZip([
          ['a', text],
          ['b', new Uint8Array(0)],
        ]),
      ),
    ).toEqual([Buffer.from(text).toString(), '']);
    expect(unpackAll(writeZip([['a', text]], { deflate: true }))).toEqual([Buffer.from(text).toString()]);
    expect(unpackAll(zip64())).toEqual([Buffer.from(text).toString()]);
    expect(unpackAll(writeZip([]))).toEqual([]);
  });

  it('finds the end record in front of a comment', () => {
    const bytes = writeZip([['a', text]]);
    const commented = Buffer.concat([patch(bytes, -2, 3, 0), Buffer.from('PK\x05')]);
    expect(unpackAll(new Uint8Array(commented))).toHaveLength(1);
  });

  const one = writeZip([['a', text]]);
  const recordAt = one.length - 22 - 47;
  it.each([
    ['no archive', text, /no end record/],
    ['nothing', new Uint8Array(0), /no end record/],
    ['an archive cut off', one.subarray(0, one.length - 1), /no end record/],
    ['a byte behind the end', new Uint8Array([...one, 0]), /no end record/],
    ['a directory that overlaps its end', patch(one, -10, 0xff), /overlaps its end/],
    ['a directory in the wrong place', patch(one, -6, 0), /no record at byte 0/],
    ['more entries than records', patch(one, -12, 2), /no record/],
    [
      'a name twice',
      writeZip([
        ['a', text],
        ['a', text],
      ]),
      /holds a twice/,
    ],
    ['a name that is no UTF-8', patch(one, recordAt + 46, 0xff), /no UTF-8/],
    ['an encrypted entry', writeZip([['a', text]], { flags: 1 }), /encrypted/],
    ['an unknown method', writeZip([['a', text]], { method: 12 }), /method 12/],
    ['a wrong checksum', writeZip([['a', text]], { crc: 1 }), /checksum/],
    ['a stored entry with two sizes', writeZip([['a', text]], { claimedSize: 5 }), /two sizes/],
    [
      'a stream longer than claimed',
      writeZip([['a', text]], { deflate: true, claimedSize: 5 }),
      /not the 5 bytes/,
    ],
    [
      'a stream shorter than claimed',
      writeZip([['a', text]], { deflate: true, claimedSize: 50 }),
      /not the 50 bytes/,
    ],
    [
      'a claim that cannot be',
      writeZip([['a', text]], { deflate: true, claimedSize: 2 ** 31 - 1 }),
      /claims 2147483647 bytes/,
    ],
    [
      'a claim above the limit',
      writeZip([['a', text]], { claimedSize: 2 ** 31 }),
      /more than 2147483647 bytes/,
    ],
    ['a missing Zip64 size', writeZip([['a', text]], { claimedSize: 0xffffffff }), /Zip64 size is missing/],
    ['a header in the wrong place', patch(one, recordAt + 42, 1), /no header at byte 1/],
    ['an entry beyond the end', patch(one, recordAt + 20, 0xff, 0xff), /beyond the end/],
    ['too many entries', patch(zip64(), -22 - 20 - 56 + 32, 1, 16), /4097 entries, expected at most 4096/],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => unpackAll(bytes)).toThrow(message);
  });

  it('counts the limit of entries exactly', () => {
    const names = Array.from(
      { length: zipEntryCountMax + 1 },
      (_, i) => [`${i}`, new Uint8Array(0)] as const,
    );
    expect(readZip(writeZip(names.slice(1))).entries.size).toBe(zipEntryCountMax);
    expect(() => readZip(writeZip(names))).toThrow(/4097 entries/);
  });
});

describe('gunzip', () => {
  it('unpacks what gzip packs', () => {
    for (const data of [text, new Uint8Array(0), new Uint8Array(100_000)])
      expect(gunzip(new Uint8Array(gzipSync(data)), 'x')).toEqual(data);
  });

  const packed = new Uint8Array(gzipSync(text));
  it.each([
    ['a stream cut off', packed.subarray(0, packed.length - 3), /Cannot unpack x: .* cut off/],
    ['a stream that is too short to be one', packed.subarray(0, 10), /10 bytes of gzip/],
    ['a wrong checksum', patch(packed, -8, 0, 0), /checksum/],
    ['a wrong size', patch(packed, -4, 28), /not the 28 bytes/],
    ['a size that cannot be', patch(packed, -4, 0xff, 0xff, 0xff, 0x7f), /claims 2147483647 bytes/],
    ['garbage', patch(packed, 10, 0xff, 0xff, 0xff), /damaged/],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => gunzip(bytes, 'x')).toThrow(message);
  });
});

it('inflateExactly accepts a stream as dense as deflate can be', () => {
  const zeros = new Uint8Array(1 << 20);
  const packed = new Uint8Array(deflateRawSync(zeros, { level: 9 }));
  expect(inflateExactly(packed, { size: zeros.length, crc: crc32(zeros), what: 'x' })).toHaveLength(
    zeros.length,
  );
});

it('crc32 has the check value of its definition', () => {
  expect(crc32(new Uint8Array(Buffer.from('123456789')))).toBe(0xcbf43926);
});
