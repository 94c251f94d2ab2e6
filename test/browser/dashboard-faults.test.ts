/** The dashboard stays as it should be whatever it is told, and when it is told nothing any more. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type {
  LiveJob,
  LiveJobRow,
  LiveLayer,
  LiveLine,
  LiveOverview,
  LiveWorker,
} from '../../src/core/live/views.ts';
import {
  accessibilityFaults,
  hasBrowser,
  keepScreenshot,
  openBrowser,
  openWatchedPage,
  viewports,
} from '../support/browser.ts';
import { freePort } from '../support/free-port.ts';
import { defaultOptions } from '../support/in-process-search.ts';
import { networkBytes } from '../support/job-life.ts';
import { openTestGateway, type TestGateway } from '../support/test-gateway.ts';

let browser: Browser;
let gateway: TestGateway;
beforeAll(async () => {
  if (!hasBrowser) return;
  browser = await openBrowser();
  gateway = await openTestGateway();
});
afterAll(async () => {
  await browser?.close();
  await gateway?.close();
});

const endless = 'a-name-without-any-space-in-it-'.repeat(6);

const row: LiveJobRow = {
  name: endless,
  state: 'running',
  phase: 'solving',
  reason: '',
  priority: 0,
  sequence: 1,
  share: 0.37,
  blocksPerSecond: 123_456_789,
  secondsLeft: 5e6,
};

/** Cells of all kinds. */
const cells = Array.from({ length: 4096 }, (_, k) => String.fromCharCode(48 + ((k * 7) % 32))).join('');

function layerOf(index: number): LiveLayer {
  return {
    name: index === 1 ? endless : `dense${index}`,
    copies: 1_234_567,
    copiesWanted: 9_876_543,
    tilesDone: 43_210,
    tilesKnown: 100_000,
    pass: index,
    isDone: index === 0,
    cells: index < 2 ? cells : '',
    tilesPerCell: 25,
    working: 2048,
    retried: 321,
    failed: index === 1 ? 2 : 0,
    blocks: 1.5e10,
    keptEdges: 3.9e10,
    misses: 123_456,
    residuals: Array.from({ length: 20 }, (_, bin) => 20 - bin),
  };
}

const worker: LiveWorker = {
  worker: endless,
  kind: 'volunteer',
  runtime: 'browser',
  threads: 128,
  address: '2001:0db8:85a3:0000:0000:8a2e:0370:7334',
  leases: 1024,
  tilesDone: 1e6,
  blocksPerSecond: 1e8,
  quota: 1024,
  good: 1e6,
  isQuarantined: true,
  seenAtMs: 0,
};

const overview: LiveOverview = {
  atMs: 1e9,
  jobs: Object.fromEntries(Array.from({ length: 20 }, (_, k) => [`job${k}`, { ...row, sequence: k }])),
  jobCounts: { running: 100, done: 9000, failed: 800, incomplete: 70, cancelled: 6 },
  workers: {
    count: 1000,
    threads: 100_000,
    trusted: 600,
    volunteers: 400,
    quarantined: 5,
    blocksPerSecond: 1e11,
    fastest: Object.fromEntries(Array.from({ length: 20 }, (_, k) => [`s${k}`, worker])),
  },
  engine: {
    isPaused: true,
    openTiles: 100_000,
    pendingResults: 4096,
    heldResults: 1024,
    localSolves: 2,
    stalledMs: 1e7,
    resultsStored: 1e9,
    resultsRefused: 1e6,
  },
  troubles: { 1: { atMs: 0, event: 'result-refused', text: endless } },
};

const job: LiveJob = {
  ...row,
  reason: 'Cannot use the store: no space is left on the device; it is tried again',
  job: 'job1',
  targetSha256: 'ab'.repeat(32),
  options: {
    mode: 'tolerance',
    epsilon: 0.01,
    rule: 'fewest',
    seed: '18446744073709551615',
    gridBits: 24,
    copies: 'auto',
    inputRange: [-0.42421296, 2.8214867],
  },
  layers: Array.from({ length: 8 }, (_, index) => layerOf(index)),
  rates: Array.from({ length: 240 }, (_, k) => 1e8 * (1 + Math.sin(k / 9))),
  rateEveryMs: 8000,
  ticketBytes: 1e9,
  report: {
    ticketSha256: 'cd'.repeat(32),
    ticketBytes: 1e9,
    missedRows: 1e6,
    missingCopies: 5,
    verdict: {
      fault: null,
      keptEdges: 1e10,
      blocks: 1e9,
      certifiedBound: null,
      linearisationBound: null,
      layers: [],
    },
    seconds: { plan: 1, solve: 1e5, verify: 1e3 },
  },
};

const lines: readonly LiveLine[] = [
  { topic: 'session', state: { scope: 'admin', maySubmit: true, mayFetch: true } },
  { topic: 'overview', state: overview },
  { topic: 'job', state: job },
];

describe.skipIf(!hasBrowser)('the dashboard', () => {
  it('says when the coordinator is gone, and goes on when it is back', async () => {
    const port = await freePort();
    const before = await openTestGateway({ port });
    const { page, context } = await openWatchedPage(browser);
    await page.goto(before.url);
    await page.getByRole('status').filter({ hasText: 'Live' }).waitFor();
    await before.close();
    await page.getByRole('status').filter({ hasText: 'does not answer' }).waitFor();
    const after = await openTestGateway({ port });
    await page.getByRole('status').filter({ hasText: 'Live' }).waitFor();
    await after.close();
    await context.close();
  });

  it('shows names as text, whatever they are', async () => {
    const name = '<img src=x onerror=alert(1)>';
    const query = new URLSearchParams({
      name,
      options: JSON.stringify({ ...defaultOptions, seed: '6', inputRange: [0, 1] }),
    });
    const response = await fetch(`${gateway.url}/api/jobs?${query}`, {
      method: 'POST',
      body: new Uint8Array(networkBytes),
    });
    const { job } = (await response.json()) as { job: string };
    const { page, context, complaints } = await openWatchedPage(browser);
    await page.goto(`${gateway.url}/#job=${job}`);
    await page.getByRole('heading', { name }).waitFor();
    expect(complaints).toEqual([]);
    await fetch(`${gateway.url}/api/jobs/${job}`, { method: 'DELETE' });
    await context.close();
  });

  it.each(['light', 'dark'] as const)(
    'fits every screen, also one that becomes narrower, when it is %s',
    async (colorScheme) => {
      const { page, context, complaints } = await openWatchedPage(browser, {
        viewport: viewports.desktop,
        colorScheme,
      });
      await page.route('**/api/live**', (route) =>
        route.fulfill({ body: lines.map((line) => `${JSON.stringify(line)}\n`).join('') }),
      );
      await page.goto(`${gateway.url}/#job=job1`);
      await page.locator('.rates canvas').waitFor();
      // Two that have something to show, and what is folded is not drawn.
      await expect.poll(() => page.locator('.tiles canvas').count()).toBe(1);
      await page.locator('summary', { hasText: 'Layer 1: ' }).click();
      await expect.poll(() => page.locator('.tiles canvas').count()).toBe(2);
      for (const [size, viewport] of Object.entries(viewports)) {
        await page.setViewportSize(viewport);
        await expect
          .poll(() => page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth))
          .toBeLessThanOrEqual(0);
        await keepScreenshot(page, `dashboard-busy-${colorScheme}-${size}`);
      }
      expect(await accessibilityFaults(page)).toEqual([]);
      expect(complaints.filter((text) => !text.includes('net::ERR_ABORTED'))).toEqual([]);
      await context.close();
    },
  );
});
