/** What a coordinator answers is read as if it came from an enemy. */
import { expect, test } from 'vitest';
import { plainText, readJob, readJobs, readRefusal, readWorkers } from '../../src/cli/remote/job-view.ts';

const layer = { name: 'fc', tilesDone: 1, tilesKnown: 2, copies: 3, copiesWanted: 4, pass: 0, isDone: false };
const job = {
  job: 'a1',
  name: 'digits',
  state: 'running',
  phase: 'solving',
  reason: '',
  priority: 0,
  progress: { layers: [layer], share: 0.5, blocksPerSecond: 1, secondsLeft: null },
  result: null,
  request: { networkBlob: '0'.repeat(64), targetSha256: '1'.repeat(64), options: {} },
};

test('a job is read as it is, and what a later version adds is left out', () => {
  expect(readJob({ ...job, mood: 'good' })).toEqual(job);
  expect(readJobs({ jobs: [job, job] })).toHaveLength(2);
});

test.each([
  ['no object', null],
  ['an unknown state', { ...job, state: 'finished' }],
  ['an id that is a path', { ...job, job: '../a1' }],
  ['a share above 1', { ...job, progress: { ...job.progress, share: 1.01 } }],
  ['a negative rate', { ...job, progress: { ...job.progress, blocksPerSecond: -1 } }],
  ['a digest that is a path', { ...job, request: { ...job.request, networkBlob: '/etc/passwd' } }],
])('a job with %s is refused', (_, value) => {
  expect(() => readJob(value)).toThrow();
});

test('no text can steer a terminal or begin a new line', () => {
  const evil = '\u001b[2Jdone\r\n\u009b31m\u202egpj.\u2028x';
  expect(plainText(evil)).toBe(' [2Jdone 31m gpj. x');
  expect(readJob({ ...job, name: evil, reason: evil })).toMatchObject({ name: plainText(evil) });
  expect(readRefusal({ error: evil })).toBe(plainText(evil));
  expect(readRefusal('text')).toBe('');
  expect(plainText('x'.repeat(10_000))).toHaveLength(500);
});

test('a worker that has done nothing yet is listed with zeros', () => {
  const worker = { worker: 'w', kind: 'trusted', runtime: 'node', threads: 2, address: '127.0.0.1' };
  expect(readWorkers({ workers: [worker] })).toEqual([
    { ...worker, leases: 0, tilesDone: 0, blocksPerSecond: 0, isQuarantined: false, silentMs: 0 },
  ]);
});
