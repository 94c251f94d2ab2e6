/** Seeded damage: mutants of a file, the same ones in every run. */
import { expect } from 'vitest';
import { TombolaError } from '../../src/core/errors.ts';

/** Returns a generator of whole numbers in [0, below), the same for the same seed (xorshift32). */
export function seededNumbers(seed: number): (below: number) => number {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** Returns a copy of the bytes with one to three changes: bytes flipped, set, cut, doubled, or 32-bit numbers set to extremes. */
export function mutate(
  bytes: Uint8Array,
  next: (below: number) => number,
  within = bytes.length,
): Uint8Array {
  let mutant = Buffer.from(bytes);
  for (let change = next(3); change >= 0; change--) {
    const at = next(Math.max(1, Math.min(within, mutant.length)));
    switch (next(6)) {
      case 0:
        if (at < mutant.length) mutant[at] = (mutant[at] ?? 0) ^ (1 << next(8));
        break;
      case 1:
        if (at < mutant.length) mutant[at] = next(256);
        break;
      case 2:
        mutant = mutant.subarray(0, at);
        break;
      case 3:
        mutant = Buffer.concat([mutant.subarray(0, at), Buffer.from([next(256)]), mutant.subarray(at)]);
        break;
      case 4:
        mutant = Buffer.concat([mutant.subarray(0, at), mutant.subarray(at + 1 + next(8))]);
        break;
      default:
        if (at + 4 <= mutant.length)
          mutant.writeUInt32LE([0, 1, 0x7fffffff, 0x80000000, 0xffffffff][next(5)] ?? 0, at);
    }
  }
  return new Uint8Array(mutant);
}

/** Expects that reading a mutant either works or fails as a TombolaError; returns how many were refused. */
export function refusedMutants(
  bytes: Uint8Array,
  read: (mutant: Uint8Array) => unknown,
  { count, seed, within }: { readonly count: number; readonly seed: number; readonly within?: number },
): number {
  const next = seededNumbers(seed);
  let refused = 0;
  for (let index = 0; index < count; index++) {
    const mutant = mutate(bytes, next, within);
    try {
      read(mutant);
    } catch (error) {
      if (!(error instanceof TombolaError))
        expect.fail(
          `mutant ${index} of seed ${seed} throws ${String(error)}: ${Buffer.from(mutant).toString('base64')}`,
        );
      refused++;
    }
  }
  return refused;
}
