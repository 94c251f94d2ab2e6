import { describe, expect, test } from 'vitest';
import { bugs } from './bugs.ts';
import { simulate } from './world.ts';

const seeds = 400;
const seedsPerBug = 3000;

/** Seeds that have found a fault, of the ledger or of the simulation; kept for ever. */
const onceBroken = [
  944, 1738, 3690, 3851, 4841, 8807, 1004203, 1006328, 1007802, 1008323, 1015847, 1016562, 1018642, 1018835,
];

describe('simulated worlds', () => {
  test(`keep every promise in ${seeds} schedules`, () => {
    const broken: string[] = [];
    for (let seed = 1; seed <= seeds; seed++) {
      const { violation } = simulate(seed);
      if (violation !== null) broken.push(`npm run sim -- --seed ${seed}: ${violation}`);
    }
    expect(broken).toEqual([]);
  });

  test.each(onceBroken)('keep every promise in schedule %i, which once broke one', (seed) => {
    expect(simulate(seed).violation).toBeNull();
  });

  test('take the same course when run twice', () => {
    for (let seed = 1; seed <= seeds; seed += 20)
      expect(simulate(seed).traceHash).toBe(simulate(seed).traceHash);
  });

  test('take different courses for different seeds', () => {
    const hashes = new Set(Array.from({ length: 20 }, (_, index) => simulate(index + 1).traceHash));
    expect(hashes.size).toBe(20);
  });

  test.each(bugs.map((bug) => ({ name: bug.name, bug })))('find the planted bug $name', ({ bug }) => {
    let seed = 1;
    while (seed <= seedsPerBug && simulate(seed, bug).violation === null) seed++;
    expect(seed).toBeLessThanOrEqual(seedsPerBug);
  });
});
