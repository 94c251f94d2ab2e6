/** Constructs on this machine through coordinator and worker, as on many machines: the two meet here over a link within the process. */
import { type Construction, type ConstructOptions, construct } from '../../coordinator/construct.ts';
import type { Engine } from '../../coordinator/engine/engine.ts';
import { openInProcess } from '../../coordinator/in-process.ts';
import { committedTileStore, jobSolver } from '../../coordinator/jobs/job-solver.ts';
import { jobEngineOf } from '../../coordinator/jobs/job-store.ts';
import { kernelDigest } from '../../worker/kernel/kernel.ts';
import { openPool, type SolverPool } from '../../worker/node/pool.ts';
import { runWorker } from '../../worker/node/run-worker.ts';
import { failure } from '../core/errors.ts';
import type { Network } from '../core/network/network.ts';
import type { Plan } from '../core/plan/plan.ts';

/** What a construction runs with. */
export interface InProcessConstruction
  extends Pick<ConstructOptions, 'targetSha256' | 'checkOneIn' | 'onEvent' | 'signal'> {
  readonly threads: number;
  /** Where results are kept; whoever opened it closes it. */
  readonly engine: Engine;
}

/** Checking one copy in 16 costs a fortieth of finding it at the easiest tolerances; fewer threads leave this one idle enough. */
const threadsPerChecker = 8;

/** The one job of such an engine. */
const job = 'search';

/**
 * Returns what `construct` returns, solved by a worker of this process; what the engine already has is not solved again.
 * @throws what `construct` throws; TombolaError (failure) with the kernel's words when it refuses a tile: nobody else could do it.
 */
export async function constructInProcess(
  plan: Plan,
  network: Network,
  { threads, engine, targetSha256, checkOneIn, onEvent, signal }: InProcessConstruction,
): Promise<Construction> {
  const pool = openPool({ threads });
  const watched = watchedPool(pool);
  const coordinator = openInProcess({
    engine,
    solver: pool,
    build: kernelDigest,
    checkThreads: Math.floor(threads / threadsPerChecker),
    checkOneIn,
  });
  // Its self-test runs while the first tiles are cut.
  const starting = runWorker({
    urls: ['in-process:'],
    threads,
    token: '',
    insecure: false,
    onReport: () => undefined,
    link: coordinator.link,
    pool: watched.pool,
  });
  const { port } = coordinator;
  const stop = (): void => port.removeJob(job);
  try {
    const store = jobEngineOf(engine);
    const tiles = { job, store, ledger: port, committed: await store.committedTiles(job), signal };
    port.addJob(job, 0);
    signal.addEventListener('abort', stop, { once: true });
    const construction = construct(plan, network, {
      solver: jobSolver(tiles),
      store: committedTileStore(tiles),
      targetSha256,
      checkOneIn: 0,
      onEvent,
      signal,
    });
    return await Promise.race([construction, starting.then(() => construction), watched.refused]);
  } finally {
    signal.removeEventListener('abort', stop);
    port.removeJob(job);
    await starting.then(
      (worker) => worker.close(),
      () => undefined,
    );
    await coordinator.close();
    await pool.close();
  }
}

/** The pool, and a promise that rejects when it cannot solve a tile of the worker's. */
function watchedPool(pool: SolverPool): { readonly pool: SolverPool; readonly refused: Promise<never> } {
  let refuse = (_error: unknown): void => undefined;
  const refused = new Promise<never>((_, reject) => {
    refuse = reject;
  });
  return {
    refused,
    pool: {
      ...pool,
      solveBody: async (problem, tile, options) => {
        try {
          return await pool.solveBody(problem, tile, options);
        } catch (error) {
          if (options.signal?.aborted !== true) refuse(refusalOf(error));
          throw error;
        }
      },
    },
  };
}

/** On its way from a thread an error loses its class; the kernel's refusals are told by their words. */
function refusalOf(error: unknown): unknown {
  return error instanceof Error && error.message.startsWith('Cannot ')
    ? failure(error.message, error)
    : error;
}
