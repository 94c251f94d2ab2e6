import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { TileStore } from '../../coordinator/construct.ts';
import type { Engine } from '../../coordinator/engine/engine.ts';
import { openLocalEngine } from '../../coordinator/engine/local-engine.ts';
import { memoryEngine } from '../../coordinator/engine/memory-engine.ts';
import { bodyOf, storedValue } from '../../coordinator/engine/stored-result.ts';
import { tileStoreOf } from '../../coordinator/engine/tile-store.ts';
import { encodeTileResult } from '../../src/core/format/tile-result.ts';
import type { Tile, TileResult } from '../../src/core/plan/tile.ts';
import { seededNumbers } from '../support/mutants.ts';
import { randomResult, sizedLayer } from '../support/random-results.ts';

let folder: string;
let directoryCount = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tombola-store-'));
});
afterAll(() => rm(folder, { recursive: true }));

const [problem, anyTile] = sizedLayer({ size: 20, biasSize: 7, taps: 1 });
const tileOf = (id: string): Tile => ({ ...anyTile, id });

function resultOf(tileId: string, salt = 1): TileResult {
  return {
    tileId,
    copyCounts: Int32Array.of(2, 0, 1),
    copyRows: Int32Array.of(3, 9, 2 ** 31 - 1),
    masks: Uint8Array.of(salt, 255, 0, 7, 128, 1),
    misses: Int32Array.of(4, 0, 5, 12),
  };
}

describe.each<[string, () => Promise<Engine>]>([
  ['on the disk', () => openLocalEngine(join(folder, `store-${directoryCount++}`))],
  ['in memory', async () => memoryEngine()],
])('a tile store %s', (_, open) => {
  let engine: Engine;
  let store: TileStore;
  beforeEach(async () => {
    engine = await open();
    store = tileStoreOf(engine, 'search');
  });
  afterEach(() => engine.close());
  const read = (id: string): Promise<TileResult | undefined> => store.read(problem, tileOf(id));

  it('gives back what was written, and nothing for other tiles', async () => {
    await store.write(resultOf('a'));
    expect(await read('a')).toEqual(resultOf('a'));
    expect(await read('b')).toBeUndefined();
    expect(await tileStoreOf(engine, 'other').read(problem, tileOf('a'))).toBeUndefined();
  });

  it('keeps an empty result', async () => {
    const none = new Int32Array(0);
    const empty = { tileId: 'e', copyCounts: none, copyRows: none, masks: new Uint8Array(0), misses: none };
    await store.write(empty);
    expect(await read('e')).toEqual(empty);
  });

  it('keeps the last of several writes of a tile', async () => {
    await store.write(resultOf('a', 1));
    await Promise.all([store.write(resultOf('a', 2)), store.write(resultOf('b', 2))]);
    expect(await read('a')).toEqual(resultOf('a', 2));
  });

  it('takes many writes at a time', async () => {
    const ids = Array.from({ length: 40 }, (__, k) => `tile-${k}`);
    await Promise.all(ids.map((id, k) => store.write(resultOf(id, k))));
    const found = await Promise.all(ids.map((id) => read(id)));
    expect(found).toEqual(ids.map((id, k) => resultOf(id, k)));
  });

  it('does not follow later changes of what was written or read', async () => {
    const written = resultOf('a');
    await store.write(written);
    written.masks.fill(0);
    (await read('a'))?.copyRows.fill(0);
    expect(await read('a')).toEqual(resultOf('a'));
  });

  it('takes the result of another tile, and what is no result, for absent, and replaces it', async () => {
    await engine.commitResult('search', 'a', encodeTileResult(resultOf('b')));
    await engine.commitResult('search', 'c', Uint8Array.of(1, 2, 3));
    for (const id of ['a', 'c']) {
      expect(await read(id)).toBeUndefined();
      await store.write(resultOf(id));
      expect(await read(id)).toEqual(resultOf(id));
    }
  });

  it('gives back what was committed as a worker sent it', async () => {
    const coded = randomResult(problem, tileOf('a'), { density: 0.2, next: seededNumbers(4) });
    const body = bodyOf(problem, tileOf('a'), { result: coded, form: 'coded' });
    await engine.commitResult('search', 'a', storedValue(body, 'coded'));
    expect(await read('a')).toEqual({ ...coded, tileId: 'a' });
    // Of a tile with other rows to try.
    const neurons = anyTile.neurons.map((neuron) => ({ ...neuron, firstRow: 0, rowCount: 3 }));
    expect(await store.read(problem, { ...tileOf('a'), neurons })).toBeUndefined();
    // Beheaded, cut, and of no body at all.
    for (const value of [
      body,
      storedValue(body.subarray(1), 'coded'),
      storedValue(new Uint8Array(0), 'coded'),
    ]) {
      await engine.dropResult('search', 'a');
      await engine.commitResult('search', 'a', value);
      expect(await read('a')).toBeUndefined();
    }
  });

  it('refuses work when its engine is closed', async () => {
    await engine.close();
    await expect(read('a')).rejects.toMatchObject({ name: 'TombolaError', kind: 'failure' });
    await expect(store.write(resultOf('a'))).rejects.toMatchObject({ name: 'TombolaError', kind: 'failure' });
  });
});
