/** Chromium, driven by Playwright: Debian's, or the one that the variable CHROMIUM names. Tests that need it are skipped where it is missing. */
import { existsSync, mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import axe from 'axe-core';
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Page,
} from 'playwright-core';

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const args = [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const screenshots = fileURLToPath(new URL('../browser/screenshots/', import.meta.url));

/** Whether there is a browser; if not, says so once. */
export const hasBrowser: boolean = existsSync(executablePath);
if (!hasBrowser)
  process.stderr.write(
    `No browser at ${executablePath}: its tests are skipped. Install chromium, or name it with CHROMIUM.\n`,
  );

/** A page, and what it has complained about. */
export interface WatchedPage {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Errors and warnings of its console, exceptions, requests that failed or left this machine. */
  readonly complaints: readonly string[];
}

/** Returns a browser; whoever opens it closes it. */
export function openBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath, args });
}

/** Returns a page of a context of its own: no page shares its storage. */
export async function openWatchedPage(
  browser: Browser,
  options: BrowserContextOptions = {},
): Promise<WatchedPage> {
  const context = await browser.newContext(options);
  return watch(await context.newPage());
}

/** Returns the page with what it complains about from now on. */
export function watch(page: Page): WatchedPage {
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('requestfailed', (request) => complaints.push(`${request.url()}: ${request.failure()?.errorText}`));
  page.on('request', (request) => {
    const { hostname, protocol } = new URL(request.url());
    if (/^http/.test(protocol) && hostname !== '127.0.0.1') complaints.push(`a request to ${request.url()}`);
  });
  return { page, context: page.context(), complaints };
}

/** Returns what axe-core finds wrong with the page, one line each. */
export async function accessibilityFaults(page: Page): Promise<string[]> {
  // As an expression over the debugger's connection: the page's own policy would take no script from us.
  await page.evaluate(axe.source);
  return page.evaluate(async () => {
    interface Finding {
      readonly id: string;
      readonly help: string;
      readonly nodes: readonly { readonly target: readonly unknown[] }[];
    }
    const page = globalThis as unknown as { axe: { run(): Promise<{ violations: readonly Finding[] }> } };
    const { violations } = await page.axe.run();
    return violations.map(
      ({ id, help, nodes }) => `${id}: ${help} (${nodes.map(({ target }) => target.join(' '))})`,
    );
  });
}

/** Keeps a picture of the whole page, to look at; git ignores it. */
export async function keepScreenshot(page: Page, name: string): Promise<void> {
  mkdirSync(screenshots, { recursive: true });
  await page.screenshot({ path: `${screenshots}${name}.png`, fullPage: true });
}

/** Sizes at which pages are looked at. */
export const viewports = {
  desktop: { width: 1280, height: 900 },
  phone: { width: 360, height: 740 },
} as const;
