import { expect, it } from 'vitest';
import type { Adoption } from '../../coordinator/gateway/adoption.ts';
import { pendingResultBytesMax } from '../../src/core/limits.ts';
import type { Result } from '../../src/core/protocol/messages.ts';
import { shellDesk } from '../support/shell-desk.ts';

function resultOf(tile: string, sizeBytes: number): Result {
  const named = { job: 'j', tile: tile.repeat(64), spec: '0'.repeat(64) };
  const [token, body] = [new Uint8Array(0), new Uint8Array(sizeBytes)];
  return { kind: 'result', ...named, token, attempt: 0, body, computeMs: 1 };
}

it('results count while their tiles are fetched from another gateway, and one too many is to come later', async () => {
  const fetches: (() => void)[] = [];
  const adoption: Adoption = {
    adopt: () => new Promise((resolve) => fetches.push(() => resolve(false))),
    isLease: () => true,
    quarantineMs: () => 0,
    tellQuarantine: () => undefined,
  };
  const { shell, join } = shellDesk({ adoption });
  const sent = join('w');
  shell.receive('w', resultOf('a', pendingResultBytesMax - 10));
  shell.receive('w', resultOf('b', 10));
  expect(fetches).toHaveLength(2);
  expect(sent).toEqual([]);
  shell.receive('w', resultOf('c', 1));
  expect(sent).toMatchObject([{ kind: 'refused', tile: 'c'.repeat(64), code: 'quota' }]);
  expect(fetches).toHaveLength(2);
  for (const answer of fetches) answer();
  await shell.settled();
  // No gateway has them: they are dropped, and there is room again.
  expect(sent.slice(1)).toMatchObject([
    { kind: 'refused', tile: 'a'.repeat(64), code: 'unknown-tile' },
    { kind: 'refused', tile: 'b'.repeat(64), code: 'unknown-tile' },
  ]);
  shell.receive('w', resultOf('c', pendingResultBytesMax));
  expect(fetches).toHaveLength(3);
});
