/**
 * Deflate and gzip streams whose unpacked size is known beforehand, so that a stream can neither grow beyond it nor make us
 * allocate more than the packed bytes could hold.
 *
 * A gzip stream is: header (magic 1f 8b), deflate stream, CRC-32 (u32 LE), unpacked size modulo 2^32 (u32 LE). One member.
 */
import { gunzipSync, inflateSync } from 'fflate';
import { failure } from '../errors.ts';
import { deflateRatioMax, unpackedBytesMax } from '../limits.ts';
import { crc32 } from './crc32.ts';

/** What the container says about the unpacked bytes. */
export interface UnpackedClaim {
  readonly size: number;
  readonly crc: number;
  /** For messages: `the zip entry x.npy`. */
  readonly what: string;
}

/** Tells whether the bytes begin with gzip's magic number. */
export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/**
 * Returns the bytes of a raw deflate stream.
 * @throws TombolaError (failure) when the stream is damaged or is not what the container claims.
 */
export function inflateExactly(packed: Uint8Array, claim: UnpackedClaim): Uint8Array {
  return unpackExactly(packed, claim, (out) => inflateSync(packed, { out }));
}

/**
 * Returns the bytes of a gzip file with one member.
 * @throws TombolaError (failure) when it is damaged, or larger than it may be.
 */
export function gunzip(packed: Uint8Array, what: string): Uint8Array {
  if (packed.length < 18)
    throw failure(`Cannot unpack ${what}: ${packed.length} bytes of gzip, expected at least 18`);
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  const claim = {
    size: view.getUint32(packed.length - 4, true),
    crc: view.getUint32(packed.length - 8, true),
    what,
  };
  return unpackExactly(packed, claim, (out) => gunzipSync(packed, { out }));
}

/**
 * Throws unless the unpacked bytes have the CRC that their container claims.
 * @throws TombolaError (failure)
 */
export function checkCrc(unpacked: Uint8Array, claim: UnpackedClaim): void {
  if (crc32(unpacked) !== claim.crc)
    throw failure(
      `Cannot unpack ${claim.what}: its checksum is wrong: it is damaged or cut off; fetch or export it again`,
    );
}

function unpackExactly(
  packed: Uint8Array,
  claim: UnpackedClaim,
  unpack: (out: Uint8Array<ArrayBuffer>) => Uint8Array,
): Uint8Array {
  const { size, what } = claim;
  if (size > unpackedBytesMax || size > deflateRatioMax * packed.length)
    throw failure(
      `Cannot unpack ${what}: it claims ${size} bytes from ${packed.length}, expected at most ${Math.min(unpackedBytesMax, deflateRatioMax * packed.length)}: it is damaged or cut off`,
    );
  const unpacked = unpackInto(unpack, size, what);
  if (unpacked.length !== size)
    throw failure(
      `Cannot unpack ${what}: its length is not the ${size} bytes that it claims: it is damaged or cut off`,
    );
  checkCrc(unpacked, claim);
  return unpacked;
}

/** One byte more than claimed is offered: a stream that is too long then shows itself (fflate cuts it off silently). */
function unpackInto(
  unpack: (out: Uint8Array<ArrayBuffer>) => Uint8Array,
  size: number,
  what: string,
): Uint8Array {
  try {
    return unpack(new Uint8Array(size + 1));
  } catch (cause) {
    throw failure(
      `Cannot unpack ${what}: its compressed data is damaged or cut off; fetch or export it again`,
      cause,
    );
  }
}
