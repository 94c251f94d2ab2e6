/** Returns what is handed over with bytes to another thread: their memory, unless they share it with others and are copied instead. */
export function ownedBuffer({ buffer, byteLength }: Uint8Array): ArrayBuffer[] {
  return buffer instanceof ArrayBuffer && buffer.byteLength === byteLength ? [buffer] : [];
}
