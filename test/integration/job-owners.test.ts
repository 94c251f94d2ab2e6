/** Whose a job is, and so who may end it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mayEnd } from '../../coordinator/gateway/access.ts';
import { entryOf, statusOf } from '../../coordinator/jobs/job-entry.ts';
import { issueToken, newTokenKey, type TokenKeys, type TokenScope } from '../../coordinator/tokens.ts';
import { encodeNetwork } from '../../src/core/format/network-file.ts';
import { activationStep, denseLayer } from '../support/evaluation-networks.ts';
import { defaultOptions } from '../support/in-process-search.ts';
import { submitJob } from '../support/job-client.ts';
import { openTestGateway, type TestGateway } from '../support/test-gateway.ts';

const network = encodeNetwork({
  inputShape: [6],
  inputSteps: [],
  layers: [denseLayer(6, 4, [activationStep({ kind: 'relu' })]), denseLayer(4, 2)],
});

describe('ending a job', () => {
  const keys: TokenKeys = { current: newTokenKey(), previous: null };
  const hour = 3_600_000;
  const issue = (scope: TokenScope, id: string): string =>
    issueToken(keys, { scope, id, ttlMs: hour }, Date.now());
  const [ann, annLater, bob] = [issue('submit', 'ann'), issue('submit', 'ann'), issue('submit', 'bob')];
  const admin = issue('admin', 'operator');
  let own: TestGateway;
  beforeAll(async () => {
    own = await openTestGateway({ keys });
  });
  afterAll(() => own.close());
  const submitted = (token: string, seed: bigint): Promise<string> =>
    submitJob(own.url, { network, options: { ...defaultOptions, seed }, token });
  async function end(token: string, path: string): Promise<{ status: number; text: string }> {
    const headers = { authorization: `Bearer ${token}` };
    const response = await fetch(`${own.url}/api/jobs/${path}`, { method: 'DELETE', headers });
    return { status: response.status, text: await response.text() };
  }

  it('is for who submitted it, whichever of his tokens he has, and for admins', async () => {
    const [one, two] = [await submitted(ann, 1n), await submitted(ann, 2n)];
    for (const path of [one, `${one}?remove=true`]) {
      const { status, text } = await end(bob, path);
      expect(status).toBe(403);
      expect(JSON.parse(text).error).toMatch(
        /^Cannot end job .*somebody else's.* the id ann or one for admin$/,
      );
    }
    expect(JSON.parse((await end(annLater, one)).text)).toMatchObject({ job: one, state: 'cancelled' });
    expect(JSON.parse((await end(admin, two)).text)).toMatchObject({ state: 'cancelled' });
  });

  it('is not for who submits the same search while it runs, and is for who has it run again', async () => {
    const job = await submitted(ann, 3n);
    expect(await submitted(bob, 3n)).toBe(job);
    expect((await end(bob, job)).status).toBe(403);
    expect((await end(ann, job)).status).toBe(200);
    expect(await submitted(bob, 3n)).toBe(job);
    expect((await end(ann, job)).status).toBe(403);
    expect((await end(bob, `${job}?remove=true`)).status).toBe(200);
  });

  it('is for everybody who may cancel where nobody knows who submitted it, as in older records', () => {
    const old = {
      job: 'a',
      request: '',
      state: 'running',
      reason: '',
      result: '',
      priority: 0,
      sequence: 1,
    } as const;
    const bearer = { scope: 'submit', id: 'bob', isStillGood: () => true } as const;
    expect(mayEnd(bearer, statusOf(entryOf(old)))).toBe(true);
    expect(mayEnd(bearer, statusOf(entryOf({ ...old, submitter: '' })))).toBe(false);
  });
});
