/** What the volunteers' page counts and says, without a browser. */
import { describe, expect, it } from 'vitest';
import type { JobView } from '../../src/core/protocol/search-view.ts';
import { Contribution } from '../../worker/browser/contribution.ts';
import { pauseReason } from '../../worker/browser/pause.ts';
import {
  jobName,
  percentWords,
  progressWords,
  shortNumber,
  shownJob,
  statusWords,
} from '../../worker/browser/words.ts';

describe('a contribution', () => {
  it('counts tiles and their blocks once the coordinator has them', () => {
    const contribution = new Contribution();
    contribution.begin(0);
    contribution.solve('a', 100, 10);
    contribution.solve('b', 50, 20);
    expect(contribution.read(20)).toMatchObject({ tiles: 0, blocks: 0 });
    contribution.commit('a');
    contribution.forget('b');
    contribution.commit('b');
    // Solved before the page was loaded again: nobody knows its blocks any more.
    contribution.commit('c');
    expect(contribution.read(20)).toMatchObject({ tiles: 3, blocks: 100 });
  });

  it('has a rate over the last quarter of a minute, and none after a pause', () => {
    const contribution = new Contribution();
    expect(contribution.read(5).blocksPerSecond).toBe(0);
    contribution.begin(1000);
    contribution.solve('a', 300, 2000);
    expect(contribution.read(4000).blocksPerSecond).toBe(100);
    contribution.solve('b', 300, 20_000);
    expect(contribution.read(20_000).blocksPerSecond).toBe(20);
    contribution.begin(21_000);
    expect(contribution.read(22_000).blocksPerSecond).toBe(0);
  });
});

describe('a pause', () => {
  const calm = { isHidden: false, isLongHidden: false, isOnBattery: false, isSavingData: false };

  it.each([
    [calm, null],
    [{ ...calm, isHidden: true }, null],
    [{ ...calm, isHidden: true, isLongHidden: true }, 'hidden'],
    [{ ...calm, isSavingData: true }, 'save-data'],
    [{ ...calm, isOnBattery: true, isLongHidden: true }, 'battery'],
  ] as const)('for %j is for %s', (surroundings, reason) => {
    expect(pauseReason(surroundings)).toBe(reason);
  });
});

describe('the words', () => {
  const job: JobView = {
    job: 'a',
    name: 'digits',
    share: 0,
    blocksWanted: 0,
    blocksPerSecond: 0,
    secondsLeft: null,
    layers: [],
  };
  const search = { jobs: [job, { ...job, job: 'b' }], runningCount: 2, volunteerCount: 0, workerCount: 0 };

  it('name the job being worked on, else the first, else none', () => {
    expect(shownJob(search, 'b')?.job).toBe('b');
    expect(shownJob(search, null)?.job).toBe('a');
    expect(shownJob(search, 'gone')?.job).toBe('a');
    expect(shownJob(null, 'b')).toBeUndefined();
    expect(jobName(job)).toBe('digits');
    expect(jobName({ ...job, name: '  ' })).toBe('A search without a name');
  });

  it.each([
    [0, '0 %'],
    [0.001, 'less than 1 %'],
    [0.5, '50 %'],
    [0.9999, '99 %'],
    [1, '100 %'],
  ])('for a share of %d are %s', (share, words) => {
    expect(percentWords(share)).toBe(words);
  });

  it.each([
    [0, '0'],
    [999.4, '999'],
    [4096, '4.10 k'],
    [2_345_678, '2.35 M'],
    [7.2e9, '7.20 G'],
  ])('for %d are %s', (value, words) => {
    expect(shortNumber(value)).toBe(words);
  });

  it('say how far a job is', () => {
    const layers = [{ name: 'dense', copies: 1, copiesWanted: 2 }];
    expect(progressWords(job)).toBe('Being planned');
    expect(progressWords({ ...job, layers, share: 0.5 })).toBe('50 % solved');
    expect(progressWords({ ...job, layers, share: 0.5, secondsLeft: 90 })).toBe(
      '50 % solved, about 90 s left at this rate',
    );
    expect(progressWords({ ...job, layers, share: 1, secondsLeft: 0 })).toMatch(/^All solved/);
  });

  it('are sentences for every state', () => {
    const states = ['idle', 'starting', 'connecting', 'offline'] as const;
    for (const kind of states) expect(statusWords({ kind })).toMatch(/^[A-Z].*\.$/);
    expect(statusWords({ kind: 'working', tiles: 1 })).toBe('Connected. Working on one tile.');
    expect(statusWords({ kind: 'working', tiles: 3 })).toBe('Connected. Working on 3 tiles.');
    expect(statusWords({ kind: 'waiting', results: 0 })).toBe('Connected. Waiting for work.');
    expect(statusWords({ kind: 'waiting', results: 1 })).toBe(
      'Connected. Waiting until a result is checked.',
    );
    expect(statusWords({ kind: 'paused', reason: 'battery' })).toMatch(/battery/);
    expect(statusWords({ kind: 'refused', reason: 'not wanted' })).toBe('Stopped: not wanted.');
  });
});
