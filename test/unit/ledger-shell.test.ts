import { describe, expect, it } from 'vitest';
import type { StoredJob } from '../../coordinator/engine/engine.ts';
import type { Adoption } from '../../coordinator/gateway/adoption.ts';
import type { Peer } from '../../coordinator/gateway/peer.ts';
import { pendingResultBytesMax } from '../../src/core/limits.ts';
import type { Result } from '../../src/core/protocol/messages.ts';
import { shellDesk } from '../support/shell-desk.ts';

function resultOf(tile: string, sizeBytes: number): Result {
  const named = { job: 'j', tile: tile.repeat(64), spec: '0'.repeat(64) };
  const [token, body] = [new Uint8Array(0), new Uint8Array(sizeBytes)];
  return { kind: 'result', ...named, token, attempt: 0, body, computeMs: 1 };
}

/** Adoption where no job asks for any tile, with changes. */
function adoptionWith(changes: Partial<Adoption>): Adoption {
  return {
    adopt: async () => false,
    learn: async () => true,
    isLease: () => true,
    quarantineMs: () => 0,
    tellQuarantine: () => undefined,
    ...changes,
  };
}

it('results count while their tiles are fetched from another gateway, and one too many is to come later', async () => {
  const fetches: (() => void)[] = [];
  const adopt = (): Promise<boolean> => new Promise((resolve) => fetches.push(() => resolve(false)));
  const adoption = adoptionWith({ adopt });
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

describe('a result for a job that this gateway has not heard of', () => {
  /** Lets a worker hand in a result; returns the answer, and what the engine was asked before. */
  async function answerTo({
    stateBefore,
    stateAfter,
    learns = true,
    isLease = true,
    workerKind = 'trusted',
  }: {
    stateBefore?: StoredJob['state'];
    stateAfter?: StoredJob['state'];
    learns?: boolean;
    isLease?: boolean;
    workerKind?: Peer['workerKind'];
  }) {
    let state = stateBefore;
    const asked: string[] = [];
    const adoption = adoptionWith({
      learn: async (job) => {
        asked.push(`learn ${job}`);
        state = stateAfter;
        return learns;
      },
      adopt: async (job) => {
        asked.push(`adopt ${job}`);
        return false;
      },
      isLease: () => isLease,
    });
    const { shell, join } = shellDesk({ adoption, stateOf: () => state });
    const sent = join('w', workerKind);
    shell.receive('w', resultOf('a', 10));
    await shell.settled();
    expect(sent).toHaveLength(1);
    return { answer: sent[0], asked };
  }
  const isKept = expect.objectContaining({ kind: 'refused', code: 'unknown-tile', retryMs: 10_000 });
  const isDropped = expect.objectContaining({ kind: 'refused', code: 'unknown-tile', retryMs: 0 });

  it('is taken as any other once the engine was asked', async () => {
    const { answer, asked } = await answerTo({ stateAfter: 'running' });
    expect(asked).toEqual(['learn j', 'adopt j']);
    expect(answer).toEqual(isKept);
  });

  it('is to come again where the engine cannot be asked', async () => {
    const { answer, asked } = await answerTo({ learns: false });
    expect(asked).toEqual(['learn j']);
    expect(answer).toEqual(isKept);
  });

  it('is refused for good where there is no such job, or it is over', async () => {
    expect((await answerTo({})).answer).toEqual(isDropped);
    expect((await answerTo({ stateAfter: 'cancelled' })).answer).toEqual(isDropped);
    // Known to be over: nobody is asked.
    expect(await answerTo({ stateBefore: 'done', learns: false })).toEqual({ answer: isDropped, asked: [] });
  });

  it('of a volunteer is one only with a lease', async () => {
    const strange = { learns: false, workerKind: 'volunteer' } as const;
    expect((await answerTo(strange)).answer).toEqual(isKept);
    expect(await answerTo({ ...strange, isLease: false })).toEqual({ answer: isDropped, asked: [] });
  });
});

it('a gateway that shares with nobody refuses a result for a job that it does not know for good', async () => {
  const { shell, join } = shellDesk({ stateOf: () => undefined });
  const sent = join('w');
  shell.receive('w', resultOf('a', 10));
  await shell.settled();
  expect(sent).toMatchObject([{ kind: 'refused', code: 'unknown-tile', retryMs: 0 }]);
});
