/** A ledger port without ledger, workers or wire: a solver in this process commits what it solves. */
import { encodeTileResult } from '../../src/core/format/tile-result.ts';
import type { Solver } from '../../src/core/plan/tile.ts';
import type { Engine } from '../engine/engine.ts';
import type { LedgerPort, TileFate, TileWork } from './ledger-port.ts';

/** A tile that waits for its turn, or is being solved. */
interface Asked {
  readonly job: string;
  readonly work: TileWork;
  readonly settle: (fate: TileFate) => void;
}

/** Returns a port that solves tiles in the order of asking, as many at a time as the solver can use. A solver that throws makes its tile a dead one. */
export function solverPort(solver: Solver, engine: Engine): LedgerPort {
  const jobs = new Set<string>();
  const waiting: Asked[] = [];
  const atWork = new Set<Asked>();

  function fill(): void {
    while (atWork.size < solver.concurrency) {
      const next = waiting.shift();
      if (next === undefined) return;
      atWork.add(next);
      solveAndCommit(next)
        .then(
          (): TileFate => ({ kind: 'done' }),
          (error: unknown): TileFate => ({ kind: 'dead', reason: String(error) }),
        )
        .then((fate) => {
          atWork.delete(next);
          next.settle(fate);
          fill();
        });
    }
  }

  async function solveAndCommit({ job, work }: Asked): Promise<void> {
    const result = await solver.solve(work.problem, work.tile);
    if (jobs.has(job)) await engine.commitResult(job, work.tile.id, encodeTileResult(result));
  }

  return {
    addJob: (job) => {
      jobs.add(job);
    },
    addTile: (job, work) =>
      new Promise((resolve) => {
        if (!jobs.has(job)) return resolve({ kind: 'removed' });
        waiting.push({ job, work, settle: resolve });
        fill();
      }),
    removeJob: (job) => {
      jobs.delete(job);
      for (const asked of [...waiting, ...atWork]) if (asked.job === job) asked.settle({ kind: 'removed' });
      waiting.splice(0, waiting.length, ...waiting.filter((asked) => asked.job !== job));
    },
  };
}
