import { expect, it } from 'vitest';
import { agedProgress, type JobProgress } from '../../coordinator/jobs/job-progress.ts';

const progress: JobProgress = {
  layers: [],
  share: 0.5,
  blocksWanted: 12_000,
  blocksPerSecond: 600,
  rateMs: 10_000,
  secondsLeft: 10,
};

it('has half the rate, and twice the time left, when as much time again passes without a block', () => {
  expect(agedProgress(progress, 10_000)).toEqual({
    ...progress,
    blocksPerSecond: 300,
    rateMs: 20_000,
    secondsLeft: 20,
  });
});

it('stays as it is in no time, and without a rate', () => {
  expect(agedProgress(progress, 0)).toEqual(progress);
  const idle = { ...progress, blocksPerSecond: 0, rateMs: 0, secondsLeft: null };
  expect(agedProgress(idle, 5000)).toEqual(idle);
});
