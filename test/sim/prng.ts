/** Seeded random numbers with named streams: a draw added to one stream shifts no other. */

/** A stream of random numbers. */
export interface Random {
  /** A number in [0, 1). */
  next(): number;
  /** A whole number in [0, count). */
  below(count: number): number;
  /** A number in [min, max). */
  between(min: number, max: number): number;
  /** True with this chance. */
  chance(probability: number): boolean;
  /** One of the items. */
  pick<T>(items: readonly T[]): T;
  /** A stream of its own. */
  fork(name: string): Random;
}

/** Returns the stream of a seed: xoshiro128** (Blackman, Vigna 2018), its state from splitmix32. */
export function randomOf(seed: number, name = ''): Random {
  let mixed = hashText(name, (seed ^ 0x9e3779b9) >>> 0);
  const state = new Uint32Array(4);
  for (let index = 0; index < 4; index++) {
    mixed = (mixed + 0x9e3779b9) >>> 0;
    let word = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
    word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35);
    state[index] = (word ^ (word >>> 16)) >>> 0;
  }
  const forkSeed = state[0] ?? 0;
  const next = (): number => {
    const [a = 0, b = 0, c = 0, d = 0] = state;
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0;
    const c2 = c ^ a;
    const d2 = d ^ b;
    state[1] = b ^ c2;
    state[0] = a ^ d2;
    state[2] = c2 ^ (b << 9);
    state[3] = rotate(d2, 11);
    return result / 2 ** 32;
  };
  const below = (count: number): number => Math.floor(next() * count);
  return {
    next,
    below,
    between: (min, max) => min + next() * (max - min),
    chance: (probability) => next() < probability,
    pick: <T>(items: readonly T[]): T => items[below(items.length)] as T,
    fork: (child) => randomOf(forkSeed, `${name}/${child}`),
  };
}

/** Returns the FNV-1a hash of a text, going on from `hash`. */
export function hashText(text: string, hash = 0x811c9dc5): number {
  let value = hash;
  for (let index = 0; index < text.length; index++)
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  return value >>> 0;
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}
