/** The dashboard's feed: a real coordinator, a real job, and who may look. */
import { request } from 'node:http';
import { afterAll, describe, expect, it } from 'vitest';
import { issueToken, newTokenKey, type TokenKeys, tokenScopes } from '../../coordinator/tokens.ts';
import { runWorker } from '../../worker/node/run-worker.ts';
import { defaultOptions } from '../support/in-process-search.ts';
import { submitJob, whenJob } from '../support/job-client.ts';
import { networkBytes } from '../support/job-life.ts';
import { readLive } from '../support/live-reader.ts';
import { joinRaw, resultFor } from '../support/raw-worker.ts';
import { openTestGateway } from '../support/test-gateway.ts';

const open = await openTestGateway({ tileSize: { kind: 'blocks', blocks: 100 } });
const workerOptions = { threads: 1, token: '', insecure: false, onReport: () => undefined };
const keys: TokenKeys = { current: newTokenKey(), previous: null };
const closed = await openTestGateway({ keys });
afterAll(() => Promise.all([open.close(), closed.close()]));

describe('the feed', () => {
  it('follows a job from its submission to its report, tile by tile', async () => {
    const job = await submitJob(open.url, { network: networkBytes, options: defaultOptions });
    const reader = await readLive(open.url, { job });
    expect(reader.session).toMatchObject({ scope: 'admin', maySubmit: true, mayFetch: true });
    const worker = await joinRaw(open.url);
    worker.send({ kind: 'want', slots: 1 });
    const spec = await worker.next('spec');
    const { leases } = await worker.next('grant');
    await reader.until(({ job }) => (job?.layers[0]?.working ?? 0) > 0);
    expect(reader.job?.layers[0]?.cells).toMatch(/^8/);
    expect(reader.overview.workers).toMatchObject({ count: 1, trusted: 1, volunteers: 0, threads: 1 });
    const [lease] = leases;
    if (lease === undefined) throw new Error('nothing granted');
    const forged = resultFor(lease, spec);
    worker.send({ ...forged, body: forged.body.map((byte) => byte ^ 85) });
    await worker.next('refused');
    await reader.until(({ overview }) => overview.engine.resultsRefused > 0);
    expect(Object.values(reader.overview.troubles)).toMatchObject([{ event: 'result-refused' }]);
    await reader.until(({ job }) => (job?.layers[0]?.retried ?? 0) > 0);
    worker.close();
    reader.close();
  });

  it('shows the report of a job that is done', async () => {
    const job = await submitJob(open.url, {
      network: networkBytes,
      options: { ...defaultOptions, seed: 9n },
    });
    const worker = await runWorker({ ...workerOptions, urls: [open.url] });
    await whenJob(open.url, job, ({ state }) => state === 'done');
    const reader = await readLive(open.url, { job });
    await reader.until(({ job }) => job?.report != null);
    expect(reader.overview.jobs[job]).toMatchObject({ state: 'done', share: 1, secondsLeft: null });
    const shown = reader.job;
    expect(shown?.report?.verdict.fault).toBeNull();
    expect(shown?.report?.ticketBytes).toBe(shown?.ticketBytes);
    for (const [index, layer] of shown?.layers.entries() ?? []) {
      expect(layer).toMatchObject({ isDone: true, working: 0, failed: 0 });
      expect(layer.cells).toMatch(/^[7G]+$/);
      expect(layer.cells).toHaveLength(layer.tilesKnown);
      expect(layer.copies).toBe(shown?.report?.verdict.layers[index]?.copies);
      expect(layer.keptEdges).toBeGreaterThan(0);
      expect(layer.residuals.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(0);
    }
    expect(shown?.layers.reduce((sum, { keptEdges }) => sum + keptEdges, 0)).toBeLessThanOrEqual(
      shown?.report?.verdict.keptEdges ?? 0,
    );
    reader.close();
    await worker.close();
  });

  it('says that there is no such job', async () => {
    const reader = await readLive(open.url, { job: 'nobody' });
    await reader.until(({ job }) => job !== undefined);
    expect(reader.job).toBeNull();
    reader.close();
  });

  it.each(tokenScopes)('is open to %s as it should be', async (scope) => {
    const token = issueToken(keys, { scope, ttlMs: 3_600_000 }, Date.now());
    const opening = readLive(closed.url, { token });
    if (scope === 'worker' || scope === 'volunteer') {
      await expect(opening).rejects.toThrow(/^403 .*Cannot read with a token for/);
      return;
    }
    const reader = await opening;
    expect(reader.session).toMatchObject({ scope, maySubmit: scope !== 'read', mayFetch: scope !== 'read' });
    reader.close();
  });

  it('is closed without a token, and to pages of other origins with one', async () => {
    await expect(readLive(closed.url)).rejects.toThrow(/^401/);
    await expect(readLive(closed.url, { token: 'read.x.1.y.z' })).rejects.toThrow(/^401/);
    const token = issueToken(keys, { scope: 'read', ttlMs: 3_600_000 }, Date.now());
    const headers = { authorization: `Bearer ${token}`, origin: 'https://elsewhere.example' };
    const response = await fetch(`${closed.url}/api/live`, { headers });
    expect(response.status).toBe(403);
    expect(response.headers.get('access-control-allow-origin')).toBeNull();
  });

  it('is not even begun for a page elsewhere that hides its origin, while links from there work', async () => {
    const ask = (path: string, headers: Record<string, string>): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        const sent = request(`${open.url}${path}`, { headers }, (answer) => {
          resolve(answer.statusCode);
          sent.destroy();
        });
        sent.on('error', reject).end();
      });
    const asImage = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' };
    expect(await ask('/api/live', asImage)).toBe(403);
    expect(await ask('/api/live', { ...asImage, 'sec-fetch-site': 'same-site' })).toBe(403);
    expect(await ask('/api/live', { ...asImage, 'sec-fetch-site': 'same-origin' })).toBe(200);
    expect(await ask('/', { ...asImage, 'sec-fetch-mode': 'navigate' })).toBe(200);
  });

  it('ends when its token expires', async () => {
    const token = issueToken(keys, { scope: 'read', ttlMs: 1500 }, Date.now());
    const reader = await readLive(closed.url, { token });
    await expect(reader.until(() => false)).rejects.toThrow(/the feed has ended/);
  });

  it('lets the list of workers be read in parts', async () => {
    const answer = await fetch(`${open.url}/api/workers?from=0&count=0`);
    expect(await answer.json()).toMatchObject({ workers: [] });
    expect((await fetch(`${open.url}/api/workers?from=-1`)).status).toBe(400);
  });
});
