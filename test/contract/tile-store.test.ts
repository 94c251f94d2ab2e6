import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { memoryTileStore, type OpenTileStore, openTileStore } from '../../coordinator/engine/tile-store.ts';
import { encodeTileResult } from '../../src/core/format/tile-result.ts';
import type { TileResult } from '../../src/core/plan/tile.ts';

let folder: string;
let directoryCount = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tombola-store-'));
});
afterAll(() => rm(folder, { recursive: true }));

function freshDirectory(): string {
  return join(folder, `store-${directoryCount++}`, 'tiles');
}

function resultOf(tileId: string, salt = 1): TileResult {
  return {
    tileId,
    copyCounts: Int32Array.of(2, 0, 1),
    copyRows: Int32Array.of(3, 9, 2 ** 31 - 1),
    masks: Uint8Array.of(salt, 255, 0, 7, 128, 1),
    misses: Int32Array.of(4, 0, 5, 12),
  };
}

describe.each([
  ['on the disk', () => openTileStore(freshDirectory())],
  ['in memory', async () => memoryTileStore()],
])('a tile store %s', (_, open) => {
  let store: OpenTileStore;
  beforeEach(async () => {
    store = await open();
  });
  afterEach(() => store.close());

  it('gives back what was written, and nothing for other tiles', async () => {
    await store.write(resultOf('a'));
    expect(await store.read('a')).toEqual(resultOf('a'));
    expect(await store.read('b')).toBeUndefined();
    expect(await store.read('')).toBeUndefined();
  });

  it('keeps an empty result', async () => {
    const none = new Int32Array(0);
    const empty = { tileId: 'e', copyCounts: none, copyRows: none, masks: new Uint8Array(0), misses: none };
    await store.write(empty);
    expect(await store.read('e')).toEqual(empty);
  });

  it('keeps the last of several writes of a tile', async () => {
    await store.write(resultOf('a', 1));
    await store.write(resultOf('a', 2));
    expect(await store.read('a')).toEqual(resultOf('a', 2));
  });

  it('takes many writes at a time', async () => {
    const ids = Array.from({ length: 40 }, (__, k) => `tile ${k} ☃`);
    await Promise.all(ids.map((id, k) => store.write(resultOf(id, k))));
    const found = await Promise.all(ids.map((id) => store.read(id)));
    expect(found).toEqual(ids.map((id, k) => resultOf(id, k)));
  });

  it('does not follow later changes of what was written or read', async () => {
    const written = resultOf('a');
    await store.write(written);
    written.masks.fill(0);
    (await store.read('a'))?.copyRows.fill(0);
    expect(await store.read('a')).toEqual(resultOf('a'));
  });

  it('may be closed twice, and refuses work after that', async () => {
    await Promise.all([store.close(), store.close()]);
    await expect(store.read('a')).rejects.toMatchObject({ name: 'TombolaError', kind: 'failure' });
    await expect(store.write(resultOf('a'))).rejects.toMatchObject({ name: 'TombolaError', kind: 'failure' });
  });
});

describe('a tile store on the disk', () => {
  it('keeps results for the next one who opens it', async () => {
    const directory = freshDirectory();
    const first = await openTileStore(directory);
    await first.write(resultOf('a'));
    await first.close();
    const second = await openTileStore(directory);
    expect(await second.read('a')).toEqual(resultOf('a'));
    await second.close();
  });

  it('refuses a second opener, and serves the first one on', async () => {
    const directory = freshDirectory();
    const store = await openTileStore(directory);
    await expect(openTileStore(directory)).rejects.toMatchObject({
      kind: 'misuse',
      message: expect.stringMatching(/is in use by another process, expected one search per directory/),
    });
    await store.write(resultOf('a'));
    await store.close();
  });

  it('takes damaged values, and values of other tiles, for absent', async () => {
    const directory = freshDirectory();
    await (await openTileStore(directory)).close();
    const level = new ClassicLevel<string, Uint8Array>(directory, { valueEncoding: 'view' });
    const damaged = encodeTileResult(resultOf('a'));
    damaged[damaged.length - 1] = 99;
    await level.put('a', damaged);
    await level.put('b', encodeTileResult(resultOf('a')));
    await level.put('c', new Uint8Array(0));
    await level.close();
    const store = await openTileStore(directory);
    expect(await Promise.all(['a', 'b', 'c'].map((id) => store.read(id)))).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    await store.write(resultOf('a'));
    expect(await store.read('a')).toEqual(resultOf('a'));
    await store.close();
  });

  it('says what to do when its own files are damaged', async () => {
    const directory = freshDirectory();
    const first = await openTileStore(directory);
    await first.write(resultOf('a'));
    await first.close();
    for (const name of await readdir(directory))
      if (name.startsWith('MANIFEST')) await writeFile(join(directory, name), 'no manifest');
    await expect(openTileStore(directory)).rejects.toMatchObject({
      kind: 'failure',
      message: expect.stringMatching(/^Cannot open the store .*delete the directory/),
    });
  });

  it('fails with the cause where the directory is a file', async () => {
    const file = join(folder, 'a-file');
    await writeFile(file, 'text');
    const error: unknown = await openTileStore(file).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ kind: 'failure', cause: expect.any(Error) });
    expect(await readFile(file, 'utf8')).toBe('text');
  });

  it('reports a write that the disk refuses, and keeps what was written before', async () => {
    const directory = freshDirectory();
    const module = new URL('../../dist/coordinator/engine/tile-store.js', import.meta.url).href;
    const program = `
      const { openTileStore } = await import(${JSON.stringify(module)});
      const store = await openTileStore(${JSON.stringify(directory)});
      const none = new Int32Array(0);
      const write = (tileId, bytes) =>
        store.write({ tileId, copyCounts: none, copyRows: none, misses: none, masks: new Uint8Array(bytes) });
      await write('small', 100);
      await write('large', 1 << 20).catch(({ kind, message, cause }) =>
        console.log(JSON.stringify({ kind, message, hasCause: cause instanceof Error })));`;
    // A limit on the size of files stands for a full disk: LevelDB sees a write that fails either way.
    const child = spawnSync(
      'bash',
      ['-c', 'ulimit -f 256; exec "$0" --input-type=module', process.execPath],
      {
        input: program,
        encoding: 'utf8',
      },
    );
    expect(JSON.parse(child.stdout || '{}'), child.stderr).toMatchObject({
      kind: 'failure',
      message: expect.stringMatching(/^Cannot write a result to the store .*make room/),
      hasCause: true,
    });
    const store = await openTileStore(directory);
    expect(await store.read('small')).toMatchObject({ tileId: 'small' });
    expect(await store.read('large')).toBeUndefined();
    await store.close();
  });
});
