/** The kernel's memory: one stack of areas, all released at once when another layer is set up. */

let top: usize = __heap_base;

/** Returns a fresh area of `bytes` bytes, aligned to 64; memory grows as needed. What it holds is undefined. */
export function allocate(bytes: u32): usize {
  const start: usize = (top + 63) & ~63;
  top = start + <usize>bytes;
  const pagesNeeded = <i32>((top + 0xffff) >> 16);
  const pages = memory.size();
  if (pagesNeeded > pages && memory.grow(pagesNeeded - pages) < 0) unreachable();
  return start;
}

/** Releases every area. */
export function releaseAll(): void {
  top = __heap_base;
}
