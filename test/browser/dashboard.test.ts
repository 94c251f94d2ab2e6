/** The dashboard in a real browser, on a real coordinator. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { issueToken, newTokenKey, type TokenKeys, type TokenScope } from '../../coordinator/tokens.ts';
import { runWorker } from '../../worker/node/run-worker.ts';
import {
  accessibilityFaults,
  hasBrowser,
  keepScreenshot,
  openBrowser,
  openWatchedPage,
  viewports,
  type WatchedPage,
} from '../support/browser.ts';
import { defaultOptions } from '../support/in-process-search.ts';
import { submitJob, ticketOf, whenJob } from '../support/job-client.ts';
import { networkBytes } from '../support/job-life.ts';
import { joinRaw, resultFor } from '../support/raw-worker.ts';
import { openTestGateway, type TestGateway } from '../support/test-gateway.ts';

const keys: TokenKeys = { current: newTokenKey(), previous: null };
const tokenFor = (scope: TokenScope): string => issueToken(keys, { scope, ttlMs: 3_600_000 }, Date.now());

let browser: Browser;
let open: TestGateway;
let closed: TestGateway;
const pages: WatchedPage[] = [];
beforeAll(async () => {
  if (!hasBrowser) return;
  browser = await openBrowser();
  open = await openTestGateway({ tileSize: { kind: 'blocks', blocks: 100 } });
  closed = await openTestGateway({ tileSize: { kind: 'blocks', blocks: 100 }, keys });
});
afterEach(async () => {
  for (const { context } of pages.splice(0)) await context.close();
});
afterAll(async () => {
  await browser?.close();
  await open?.close();
  await closed?.close();
});

async function visit(url: string, options: Parameters<typeof openWatchedPage>[1] = {}): Promise<WatchedPage> {
  const watched = await openWatchedPage(browser, { viewport: viewports.desktop, ...options });
  pages.push(watched);
  await watched.page.goto(url);
  return watched;
}

/** Submits a job of its own for each seed. */
function submit(seed: bigint, url = open.url, token = ''): Promise<string> {
  return submitJob(url, { network: networkBytes, options: { ...defaultOptions, seed }, token });
}

/** The page itself ends its feed to follow another job. */
const isWorse = (complaint: string): boolean => !/\/api\/live.*: net::ERR_ABORTED$/.test(complaint);

async function logIn(page: Page, token: string): Promise<void> {
  await page.getByLabel('Access token').fill(token);
  await page.getByRole('button', { name: 'Look' }).click();
}

async function finish(job: string): Promise<void> {
  const worker = await runWorker({
    urls: [open.url],
    threads: 1,
    token: '',
    insecure: false,
    onReport: () => undefined,
  });
  await whenJob(open.url, job, ({ state }) => state === 'done');
  await worker.close();
}

