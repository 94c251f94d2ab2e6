/** Areas of the module's memory, one behind the other, given back together when the next layer is set up. */

let end: u64 = 0;
let endMax: u64 = 0;

/** Gives all areas back; those that follow may reach up to byte `bytesMax` of the memory. */
export function forgetAreas(bytesMax: u32): void {
  end = __heap_base;
  endMax = bytesMax;
}

/**
 * Returns an area of `bytes` zeros on a 64-byte line of its own; nothing else uses the line behind its last byte. Without room for it
 * there is no area, nor for any that follows: see haveRoom.
 */
export function reserve(bytes: u64): usize {
  const start = (end + 127) & ~(<u64>63);
  end = start + bytes;
  if (!haveRoom()) return 0;
  const missing = <i32>((end + 64 + 0xffff) >> 16) - memory.size();
  if (missing > 0 && memory.grow(missing) < 0) endMax = 0;
  else memory.fill(<usize>start, 0, <usize>bytes);
  return <usize>start;
}

/** Returns whether there was room for every area reserved since all were given back. */
export function haveRoom(): bool {
  return end + 64 <= endMax;
}
