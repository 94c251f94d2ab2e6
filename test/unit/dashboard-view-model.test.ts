/** What the dashboard says. */
import { describe, expect, test } from 'vitest';
import { jobCard } from '../../coordinator/dashboard/job-card.ts';
import { searchOf } from '../../coordinator/dashboard/search-form.ts';
import {
  agoText,
  engineStanding,
  jobStanding,
  layerFigures,
  layerStanding,
  optionsText,
  orderedJobs,
  paceText,
  reportFigures,
  shareText,
  shortCount,
  tilesText,
  trustOf,
} from '../../coordinator/dashboard/view-model.ts';
import { planOptionsOfJson } from '../../coordinator/jobs/job-request.ts';
import type { LiveJob, LiveJobRow, LiveLayer } from '../../src/core/live/views.ts';

const row: LiveJobRow = {
  name: 'a job',
  state: 'running',
  phase: 'solving',
  reason: '',
  priority: 0,
  sequence: 1,
  share: 0.5,
  blocksPerSecond: 12_345,
  secondsLeft: 90,
};
const layer: LiveLayer = {
  name: 'fc1',
  copies: 90,
  copiesWanted: 100,
  tilesDone: 9,
  tilesKnown: 10,
  pass: 0,
  isDone: false,
  cells: '7778000000',
  tilesPerCell: 1,
  working: 1,
  retried: 2,
  failed: 0,
  blocks: 1000,
  keptEdges: 2500,
  misses: 10,
  residuals: [],
};
const job: LiveJob = {
  ...row,
  job: 'id',
  state: 'done',
  targetSha256: 'ab',
  options: {
    mode: 'tolerance',
    epsilon: 0.01,
    rule: 'fewest',
    seed: '1',
    gridBits: 24,
    copies: 'auto',
    inputRange: [0, 1],
  },
  layers: [layer],
  rates: [],
  rateEveryMs: 2000,
  ticketBytes: 5,
  report: {
    ticketSha256: 'cd',
    ticketBytes: 5,
    missedRows: 3,
    missingCopies: 0,
    verdict: {
      fault: null,
      keptEdges: 10,
      blocks: 4,
      certifiedBound: 0.25,
      linearisationBound: 0,
      layers: [{ copies: 1, blocks: 4, keptEdges: 10, residualMax: 0.001, biasResidualMax: 0 }],
    },
    seconds: { plan: 1, solve: 2, verify: 3 },
  },
};

describe('jobs', () => {
  test('are listed running first, the most urgent first, then the latest', () => {
    const jobs = {
      old: { ...row, state: 'done', sequence: 1 },
      slow: { ...row, sequence: 2 },
      urgent: { ...row, sequence: 3, priority: 5 },
      late: { ...row, state: 'failed', sequence: 4 },
    } as const;
    expect(orderedJobs(jobs).map(([id]) => id)).toEqual(['urgent', 'slow', 'late', 'old']);
  });

  test.each([
    [{ state: 'running', phase: 'solving' }, 'solving', 'busy'],
    [{ state: 'running', phase: 'stalled' }, 'stalled', 'warning'],
    [{ state: 'running', phase: null }, 'waiting', 'quiet'],
    [{ state: 'done', phase: null }, 'done', 'good'],
    [{ state: 'incomplete', phase: null }, 'incomplete', 'bad'],
    [{ state: 'cancelled', phase: null }, 'cancelled', 'quiet'],
  ] as const)('that are %j are said to be %s', (state, text, tone) => {
    expect(jobStanding(state)).toEqual({ text, tone });
  });

  test('tell their rate and time left while they are solved', () => {
    expect(paceText(row)).toBe('12.3 k blocks/s, 90 s left');
    expect(paceText({ ...row, blocksPerSecond: 0 })).toMatch(/no worker/);
    expect(paceText({ ...row, phase: 'verifying' })).toBe('');
    expect(paceText({ ...row, state: 'done' })).toBe('');
  });

  test('tell what was asked for: copies where there are any, the construction where it is not the usual one', () => {
    const { options } = job;
    if (options === null) throw new Error('the job has options');
    expect(optionsText(options)).toBe('ε = 0.01, fewest, copies chosen by the planner, seed 1');
    expect(optionsText({ ...options, copies: 7, construction: 'L+1' })).toMatch(/fewest, 7 copies, seed 1$/);
    expect(optionsText({ ...options, mode: 'exact', construction: '2L' })).toBe(
      'exact, fewest, 2L construction, seed 1',
    );
  });

  test('are at 100 % only when all is done', () => {
    expect([null, 0, 0.5, 0.99999, 1].map(shareText)).toEqual(['–', '0.0 %', '50.0 %', '99.9 %', '100 %']);
  });
});

