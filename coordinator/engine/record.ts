/**
 * How an engine lays out its records in an ordered map from strings to bytes.
 *
 *   job/<job>              a job: JSON of StoredJob (engine.ts)
 *   result/<job>/<tile>    the result of a tile, as it was committed
 *
 * Every value begins with the CRC-32 (little-endian) of its key in UTF-8 and of what follows, so that neither rotten bits nor a
 * value under another key pass for a record. Job and tile names are 1 to 128 printable ASCII characters, without `/` and space.
 */
import { crc32 } from 'node:zlib';
import { misuse } from '../../src/core/errors.ts';

const checksumBytes = 4;
const jobPrefix = 'job/';
/** The character after `/`: ends the range of all keys that begin with a prefix. */
const afterSlash = '0';

/** A half-open range of keys. */
export interface KeyRange {
  readonly gte: string;
  readonly lt: string;
}

/** All jobs. */
export const jobRange: KeyRange = { gte: jobPrefix, lt: `job${afterSlash}` };

/** Returns the key of a job. @throws TombolaError (misuse) when that is no name. */
export function jobKey(job: string): string {
  return jobPrefix + checkedName(job);
}

/** Returns the key of a tile's result. @throws TombolaError (misuse) when one of the two is no name. */
export function resultKey(job: string, tile: string): string {
  return `result/${checkedName(job)}/${checkedName(tile)}`;
}

/** Returns the range of all results of a job. @throws TombolaError (misuse) when that is no name. */
export function resultRange(job: string): KeyRange {
  const prefix = `result/${checkedName(job)}`;
  return { gte: `${prefix}/`, lt: prefix + afterSlash };
}

/** Returns the last part of a key: the job of a job's key, the tile of a result's. */
export function nameOfKey(key: string): string {
  return key.slice(key.lastIndexOf('/') + 1);
}

/** Returns the record of a value under a key, in memory of its own. */
export function sealRecord(key: string, value: Uint8Array): Uint8Array {
  const record = new Uint8Array(checksumBytes + value.length);
  record.set(value, checksumBytes);
  new DataView(record.buffer).setUint32(0, checksum(key, value), true);
  return record;
}

/** Returns the value of a record, as a view of it, or undefined where it is absent or damaged. */
export function openRecord(key: string, record: Uint8Array | undefined): Uint8Array | undefined {
  if (record === undefined || record.length < checksumBytes) return undefined;
  const value = record.subarray(checksumBytes);
  const sealed = new DataView(record.buffer, record.byteOffset).getUint32(0, true);
  return sealed === checksum(key, value) ? value : undefined;
}

function checksum(key: string, value: Uint8Array): number {
  return crc32(value, crc32(key));
}

function checkedName(name: string): string {
  if (!/^[!-.0-~]{1,128}$/.test(name))
    throw misuse(
      `Cannot store under the name ${JSON.stringify(name.slice(0, 200))}: expected 1 to 128 printable ASCII characters without "/"`,
    );
  return name;
}
