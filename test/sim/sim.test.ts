import { describe, expect, test } from 'vitest';
import { bugs } from './bugs.ts';
import { simulate } from './world.ts';

const seeds = 400;
const seedsPerBug = 3000;

describe('simulated worlds', () => {
  test(`keep every promise in ${seeds} schedules`, () => {
    const broken: string[] = [];
    for (let seed = 1; seed <= seeds; seed++) {
      const { violation } = simulate(seed);
      if (violation !== null) broken.push(`npm run sim -- --seed ${seed}: ${violation}`);
    }
    expect(broken).toEqual([]);
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
