/** A process whose ledger stands still would seem to run: it has to end, whatever its callers catch, and to say what can be done. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, it } from 'vitest';
import { endAllProcesses, startNode } from '../support/node-process.ts';
import { exampleFile, startTombola } from '../support/tombola-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'tombola-broken-'));
afterEach(endAllProcesses);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('an exception in the ledger ends the process, with a line in its log, though the caller catches it', async () => {
  const { child, text } = startNode('broken-ledger-entry.mjs', {});
  expect(await once(child, 'close')).toEqual([1, null]);
  expect(text()).toContain('the caller goes on');
  const line = text()
    .split('\n')
    .find((each) => each.startsWith('{'));
  expect(JSON.parse(line ?? '{}')).toMatchObject({
    event: 'broken',
    reason: 'Broken invariant: jobs are admitted within runningJobsMax',
  });
});

it('a search that breaks where nobody catches says so in one line, and can be resumed', async () => {
  const preload = new URL('../support/broken-search-preload.mjs', import.meta.url).href;
  const breaking = { NODE_OPTIONS: `--import ${preload}` };
  const search = ['search', exampleFile('digits-mlp.onnx'), '--scale', '255', '--threads', '1', '--json'];
  const broken = await startTombola([...search, '--out', 'run'], folder, breaking).finished;
  const line =
    'Unexpected error, this is a bug: Broken invariant: two and two are four (--debug prints where).';
  const advice = ' What was solved is kept. Go on with: npx tombola search --resume run';
  expect(broken).toEqual({ code: 1, stdout: '', stderr: `${line}${advice}\n` });
  const debugged = await startTombola([...search, '--out', 'other', '--debug'], folder, breaking).finished;
  expect(debugged.stderr).toMatch(/^Unexpected error, .*\nError: Broken invariant: two and two\n.*\n\s+at /s);
  const { code, stdout } = await startTombola(['search', '--resume', 'run', '--json'], folder).finished;
  expect([code, JSON.parse(stdout).verified]).toEqual([0, true]);
});
