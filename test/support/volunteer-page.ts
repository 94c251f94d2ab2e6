/** The volunteers' page as its tests use it: a job that it can solve, and what a person sees and does. */
import type { Page } from 'playwright-core';
import { encodeNetwork } from '../../src/core/format/network-file.ts';
import type { Network } from '../../src/core/network/network.ts';
import type { PlanOptions } from '../../src/core/plan/make-plan.ts';
import { decodeWorkerMessage } from '../../src/core/protocol/codec.ts';
import { activationStep, denseLayer } from './evaluation-networks.ts';
import { defaultOptions, kernelSolver, searchInProcess } from './in-process-search.ts';

const relu = activationStep({ kind: 'relu' });
const network: Network = {
  inputShape: [24],
  inputSteps: [],
  layers: [denseLayer(24, 30, [relu]), denseLayer(30, 4)],
};
const options: PlanOptions = { ...defaultOptions, epsilon: 1e-3, rule: 'closest' };

/** A job of about thirty tiles of {@link tileSize}. */
export const submission = { network: encodeNetwork(network), options };
/** Blocks of a tile to aim at. */
export const tileSize = { kind: 'blocks', blocks: 100 } as const;

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

/** Hides the tab or shows it again, as far as the page can tell. */
export async function setHidden(page: Page, isHidden: boolean): Promise<void> {
  await page.evaluate((value) => {
    Object.defineProperty(document, 'hidden', { configurable: true, value });
    document.dispatchEvent(new Event('visibilitychange'));
  }, isHidden);
}

/** Returns the tiles that the page asks for, message by message; to be called before it connects. */
export function wantedSlots(page: Page): readonly number[] {
  const wants: number[] = [];
  page.on('websocket', (socket) =>
    socket.on('framesent', ({ payload }) => {
      const message = decodeWorkerMessage(Buffer.from(payload));
      if (message.kind === 'want') wants.push(message.slots);
    }),
  );
  return wants;
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
