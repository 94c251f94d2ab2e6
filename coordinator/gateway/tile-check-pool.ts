/** Checks workers' results on threads, through piscina: a socket's loop never computes. */
import { Piscina } from 'piscina';
import { misuse } from '../../src/core/errors.ts';
import { poolThreadsMax } from '../../src/core/limits.ts';
import type { LayerProblem } from '../../src/core/plan/tile.ts';
import { ownedBuffer } from '../owned-buffer.ts';
import { threadFlags, withoutPrototype } from '../pool-options.ts';
import { withSharedArrays } from '../shared-arrays.ts';
import { checkTile } from './check-tile.ts';
import type { ThreadCheckTask, TileCheckReply, TileCheckTask } from './tile-check-task.ts';

/** Threads that check results. Whoever opens them closes them. */
export interface TileCheckPool {
  /**
   * Returns the verdict on a result, whose body is handed over. A problem is recognised by identity: hand over the same object for
   * all tiles of a layer, and leave its arrays as they are.
   */
  check(task: TileCheckTask): Promise<TileCheckReply>;
  /** Ends the threads; what is not checked is rejected. Idempotent. */
  close(): Promise<void>;
}

/**
 * Returns a pool of at most `threads` threads, started when there is something to check.
 * @throws TombolaError (misuse) when `threads` is not a whole number from 1 to the limit.
 */
export function openTileCheckPool({ threads }: { readonly threads: number }): TileCheckPool {
  if (!Number.isInteger(threads) || threads < 1 || threads > poolThreadsMax)
    throw misuse(
      `Cannot check results on ${threads} threads, expected a whole number from 1 to ${poolThreadsMax}`,
    );
  const piscina = new Piscina(
    withoutPrototype({
      filename: threadEntry(),
      minThreads: 1,
      maxThreads: threads,
      idleTimeout: 60_000,
      ...threadFlags,
    }),
  );
  const layers = new WeakMap<LayerProblem, { problem: LayerProblem; layerKey: number }>();
  let layerCount = 0;
  let closing: Promise<void> | undefined;

  function layerOf(problem: LayerProblem): { problem: LayerProblem; layerKey: number } {
    let layer = layers.get(problem);
    if (layer === undefined) {
      layer = { problem: withSharedArrays(problem), layerKey: layerCount++ };
      layers.set(problem, layer);
    }
    return layer;
  }

  return {
    check: async (task) =>
      await piscina.run(
        { ...task, ...layerOf(task.problem) } satisfies ThreadCheckTask,
        withoutPrototype({ name: 'checkOnThread', transferList: ownedBuffer(task.body) }),
      ),
    close: () => {
      closing ??= piscina.destroy();
      return closing;
    },
  };
}

/** Returns checks on the caller's own thread: for where there are no sockets to keep waiting and results are few. */
export function localTileChecks(): TileCheckPool {
  return { check: async (task) => checkTile(task), close: async () => undefined };
}

/** Threads load JavaScript. Run from its TypeScript source, as tests do, this file lies two folders below the repository root. */
function threadEntry(): string {
  const place = import.meta.url.endsWith('.ts')
    ? '../../dist/coordinator/gateway/tile-check-thread.js'
    : './tile-check-thread.js';
  return new URL(place, import.meta.url).href;
}
