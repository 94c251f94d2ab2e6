/** Areas of the module's memory, one behind the other, given back together when the next layer is set up. */

let end: usize = __heap_base;

/** Returns an area of `bytes` zeros on a 64-byte line of its own; nothing else uses the line behind its last byte. */
export function reserve(bytes: usize): usize {
  const start = (end + 127) & ~(<usize>63);
  end = start + bytes;
  const missing = <i32>((end + 64 + 0xffff) >> 16) - memory.size();
  if (missing > 0 && memory.grow(missing) < 0) unreachable();
  memory.fill(start, 0, bytes);
  return start;
}

/** Gives all areas back. */
export function forgetAreas(): void {
  end = __heap_base;
}
