import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { encodeTileResult } from '../../src/core/format/tile-result.ts';
import { referenceSolveTile } from '../../src/core/plan/reference-solver.ts';
import { loadKernel } from '../../worker/kernel/kernel.ts';
import { selfTest, selfTestCases, selfTestDigest } from '../../worker/self-test.ts';

describe('the self-test', () => {
  it('expects what the readable solver gives', () => {
    const hash = createHash('sha256');
    for (const [problem, tile] of selfTestCases())
      hash.update(encodeTileResult(referenceSolveTile(problem, tile)));
    expect(hash.digest('hex')).toBe(selfTestDigest);
  });

  it('has copies and misses', () => {
    const results = selfTestCases().map(([problem, tile]) => referenceSolveTile(problem, tile));
    for (const { copyRows, misses } of results) {
      expect(copyRows.length).toBeGreaterThan(0);
      expect(misses.length).toBeGreaterThan(0);
    }
  });

  it('is passed by the kernel', async () => {
    const kernel = await loadKernel();
    await selfTest({ solve: (problem, tile) => Promise.resolve(kernel.solveTile(problem, tile)) });
  });

  it('fails on one wrong bit', async () => {
    const solve: Parameters<typeof selfTest>[0]['solve'] = (problem, tile) => {
      const result = referenceSolveTile(problem, tile);
      result.masks[3] = (result.masks[3] ?? 0) ^ 16;
      return Promise.resolve(result);
    };
    await expect(selfTest({ solve })).rejects.toThrow(/Cannot trust this machine's results/);
  });
});
