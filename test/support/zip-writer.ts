/** A tiny zip writer for tests: stored or deflated entries, each part open to being wrong on purpose. */
import { deflateRawSync } from 'node:zlib';
import { crc32 } from '../../src/core/format/crc32.ts';

/** What may differ from a plain stored entry. */
export interface ZipOptions {
  readonly deflate?: boolean;
  readonly flags?: number;
  readonly method?: number;
  readonly claimedSize?: number;
  readonly crc?: number;
}

/** Returns the bytes of a zip archive with these entries in order; a name may come twice. */
export function writeZip(
  entries: readonly (readonly [string, Uint8Array])[],
  options: ZipOptions = {},
): Uint8Array {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [name, data] of entries) {
    const packed = options.deflate ? deflateRawSync(data) : Buffer.from(data);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(options.flags ?? 0, 2);
    common.writeUInt16LE(options.method ?? (options.deflate ? 8 : 0), 4);
    common.writeUInt32LE(options.crc ?? crc32(data), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(options.claimedSize ?? data.length, 18);
    common.writeUInt16LE(Buffer.byteLength(name), 22);
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), common, Buffer.from(name), packed]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(offset, 10);
    directory.push(
      Buffer.concat([Buffer.from('PK\x01\x02\x14\x00', 'latin1'), common, tail, Buffer.from(name)]),
    );
    parts.push(local);
    offset += local.length;
  }
  const records = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(records.length, 12);
  end.writeUInt32LE(offset, 16);
  return new Uint8Array(Buffer.concat([...parts, records, end]));
}
