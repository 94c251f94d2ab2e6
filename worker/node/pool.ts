/** Solves tiles on the threads of this machine: one kernel per thread, through piscina. */
import { Piscina } from 'piscina';
import { invariant, misuse } from '../../src/core/errors.ts';
import { poolThreadsMax } from '../../src/core/limits.ts';
import type { BiasProblem, LayerProblem, Solver, Tile, TileResult } from '../../src/core/plan/tile.ts';
import type { BodyForm } from '../../src/core/protocol/transport.ts';
import type { SolvedBody } from '../session-shell.ts';
import type { SolveTask, ThreadReplies } from './thread-task.ts';

/** A solver that owns threads. Whoever opens it closes it. */
export interface SolverPool extends Solver {
  /**
   * Solves a tile on the next free thread. A problem is recognised by identity, so hand over the same object for all tiles
   * of a layer, and leave its arrays as they are.
   * @throws the signal's reason at once when it aborts first: a tile that waits is then skipped, and of one that is being
   * solved the result is dropped.
   */
  solve(problem: LayerProblem, tile: Tile, options?: { readonly signal?: AbortSignal }): Promise<TileResult>;
  /** Does the same, and encodes the result as the body of a message on the thread. */
  solveBody(
    problem: LayerProblem,
    tile: Tile,
    options: { readonly signal?: AbortSignal; readonly form: BodyForm },
  ): Promise<SolvedBody>;
  /** Ends the threads; tiles that are not done are rejected. Idempotent. */
  close(): Promise<void>;
}

/**
 * Returns a pool with `threads` threads, all started at once.
 * @throws TombolaError when `threads` is not a whole number from 1 to the limit.
 */
export function openPool(options: { readonly threads: number }): SolverPool {
  const { threads } = options;
  if (!Number.isInteger(threads) || threads < 1 || threads > poolThreadsMax) {
    throw misuse(
      `Cannot open a pool of ${threads} threads, expected a whole number from 1 to ${poolThreadsMax}`,
    );
  }
  const piscina = new Piscina(
    withoutPrototype({
      filename: threadEntry(),
      minThreads: threads,
      maxThreads: threads,
      ...threadFlags(),
    }),
  );
  const layers = new WeakMap<LayerProblem, { readonly layerKey: number; readonly problem: LayerProblem }>();
  let layerCount = 0;
  let closing: Promise<void> | undefined;

  function shared(problem: LayerProblem): { readonly layerKey: number; readonly problem: LayerProblem } {
    let layer = layers.get(problem);
    if (layer === undefined) {
      layer = { layerKey: layerCount++, problem: inSharedMemory(problem) };
      layers.set(problem, layer);
    }
    return layer;
  }

  async function solve<Kind extends SolveTask['kind']>(
    kind: Kind,
    { problem, tile, signal }: { problem: LayerProblem; tile: Tile; signal: AbortSignal | undefined },
  ): Promise<NonNullable<ThreadReplies[Kind]>> {
    // Piscina itself would start new threads.
    invariant(closing === undefined, 'a closed pool is given no tiles');
    signal?.throwIfAborted();
    const abandoned = signal === undefined ? null : new Int32Array(new SharedArrayBuffer(4));
    const task: SolveTask = { kind, ...shared(problem), tile, abandoned };
    const reply: Promise<ThreadReplies[Kind]> = piscina.run(task, withoutPrototype({ name: 'runTask' }));
    const result = await (signal === undefined || abandoned === null
      ? reply
      : unlessAborted(reply, signal, abandoned));
    invariant(result !== undefined, 'a tile that nobody gave up is solved');
    return result as NonNullable<ThreadReplies[Kind]>;
  }

  return {
    // One tile at work and one waiting per thread, so that no thread idles while a result is on its way.
    concurrency: 2 * threads,
    solve: (problem, tile, { signal } = {}) => solve('solve', { problem, tile, signal }),
    solveBody: (problem, tile, { signal, form }) => solve(`solve-${form}`, { problem, tile, signal }),
    close: () => {
      closing ??= destroy(piscina);
      return closing;
    },
  };
}

/** Ends the threads. A reply that is on its way just then is nobody's, and Piscina (5.3.2) would throw it as an uncaught error. */
function destroy(piscina: Piscina): Promise<void> {
  piscina.on('error', () => undefined);
  return piscina.destroy();
}

/**
 * Returns the reply, or rejects when the signal aborts before it comes. Piscina's own signals are not used: aborting a task
 * at work ends its thread, and a reply that is on its way just then is thrown as an uncaught exception (5.3.2).
 */
function unlessAborted<T>(reply: Promise<T>, signal: AbortSignal, abandoned: Int32Array): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = () => {
      Atomics.store(abandoned, 0, 1);
      reject(signal.reason);
    };
    signal.addEventListener('abort', giveUp, { once: true });
    const stopListening = () => signal.removeEventListener('abort', giveUp);
    reply.then(resolve, reject).finally(stopListening);
  });
}

/**
 * Worker threads load JavaScript. Run from its TypeScript source, as tests do, this file lies two folders below the
 * repository root, and the compiled entry lies in dist.
 */
function threadEntry(): string {
  const place = import.meta.url.endsWith('.ts') ? '../../dist/worker/node/thread.js' : './thread.js';
  return new URL(place, import.meta.url).href;
}

/**
 * Returns options of Node for piscina's threads. Piscina (5.3.2) first tries to load a module with require(), and a thread that is
 * ended in the middle of that ends the whole process (seen with Node 20 and 22: "IsGraphAsync must be used on an instantiated module").
 */
function threadFlags(): { execArgv?: string[] } {
  const flag = '--no-experimental-require-module';
  return process.allowedNodeEnvironmentFlags.has(flag) ? { execArgv: [flag] } : {};
}

/** Options without a prototype: a polluted Object.prototype must not choose the file that a thread runs (CVE-2026-55388). */
function withoutPrototype<T extends object>(options: T): T {
  return Object.assign(Object.create(null), options);
}

/** Returns the problem with its arrays copied to shared memory: sending it to a thread then copies a few words. */
function inSharedMemory(problem: LayerProblem): LayerProblem {
  const bias: BiasProblem = {
    ...problem.bias,
    elements: sharedCopy(problem.bias.elements),
    values: sharedCopy(problem.bias.values),
  };
  return {
    ...problem,
    groupOffsets: sharedCopy(problem.groupOffsets),
    groupColumns: sharedCopy(problem.groupColumns),
    groupChannels: sharedCopy(problem.groupChannels),
    groupMultipliers: problem.groupMultipliers && sharedCopy(problem.groupMultipliers),
    bias,
  };
}

function sharedCopy(array: Int32Array): Int32Array {
  const copy = new Int32Array(new SharedArrayBuffer(array.byteLength));
  copy.set(array);
  return copy;
}
