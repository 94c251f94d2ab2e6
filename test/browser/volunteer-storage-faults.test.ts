/** A volunteer's tab in a browser that keeps nothing, takes away what it kept, or has kept what nobody can read. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { hasBrowser, openBrowser, openWatchedPage } from '../support/browser.ts';
import { submitJob } from '../support/job-client.ts';
import { openTestGateway, type TestGateway } from '../support/test-gateway.ts';
import {
  startAt,
  storedResults,
  submission,
  tileSize,
  untilStatus,
  untilTiles,
} from '../support/volunteer-page.ts';

describe.skipIf(!hasBrowser)('a volunteer’s tab', () => {
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

  function untilSearchIsSeen(page: Page): Promise<unknown> {
    return page.waitForResponse((response) => response.url().endsWith('/api/volunteer') && response.ok());
  }

  it('joins once and works where site data is blocked', async () => {
    await submitJob(gateway.url, submission);
    const { page, complaints } = await openWatchedPage(browser);
    await page.addInitScript(() => {
      for (const name of ['sessionStorage', 'indexedDB'])
        Object.defineProperty(globalThis, name, {
          get: () => {
            throw new DOMException('The operation is insecure.', 'SecurityError');
          },
        });
    });
    let joins = 0;
    page.on('request', (request) => {
      if (request.url().endsWith('/join')) joins++;
    });
    await startAt(page, gateway.url);
    await untilTiles(page, 3);
    await untilSearchIsSeen(page);
    await untilSearchIsSeen(page);
    expect(joins).toBe(1);
    expect(complaints).toEqual([]);
  });

  it('works on when the browser clears its site’s data', async () => {
    const { page, context, complaints } = await openWatchedPage(browser);
    await startAt(page, gateway.url);
    await untilStatus(page, /Waiting for work/);
    const session = await context.newCDPSession(page);
    await session.send('Storage.clearDataForOrigin', { origin: gateway.url, storageTypes: 'indexeddb' });
    await submitJob(gateway.url, submission);
    await untilTiles(page, 3);
    expect(complaints).toEqual([]);
  });

  it('throws away kept results that it cannot read', async () => {
    const { page } = await openWatchedPage(browser);
    await page.goto(`${gateway.url}/volunteer`);
    await page.evaluate(
      () =>
        new Promise<void>((resolve, reject) => {
          const opening = indexedDB.open('tombola', 1);
          opening.onupgradeneeded = () => opening.result.createObjectStore('results');
          opening.onerror = () => reject(opening.error);
          opening.onsuccess = () => {
            const writing = opening.result.transaction('results', 'readwrite');
            writing.objectStore('results').put({ kind: 'result', version: 0 }, 'j/old');
            writing.objectStore('results').put('nonsense', 7);
            writing.oncomplete = () => {
              opening.result.close();
              resolve();
            };
          };
        }),
    );
    expect(await storedResults(page)).toBe(2);
    await page.getByRole('button', { name: 'Start' }).click();
    await untilStatus(page, /Waiting for work/);
    expect(await storedResults(page)).toBe(0);
  });
});