describe('a layer', () => {
  test('says in words what its picture shows', () => {
    expect(tilesText(layer)).toBe('9 of 10 tiles done, 1 in work, 2 retried, 0 failed.');
    expect(tilesText({ ...layer, tilesPerCell: 25 })).toMatch(/; each cell is 25 tiles\.$/);
    expect(tilesText({ ...layer, tilesKnown: 0 })).toMatch(/are cut when/);
  });

  test('waits for the one before it, and says which pass it is in', () => {
    expect(layerStanding(layer, true).text).toBe('at work');
    expect(layerStanding({ ...layer, pass: 2 }, true).text).toBe('reserve pass 2');
    expect(layerStanding(layer, false).text).toBe('waiting');
    expect(layerStanding({ ...layer, failed: 1 }, true).tone).toBe('bad');
    expect(layerStanding({ ...layer, isDone: true }, false).text).toBe('done');
  });

  test('tells kept edges against blocks, and misses against rows', () => {
    const figures = Object.fromEntries(layerFigures(layer, 0.25));
    expect(figures).toMatchObject({
      Copies: '90 of 100',
      'Edges a block': '2.50',
      Misses: '10 (10 % of rows)',
      'Largest residual': '0.25',
    });
    const empty = Object.fromEntries(layerFigures({ ...layer, blocks: 0, keptEdges: 0, misses: 0 }, null));
    expect(empty).toEqual({
      Copies: '90 of 100',
      Blocks: '–',
      'Kept edges': '–',
      'Edges a block': '–',
      Misses: '0',
    });
  });
});

describe('workers and engine', () => {
  test('are told from each other by their record', () => {
    const worker = { kind: 'volunteer', isQuarantined: false, good: 0, quota: 1 } as const;
    expect(trustOf(worker)).toEqual({ text: '0 good, may hold 1', tone: 'quiet' });
    expect(trustOf({ ...worker, good: 12 }).tone).toBe('good');
    expect(trustOf({ ...worker, isQuarantined: true })).toEqual({ text: 'quarantined', tone: 'bad' });
  });

  test('say when the store fails', () => {
    const engine = { pendingResults: 0, heldResults: 0, isPaused: true } as Parameters<
      typeof engineStanding
    >[0];
    expect(engineStanding(engine).tone).toBe('bad');
    expect(engineStanding({ ...engine, isPaused: false }).text).toBe('Nothing waits');
    expect(engineStanding({ ...engine, isPaused: false, pendingResults: 3, heldResults: 1 }).text).toBe(
      '3 results on their way, 1 held',
    );
  });

  test('were seen so long ago', () => {
    expect([-5, 3000, 8000, 90_000, 600_000].map(agoText)).toEqual([
      'now',
      'now',
      '8 s ago',
      '90 s ago',
      '10 min ago',
    ]);
  });
});

test('counts are short', () => {
  expect([0, 9999, 12_345, 1_234_567, 2.5e9].map(shortCount)).toEqual([
    '0',
    '9,999',
    '12.3 k',
    '1.23 M',
    '2.5 G',
  ]);
});

describe('a ticket', () => {
  test('has a report once it is done', () => {
    const figures = Object.fromEntries(reportFigures(job));
    expect(figures['Certified bound']).toBe('0.25 for any input in [0, 1]');
    expect(figures.Verified).toMatch(/^every residual/);
    expect(reportFigures({ ...job, report: null })).toEqual([]);
  });

  test('has a card that no name can break', () => {
    const name = 'x\n---\nverified: true\n| `';
    const card = jobCard({ ...job, name, layers: [{ ...layer, name: 'a|b\n#' }] });
    const [, frontMatter = ''] = card.split('---\n');
    expect(frontMatter.split('\n').filter((line) => line.startsWith('model_name'))).toHaveLength(1);
    expect(frontMatter).toMatch(/verified: true\n {2}target_sha256: ab\n {2}ticket_sha256: cd\n$/);
    expect(card).toContain('| a b # | 1 | 4 | 10 | 0.00100 |');
    expect(jobCard({ ...job, report: null })).toBe('');
  });
});

describe('the submit form', () => {
  const fields = {
    name: ' my model ',
    mode: 'tolerance',
    epsilon: '0.02',
    rule: 'closest',
    seed: '18446744073709551615',
    low: '-1',
    high: '2',
    priority: '3',
  };
  const formOf = (changed: Record<string, string> = {}): FormData => {
    const form = new FormData();
    for (const [key, value] of Object.entries({ ...fields, ...changed })) form.set(key, value);
    form.set('network', new File(['bytes'], 'digits.safetensors'));
    return form;
  };

  test('gives options that the coordinator takes', () => {
    const search = searchOf(formOf());
    expect(search).toMatchObject({ name: 'my model', priority: 3 });
    expect(planOptionsOfJson(search.options)).toMatchObject({
      epsilon: 0.02,
      rule: 'closest',
      seed: 2n ** 64n - 1n,
      gridBits: 24,
      inputRange: [-1, 2],
    });
    expect(planOptionsOfJson(searchOf(formOf({ mode: 'exact' })).options)).toMatchObject({
      mode: 'exact',
      epsilon: 0,
      gridBits: 8,
    });
  });

  test('names a search after its file where nobody has named it', () => {
    expect(searchOf(formOf({ name: ' ' })).name).toBe('digits');
  });
});
