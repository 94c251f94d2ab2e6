/** What one thread of the pool that checks results runs. */
import { move, transferableSymbol, valueSymbol } from 'piscina';
import type { LayerProblem } from '../../src/core/plan/tile.ts';
import { checkTile } from './check-tile.ts';
import type { ThreadCheckTask } from './tile-check-task.ts';

/** The layer in hand: what is set up for it is known by the identity of its problem. */
let layer: { readonly key: number; readonly problem: LayerProblem } | undefined;

/** Returns the verdict on a result; its bytes are handed over, not copied. Called by piscina. */
export function checkOnThread({ layerKey, ...task }: ThreadCheckTask): unknown {
  if (layer?.key !== layerKey) layer = { key: layerKey, problem: task.problem };
  const reply = checkTile({ ...task, problem: layer.problem });
  if (reply.kind === 'refused') return reply;
  return move({ [transferableSymbol]: [reply.value.buffer], [valueSymbol]: reply });
}
