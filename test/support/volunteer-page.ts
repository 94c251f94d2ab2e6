/** The volunteers' page as its tests use it: a job that it can solve, and what a person sees and does. */
import type { Page } from 'playwright-core';
import { encodeNetwork } from '../../src/core/format/network-file.ts';
import type { Network } from '../../src/core/network/network.ts';
import type { PlanOptions } from '../../src/core/plan/make-plan.ts';
import { activationStep, denseLayer } from './evaluation-networks.ts';
import { defaultOptions, kernelSolver, searchInProcess } from './in-process-search.ts';

const relu = activationStep({ kind: 'relu' });
const network: Network = {
  inputShape: [24],
  inputSteps: [],
  layers: [denseLayer(24, 30, [relu]), denseLayer(30, 4)],
};
const options: PlanOptions = { ...defaultOptions, epsilon: 1e-3, rule: 'closest' };

/** A job of about thirty tiles of {@link tileBlocks}. */
export const submission = { network: encodeNetwork(network), options };
/** Blocks of a tile to aim at. */
export const tileBlocks = 100;

/** Returns the bytes of its ticket, found here. */
export async function expectedTicket(): Promise<Uint8Array> {
  return (await searchInProcess(network, options, await kernelSolver())).bytes;
}

/** Opens the page and presses Start. */
export async function startAt(page: Page, url: string): Promise<void> {
  await page.goto(`${url}/volunteer`);
  await page.getByRole('button', { name: 'Start' }).click();
}

/** Resolves when the page says so of its state. */
export async function untilStatus(page: Page, text: RegExp): Promise<void> {
  await page.getByRole('status').filter({ hasText: text }).waitFor();
}

/** Resolves when it has handed in so many tiles. */
export async function untilTiles(page: Page, count: number): Promise<void> {
  await page.waitForFunction(
    (wanted) => Number(document.querySelector('#tiles')?.textContent) >= wanted,
    count,
  );
}

/** Returns how many results wait in the browser's store to be acknowledged. */
export function storedResults(page: Page): Promise<number> {
  return page.evaluate(
    () =>
      new Promise<number>((resolve, reject) => {
        const opening = indexedDB.open('tombola');
        opening.onerror = () => reject(opening.error);
        opening.onsuccess = () => {
          const counting = opening.result.transaction('results').objectStore('results').count();
          counting.onsuccess = () => resolve(counting.result);
          counting.onerror = () => reject(counting.error);
        };
      }),
  );
}
