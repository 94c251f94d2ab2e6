/** A coordinator whose ledger stands still would seem to run: it has to end, whatever its callers catch. */
import { once } from 'node:events';
import { afterEach, expect, it } from 'vitest';
import { endAllProcesses, startNode } from '../support/node-process.ts';

afterEach(endAllProcesses);

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
