/**
 * A tile's result as the value that an engine keeps, in one of two forms. Which one it is shows in its first four bytes:
 *
 *   "TTR1"   plain: src/core/format/tile-result.ts
 *   "TTC1"   coded: then the body as it came from a worker (src/core/protocol/mask-code.ts), less than half as long
 *
 * A coded value has neither a checksum nor its tile's id: engines keep a checksum of key and value (record.ts), a body decodes only
 * for the tile it was made for or one of the same shape, and a ticket is verified in full before it is sealed.
 */
import { decodeTileResult, encodeTileResult } from '../../src/core/format/tile-result.ts';
import type { LayerProblem, Tile, TileResult } from '../../src/core/plan/tile.ts';
import { decodeResultBody, encodeResultBody } from '../../src/core/protocol/mask-code.ts';
import { ProtocolError } from '../../src/core/protocol/protocol-error.ts';
import type { BodyForm } from '../../src/core/protocol/transport.ts';

const codedMagic = Uint8Array.of(0x54, 0x54, 0x43, 0x31);

/** Returns the value to keep for a body of a message: a plain one is a value as it is, and not copied. */
export function storedValue(body: Uint8Array, form: BodyForm): Uint8Array {
  if (form === 'plain') return body;
  const value = new Uint8Array(codedMagic.length + body.length);
  value.set(codedMagic);
  value.set(body, codedMagic.length);
  return value;
}

/** Returns a result as the body of a message. */
export function bodyOf(
  problem: LayerProblem,
  tile: Tile,
  { result, form }: { readonly result: TileResult; readonly form: BodyForm },
): Uint8Array {
  return form === 'plain' ? encodeTileResult(result) : encodeResultBody(problem, tile, result);
}

/** Returns the result of the tile that a value holds, in arrays of its own; undefined if it holds none. */
export function decodeStoredResult(
  problem: LayerProblem,
  tile: Tile,
  value: Uint8Array,
): TileResult | undefined {
  if (!codedMagic.every((byte, index) => value[index] === byte)) {
    const result = decodeTileResult(value);
    return result?.tileId === tile.id ? result : undefined;
  }
  try {
    return decodeResultBody(problem, tile, value.subarray(codedMagic.length));
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}
