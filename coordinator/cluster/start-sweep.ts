/** What dead gateways and removed jobs leave in the engine is swept away when a gateway starts, and once a day. */
import { setTimeout as delay } from 'node:timers/promises';
import { closeMsMax, natsRemovalKnownMs, natsSweepMs } from '../../src/core/limits.ts';
import type { Cells } from '../engine/nats/cells.ts';
import type { NatsEngine } from '../engine/nats/nats-engine.ts';
import { reasonOf } from '../reason-of.ts';
import { waitAtMost } from '../wait-at-most.ts';

/** What is swept. */
export interface SweepOptions {
  readonly engine: Pick<NatsEngine, 'sweep'>;
  readonly cells: Cells;
  readonly onTrouble: (reason: string) => void;
}

/** Begins to sweep, beside whatever else the gateway does. Returns how to stop, which resolves when it has. */
export function startSweep({ engine, cells, onTrouble }: SweepOptions): () => Promise<void> {
  const ending = new AbortController();
  const { signal } = ending;
  const run = async (): Promise<void> => {
    while (!signal.aborted) {
      try {
        await engine.sweep(signal);
        await sweepCells(cells, signal);
      } catch (error) {
        if (!signal.aborted) onTrouble(reasonOf(error));
      }
      await delay(natsSweepMs, undefined, { signal, ref: false }).catch(() => undefined);
    }
  };
  const running = run();
  return async () => {
    ending.abort();
    await waitAtMost(closeMsMax, running);
  };
}

async function sweepCells(cells: Cells, signal: AbortSignal): Promise<void> {
  for (const cell of await cells.removed())
    if (!signal.aborted && Date.now() - cell.atMs >= natsRemovalKnownMs) await cells.forget(cell);
}
