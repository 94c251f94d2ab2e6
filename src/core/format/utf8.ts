/**
 * UTF-8 without the platform's TextDecoder type (src/core has no DOM): fflate's decoder, made strict.
 */
import { strFromU8, strToU8 } from 'fflate';

/**
 * Returns the text of UTF-8 bytes, or undefined when they are not valid UTF-8.
 * Decoding replaces what is invalid and drops a byte order mark; so the text is encoded again and compared.
 */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  const text = strFromU8(bytes);
  return sameBytes(strToU8(text), bytes) ? text : undefined;
}

/** Returns the UTF-8 bytes of a text, owned by the caller. */
export function encodeUtf8(text: string): Uint8Array {
  return strToU8(text);
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
