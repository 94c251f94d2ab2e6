/** What one thread of the pool runs. It loads the kernel once and keeps the set-up of the last layer. */
import { move, transferableSymbol, valueSymbol } from 'piscina';
import { encodeTileResult } from '../../src/core/format/tile-result.ts';
import type { LayerProblem, TileResult } from '../../src/core/plan/tile.ts';
import { encodeResultBody } from '../../src/core/protocol/mask-code.ts';
import { type Kernel, loadKernel } from '../kernel/kernel.ts';
import type { SolvedBody } from '../session-shell.ts';
import type { SolveTask } from './thread-task.ts';

let kernel: Promise<Kernel> | undefined;
/** The kernel knows a layer by the identity of its problem, and every message brings a new object. */
let layer: { readonly key: number; readonly problem: LayerProblem } | undefined;

/** Returns the reply to a task (see ThreadReplies); its buffers are handed over, not copied. Called by piscina. */
export async function runTask(task: SolveTask): Promise<unknown> {
  switch (task.kind) {
    case 'solve':
      return handOver(await solve(task));
    case 'solve-coded':
    case 'solve-plain':
      return handOverBody(await solveBody(task));
    default:
      throw new Error(`Broken invariant: no task is of kind ${JSON.stringify(task.kind satisfies never)}`);
  }
}

async function solve(task: SolveTask): Promise<TileResult | undefined> {
  if (task.abandoned !== null && Atomics.load(task.abandoned, 0) !== 0) return undefined;
  kernel ??= loadKernel();
  if (layer?.key !== task.layerKey) layer = { key: task.layerKey, problem: task.problem };
  return (await kernel).solveTile(layer.problem, task.tile);
}

async function solveBody(task: SolveTask): Promise<SolvedBody | undefined> {
  const start = performance.now();
  const result = await solve(task);
  if (result === undefined) return undefined;
  const body =
    task.kind === 'solve-plain'
      ? encodeTileResult(result)
      : encodeResultBody(task.problem, task.tile, result);
  return { body, computeMs: performance.now() - start };
}

function handOverBody(solved: SolvedBody | undefined): unknown {
  if (solved === undefined) return undefined;
  return move({ [transferableSymbol]: [solved.body.buffer], [valueSymbol]: solved });
}

function handOver(result: TileResult | undefined): unknown {
  if (result === undefined) return undefined;
  const buffers = [result.copyCounts, result.copyRows, result.masks, result.misses].map(
    (array) => array.buffer,
  );
  return move({
    [transferableSymbol]: buffers,
    [valueSymbol]: result,
  });
}