describe.skipIf(!hasBrowser)('the dashboard', () => {
  it('shows a job from its first lease to its report without being loaded again', async () => {
    const job = await submit(1n);
    const { page, complaints } = await visit(open.url);
    await page.getByRole('heading', { name: 'test' }).waitFor();
    await page.getByText('No workers are connected').waitFor();
    const worker = await joinRaw(open.url, { workerId: 'slow-machine' });
    worker.send({ kind: 'want', slots: 1 });
    const spec = await worker.next('spec');
    const [lease] = (await worker.next('grant')).leases;
    await page.getByText(/0 of \d+ tiles done, 1 in work/).waitFor();
    await page.getByRole('row', { name: /slow-machine/ }).waitFor();
    if (lease === undefined) throw new Error('nothing granted');
    const result = resultFor(lease, spec);
    worker.send({ ...result, body: result.body.map((byte) => byte ^ 85) });
    await page.getByText('Result refused').waitFor();
    worker.close();
    await page.getByText('No workers are connected').waitFor();
    await finish(job);
    await page.getByRole('heading', { name: 'The ticket' }).waitFor();
    await page.getByText('every residual, as read back from disk').waitFor();
    expect(await page.getByRole('img', { name: /^Tiles of/ }).count()).toBeGreaterThan(1);
    expect(await page.title()).toBe('100 % test · Tombola');
    expect(complaints.filter(isWorse)).toEqual([]);
  });

  it('hands over the ticket and its card', async () => {
    const job = await submit(1n);
    await finish(job);
    const { page, complaints } = await visit(`${open.url}/#job=${job}`);
    const [ticket] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Download ticket' }).click(),
    ]);
    expect(ticket.suggestedFilename()).toBe('test.ticket.safetensors');
    const bytes = readFileSync(await ticket.path());
    expect(Buffer.compare(bytes, await ticketOf(open.url, job))).toBe(0);
    const [card] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Download card' }).click(),
    ]);
    const text = readFileSync(await card.path(), 'utf8');
    expect(text).toMatch(/^---\nlibrary_name: tombola\n/);
    expect(text).toContain('verified: true');
    expect(complaints.filter(isWorse)).toEqual([]);
  });

  it('submits a search and cancels it', async () => {
    const { page, complaints } = await visit(open.url);
    await page.getByText('Submit a search').click();
    const file = {
      name: 'my-model.safetensors',
      mimeType: 'application/octet-stream',
      buffer: Buffer.from('no network'),
    };
    await page.getByLabel('Network file').setInputFiles(file);
    await page.getByLabel('Seed').fill('77');
    await page.getByRole('button', { name: 'Submit' }).click();
    await page
      .getByRole('alert')
      .filter({ hasText: /Cannot / })
      .waitFor();
    expect(await page.getByLabel('Seed').inputValue()).toBe('77');
    await page.getByLabel('Network file').setInputFiles({ ...file, buffer: Buffer.from(networkBytes) });
    await page.getByRole('button', { name: 'Submit' }).click();
    await page.getByRole('heading', { name: 'my-model' }).waitFor();
    await page.getByText('ε = 0.01, fewest').waitFor();
    await page.getByRole('button', { name: 'Cancel job' }).click();
    await page.getByRole('button', { name: 'Let it run' }).click();
    await page.getByRole('button', { name: 'Cancel job' }).click();
    await page.getByRole('button', { name: 'Yes, cancel it' }).click();
    await page.locator('.detail').getByText('cancelled', { exact: true }).waitFor();
    // The browser itself notes that the first submission was answered with 400 or 422.
    expect(complaints.filter((text) => isWorse(text) && !/status of 4(00|22)/.test(text))).toEqual([]);
  });

  it('wants a token where the coordinator does, says what is wrong with one, and keeps a good one for its tab', async () => {
    const { page, context } = await visit(closed.url);
    await page.getByLabel('Access token').waitFor();
    expect(await page.getByRole('alert').count()).toBe(0);
    await logIn(page, 'read.nobody.1.x.y');
    await page.getByRole('alert').filter({ hasText: 'expected a valid token' }).waitFor();
    await logIn(page, tokenFor('volunteer'));
    await page.getByRole('alert').filter({ hasText: 'Cannot read with a token for volunteer' }).waitFor();
    await logIn(page, tokenFor('read'));
    await page.getByRole('status').filter({ hasText: 'Live' }).waitFor();
    await page.getByText('Nothing has been submitted yet').waitFor();
    expect(await page.getByText('Submit a search').count()).toBe(0);
    await page.reload();
    await page.getByRole('status').filter({ hasText: 'Live' }).waitFor();
    expect(page.url()).not.toMatch(/read\./);
    expect(await context.cookies()).toEqual([]);
    const other = await context.newPage();
    await other.goto(closed.url);
    await other.getByLabel('Access token').waitFor();
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByLabel('Access token').waitFor();
    await page.reload();
    await page.getByLabel('Access token').waitFor();
  });

  it('lets whoever may only read cancel nothing', async () => {
    const job = await submit(5n, closed.url, tokenFor('submit'));
    const { page } = await visit(`${closed.url}/#job=${job}`);
    await logIn(page, tokenFor('read'));
    await page.getByRole('heading', { name: 'test' }).waitFor();
    expect(await page.getByRole('button', { name: 'Cancel job' }).count()).toBe(0);
    await page.getByRole('button', { name: 'Log out' }).click();
    await logIn(page, tokenFor('submit'));
    await page.getByRole('button', { name: 'Cancel job' }).waitFor();
  });

  it('lists all workers, when there are more than it keeps up to date', async () => {
    const workers = await Promise.all(
      Array.from({ length: 55 }, (_, k) =>
        joinRaw(open.url, { workerId: `many-${k}`, sessionId: `many-${k}` }),
      ),
    );
    const { page, complaints } = await visit(open.url);
    await page.getByText('the fastest 20 of 55').waitFor();
    expect(await page.getByRole('row', { name: /many-/ }).count()).toBe(20);
    await page.getByRole('button', { name: 'Show all 55' }).click();
    await page.getByText('1 to 50 of 55').waitFor();
    await expect.poll(() => page.getByRole('row', { name: /many-/ }).count()).toBe(50);
    await page.getByRole('button', { name: 'Next' }).click();
    await expect.poll(() => page.getByRole('row', { name: /many-/ }).count()).toBe(5);
    await page.getByRole('button', { name: 'Only the fastest' }).click();
    await page.getByText('the fastest 20 of 55').waitFor();
    for (const worker of workers) worker.close();
    expect(complaints.filter(isWorse)).toEqual([]);
  });

  it.each(['light', 'dark'] as const)(
    'has nothing that axe-core finds wrong when it is %s',
    async (colorScheme) => {
      const job = await submit(1n);
      await finish(job);
      const { page, complaints } = await visit(`${open.url}/#job=${job}`, { colorScheme });
      await page.getByRole('heading', { name: 'The ticket' }).waitFor();
      await page.getByText('Submit a search').click();
      expect(await accessibilityFaults(page)).toEqual([]);
      for (const [size, viewport] of Object.entries(viewports)) {
        await page.setViewportSize(viewport);
        const [content, window] = await page.evaluate(() => [document.body.scrollWidth, innerWidth]);
        expect(content).toBeLessThanOrEqual(window ?? 0);
        await keepScreenshot(page, `dashboard-${colorScheme}-${size}`);
      }
      expect(complaints.filter(isWorse)).toEqual([]);
      const login = await visit(closed.url, { colorScheme });
      await login.page.getByLabel('Access token').waitFor();
      expect(await accessibilityFaults(login.page)).toEqual([]);
    },
  );

  it('can be used by keyboard alone', async () => {
    const running = await submit(8n);
    const { page } = await visit(`${open.url}/#job=${running}`);
    const cancel = page.getByRole('button', { name: 'Cancel job' });
    await cancel.waitFor();
    for (let presses = 0; presses < 60; presses++) {
      await page.keyboard.press('Tab');
      if (await cancel.evaluate((button) => button === document.activeElement)) break;
    }
    await page.keyboard.press('Enter');
    const sure = page.getByRole('button', { name: 'Yes, cancel it' });
    await sure.waitFor();
    await page.keyboard.press('Tab');
    expect(await sure.evaluate((button) => button === document.activeElement)).toBe(true);
    await page.keyboard.press('Enter');
    await page.locator('.detail').getByText('cancelled', { exact: true }).waitFor();
  });
});

