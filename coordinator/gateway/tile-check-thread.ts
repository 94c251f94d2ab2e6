/** What one thread of the pool that checks results runs. */
import { move, transferableSymbol, valueSymbol } from 'piscina';
import { checkTile } from './check-tile.ts';
import type { TileCheckTask } from './tile-check-task.ts';

/** Returns the verdict on a result; its bytes are handed over, not copied. Called by piscina. */
export function checkOnThread(task: TileCheckTask): unknown {
  const reply = checkTile(task);
  if (reply.kind === 'refused') return reply;
  return move({ [transferableSymbol]: [reply.value.buffer], [valueSymbol]: reply });
}
