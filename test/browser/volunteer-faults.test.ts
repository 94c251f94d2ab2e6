/** What may happen to a volunteer's tab: it is closed, cut off, hidden, its threads crash, or its coordinator goes and comes back. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { hasBrowser, openBrowser, openWatchedPage } from '../support/browser.ts';
import { openChaosProxy } from '../support/chaos-proxy.ts';
import { freePort } from '../support/free-port.ts';
import { submitJob, ticketOf, tilesDone, whenJob } from '../support/job-client.ts';
import { endAllProcesses, type NodeProcess, startNode } from '../support/node-process.ts';
import { openTestGateway } from '../support/test-gateway.ts';
import {
  expectedTicket,
  setHidden,
  startAt,
  storedResults,
  submission,
  tileSize,
  untilStatus,
  untilTiles,
  wantedSlots,
} from '../support/volunteer-page.ts';

const closers: (() => unknown)[] = [];

describe.skipIf(!hasBrowser)('a volunteer’s tab', () => {
  let browser: Browser;
  let expected: Uint8Array;
  beforeAll(async () => {
    browser = await openBrowser();
    expected = await expectedTicket();
  });
  afterAll(async () => {
    await browser.close();
  });
  afterEach(async () => {
    for (const context of browser.contexts()) await context.close();
    for (const close of closers.splice(0).reverse()) await close();
    await endAllProcesses();
  });

  async function openGateway() {
    const gateway = await openTestGateway({ volunteers: true, tileSize });
    closers.push(() => gateway.close());
    return gateway;
  }

  async function openTab(url: string): Promise<Page> {
    const { page } = await openWatchedPage(browser);
    await startAt(page, url);
    return page;
  }

  async function expectSameBytes(url: string, job: string): Promise<void> {
    expect(Buffer.compare(await ticketOf(url, job), expected)).toBe(0);
  }

  it('may be closed at work: others do its tiles', async () => {
    const { url } = await openGateway();
    const job = await submitJob(url, submission);
    const first = await openTab(url);
    await untilTiles(first, 3);
    await first.close();
    await Promise.all([openTab(url), openTab(url)]);
    await expectSameBytes(url, job);
  });

  it('comes back by itself when its connection was cut', async () => {
    const { url } = await openGateway();
    const proxy = await openChaosProxy(url);
    closers.push(() => proxy.close());
    const job = await submitJob(url, submission);
    // Alone: another tab might leave it no third tile.
    const page = await openTab(proxy.url);
    for (const count of [1, 3]) {
      await untilTiles(page, count);
      proxy.cut();
    }
    await openTab(url);
    await expectSameBytes(url, job);
  });

  it('hands in after a reload what was solved and not acknowledged', async () => {
    const { url } = await openGateway();
    const proxy = await openChaosProxy(url);
    closers.push(() => proxy.close());
    const job = await submitJob(url, submission);
    const page = await openTab(proxy.url);
    await untilTiles(page, 1);
    // From here on nothing comes or goes; what the tab has in hand it still solves.
    proxy.hold();
    while ((await storedResults(page)) === 0) {
      const isAtWork = (await page.getByRole('status').textContent())?.includes('Working');
      if (isAtWork === true) continue;
      proxy.release();
      await untilStatus(page, /Working/);
      proxy.hold();
    }
    const kept = await storedResults(page);
    const context = page.context();
    await page.close();
    proxy.cut();
    proxy.release();
    const again = await context.newPage();
    await startAt(again, proxy.url);
    await untilTiles(again, kept);
    await expectSameBytes(url, job);
    await expect.poll(() => storedResults(again), { timeout: 60_000 }).toBe(0);
  });

  it('goes on with a coordinator that was killed and started again, which asks it to join anew', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'tombola-test-'));
    closers.push(() => rmSync(directory, { recursive: true, force: true }));
    const port = await freePort();
    const startCoordinator = async (): Promise<{ process: NodeProcess; url: string }> => {
      const process = startNode('coordinator-entry.mjs', { directory, port, tileSize, volunteers: true });
      const [url] = await process.said(/http:\/\/127\.0\.0\.1:\d+(?=\n)/);
      return { process, url };
    };
    const { process, url } = await startCoordinator();
    const job = await submitJob(url, submission);
    const pages = await Promise.all([openTab(url), openTab(url)]);
    await whenJob(url, job, (status) => tilesDone(status) >= 6);
    await process.end('SIGKILL');
    for (const page of pages) await untilStatus(page, /Not connected/);
    await startCoordinator();
    await expectSameBytes(url, job);
  });

  it('asks for one tile while it is hidden, and for nothing when it has been so for half an hour', async () => {
    const gateway = await openGateway();
    const { page } = await openWatchedPage(browser);
    const wants = wantedSlots(page);
    await page.clock.install();
    await startAt(page, gateway.url);
    await expect.poll(() => wants).toEqual([expect.any(Number)]);
    const [many] = wants;
    expect(many).toBeGreaterThan(1);
    await setHidden(page, true);
    await expect.poll(() => wants).toEqual([many, 1]);
    expect(page.workers().length).toBeGreaterThan(0);
    await page.clock.fastForward('29:00');
    expect(await page.getByRole('status').textContent()).not.toMatch(/Paused/);
    await page.clock.fastForward('01:01');
    await untilStatus(page, /Paused/);
    await expect.poll(() => page.workers().length).toBe(0);
    expect(wants.slice(1)).not.toContain(many);
    await setHidden(page, false);
    await untilStatus(page, /Waiting for work/);
    await expect.poll(() => wants.at(-1)).toBe(many);
  });

  it.each([
    ['one tile', 'hidden', true],
    ['many tiles', 'shown', false],
  ])('asks for %s when it was %s while it started', async (_, __, isHidden) => {
    const { url } = await openGateway();
    const { page } = await openWatchedPage(browser);
    const wants = wantedSlots(page);
    await page.addInitScript(
      `Object.defineProperty(document, 'hidden', { configurable: true, value: ${!isHidden} })`,
    );
    let mayJoin = (): void => undefined;
    const joining = new Promise<void>((resolve) => {
      mayJoin = resolve;
    });
    await page.route('**/join', async (route) => {
      await joining;
      await route.continue();
    });
    await startAt(page, url);
    await setHidden(page, isHidden);
    mayJoin();
    await expect.poll(() => wants.length).toBeGreaterThan(0);
    expect(wants.every((slots) => (slots === 1) === isHidden)).toBe(true);
  });

  it('pauses on battery, unless it is told not to', async () => {
    const { url } = await openGateway();
    const { page } = await openWatchedPage(browser);
    await page.addInitScript(() => {
      const battery = Object.assign(new EventTarget(), { charging: true });
      Object.assign(globalThis, { battery });
      Object.defineProperty(navigator, 'getBattery', { value: () => Promise.resolve(battery) });
    });
    await startAt(page, url);
    await untilStatus(page, /Waiting for work/);
    await page.evaluate(() => {
      const { battery } = globalThis as unknown as { battery: EventTarget & { charging: boolean } };
      battery.charging = false;
      battery.dispatchEvent(new Event('chargingchange'));
    });
    await untilStatus(page, /Paused while this device runs on its battery/);
    await page.locator('#gentle').uncheck();
    await untilStatus(page, /Waiting for work/);
  });

  it.each(['solver', 'timer'])('starts anew when its %s threads have crashed', async (kind) => {
    const { url } = await openGateway();
    const page = await openTab(url);
    await untilStatus(page, /Waiting for work/);
    const crashing = page.workers().filter((worker) => worker.url().includes(`${kind}-thread`));
    expect(crashing.length).toBeGreaterThan(0);
    for (const worker of crashing)
      await worker.evaluate(() => {
        setTimeout(() => {
          throw new Error('out of memory');
        });
      });
    await untilStatus(page, /Trying again soon: .*out of memory/);
    await submitJob(url, submission);
    await untilTiles(page, 1);
  });
});