describe.skipIf(!hasBrowser)('a page of another origin', () => {
  it('can neither see nor do anything, though an operator is logged in beside it', async () => {
    const job = await submit(9n, closed.url, tokenFor('submit'));
    const server = createServer((_, response) => {
      response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>hostile</title>');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { context, page: operator } = await visit(closed.url);
    await logIn(operator, tokenFor('admin'));
    await operator.getByRole('status').filter({ hasText: 'Live' }).waitFor();
    const hostile = await context.newPage();
    await hostile.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    for (const [url, token] of [
      [closed.url, tokenFor('admin')],
      [open.url, null],
    ] as const) {
      const outcomes = await hostile.evaluate(attack, { url, job, token });
      expect(outcomes).toEqual(Object.fromEntries(Object.keys(outcomes).map((name) => [name, 'refused'])));
      expect(Object.keys(outcomes)).toHaveLength(7);
    }
    const kept = await fetch(`${closed.url}/api/jobs/${job}`, {
      headers: { authorization: `Bearer ${tokenFor('read')}` },
    });
    expect(await kept.json()).toMatchObject({ state: 'running' });
    server.close();
  });
});

/** Runs in the hostile page: each attempt, and whether anything came of it. `token`: even one that leaked is of no use to it. */
async function attack({
  url,
  job,
  token,
}: {
  url: string;
  job: string;
  token: string | null;
}): Promise<Record<string, string>> {
  const headers: Record<string, string> = token === null ? {} : { authorization: `Bearer ${token}` };
  const asked = (path: string, init: RequestInit = {}): Promise<string> =>
    fetch(`${url}${path}`, { headers, credentials: 'include', ...init }).then(
      (response) => `answered ${response.status}`,
      () => 'refused',
    );
  const loaded = (tag: 'script' | 'iframe', path: string): Promise<string> =>
    new Promise((resolve) => {
      const element = document.createElement(tag);
      element.onerror = () => resolve('refused');
      element.onload = () => {
        // A frame that may not be shown loads an error page, which is as foreign to us as any.
        const isRefused = element instanceof HTMLIFrameElement && element.contentDocument === null;
        resolve(isRefused ? 'refused' : 'loaded');
      };
      element.src = `${url}${path}`;
      document.body.append(element);
    });
  const body = new Blob(['{}'], { type: 'text/plain' });
  return {
    reads: await asked('/api/jobs'),
    follows: await asked('/api/live'),
    submits: await asked('/api/jobs?options={}', { method: 'POST', body }),
    cancels: await asked(`/api/jobs/${job}`, { method: 'DELETE' }),
    frames: await loaded('iframe', '/'),
    scripts: await loaded('script', '/api/jobs'),
    connects: await new Promise((resolve) => {
      const socket = new WebSocket(`${url.replace('http', 'ws')}/ws`);
      socket.onopen = () => resolve('opened');
      socket.onerror = () => resolve('refused');
    }),
  };
}
