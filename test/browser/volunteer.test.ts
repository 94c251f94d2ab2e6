/** The volunteers' page in a real browser, on a real coordinator: what it solves, and how it looks. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { kernelDigest } from '../../worker/kernel/kernel.ts';
import {
  accessibilityFaults,
  hasBrowser,
  keepScreenshot,
  openBrowser,
  openWatchedPage,
  viewports,
} from '../support/browser.ts';
import { submitJob, ticketOf } from '../support/job-client.ts';
import { openTestGateway, type TestGateway } from '../support/test-gateway.ts';
import { expectedTicket, startAt, submission, tileSize, untilTiles } from '../support/volunteer-page.ts';

describe.skipIf(!hasBrowser)('the volunteer page', () => {
  let browser: Browser;
  let gateway: TestGateway;
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(async () => {
    await browser.close();
  });
  beforeEach(async () => {
    gateway = await openTestGateway({ volunteers: true, tileSize });
  });
  afterEach(async () => {
    for (const context of browser.contexts()) await context.close();
    await gateway.close();
  });

  it('computes nothing before Start, then solves a job in two tabs alone, to the bytes of one machine', async () => {
    const job = await submitJob(gateway.url, submission);
    const tabs = [await openWatchedPage(browser), await openWatchedPage(browser)];
    for (const { page } of tabs) {
      await page.goto(`${gateway.url}/volunteer`);
      await page.locator('.job-name', { hasText: 'test' }).waitFor();
      expect(page.workers()).toEqual([]);
    }
    for (const { page } of tabs) await page.getByRole('button', { name: 'Start' }).click();
    expect(Buffer.compare(await ticketOf(gateway.url, job), await expectedTicket())).toBe(0);
    for (const { page, complaints } of tabs) {
      await untilTiles(page, 1);
      await page.locator('summary').click();
      expect(await page.locator('#kernel').textContent()).toBe(kernelDigest);
      expect(await page.evaluate(() => self.crossOriginIsolated)).toBe(true);
      await page.getByRole('button', { name: 'Stop' }).click();
      await page.waitForFunction(() =>
        document.querySelector('.status')?.textContent?.startsWith('Not running'),
      );
      expect(complaints).toEqual([]);
    }
  });

  it.each(Object.keys(viewports) as (keyof typeof viewports)[])(
    'is accessible in light and dark, idle and at work, at the size of a %s',
    async (size) => {
      await submitJob(gateway.url, submission);
      const { page, complaints } = await openWatchedPage(browser, { viewport: viewports[size] });
      await startAt(page, gateway.url);
      await untilTiles(page, 3);
      await page.locator('summary').click();
      for (const state of ['at-work', 'idle']) {
        for (const colorScheme of ['light', 'dark'] as const) {
          await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
          expect(await accessibilityFaults(page)).toEqual([]);
          await keepScreenshot(page, `volunteer-${size}-${colorScheme}-${state}`);
        }
        await page.getByRole('button', { name: /Start|Stop/ }).click();
      }
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
      expect(overflow).toBe(false);
      expect(complaints).toEqual([]);
    },
  );

  it('works by keyboard alone', async () => {
    await submitJob(gateway.url, submission);
    const { page } = await openWatchedPage(browser);
    await page.goto(`${gateway.url}/volunteer`);
    await page.locator('figure').waitFor();
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await untilTiles(page, 1);
    for (const id of ['cores', 'duty']) {
      await page.keyboard.press('Tab');
      expect(await page.evaluate(() => document.activeElement?.id)).toBe(id);
      await page.keyboard.press('End');
    }
    await page.keyboard.press('ArrowLeft');
    expect(await page.locator('label[for=duty]').textContent()).toContain('90 %');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Space');
    expect(await page.locator('#gentle').isChecked()).toBe(false);
  });
});

it('the page, its kernel and its threads take less than 60 kB', () => {
  const folder = fileURLToPath(new URL('../../dist/pages/volunteer/', import.meta.url));
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  expect(files.length).toBeGreaterThanOrEqual(5);
  const sizes = files.map(({ parentPath, name }) => gzipSync(readFileSync(`${parentPath}/${name}`)).length);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(60_000);
});
