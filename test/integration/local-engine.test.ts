import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openLocalEngine } from '../../coordinator/engine/local-engine.ts';

let folder: string;
let directoryCount = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tombola-engine-'));
});
afterAll(() => rm(folder, { recursive: true }));

function freshDirectory(): string {
  return join(folder, `engine-${directoryCount++}`, 'data');
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('an engine on the disk', () => {
  it('removes what an interrupted write of a blob left', async () => {
    const directory = freshDirectory();
    const engine = await openLocalEngine(directory);
    const sha256 = await engine.putBlob(bytesOf('blob'));
    await engine.close();
    await writeFile(join(directory, 'blobs', `${'0'.repeat(64)}.0.partial`), 'half');
    await (await openLocalEngine(directory)).close();
    expect(await readdir(join(directory, 'blobs'))).toEqual([sha256]);
  });

  it('loses no acknowledged result when it is killed while it commits', async () => {
    const directory = freshDirectory();
    const child = spawnSync(process.execPath, ['--input-type=module', '--eval', killedProgram(directory)], {
      encoding: 'utf8',
    });
    expect(child.signal, child.stderr).toBe('SIGKILL');
    const acknowledged = child.stdout.trim().split('\n');
    expect(acknowledged.length).toBeGreaterThan(20);
    const engine = await openLocalEngine(directory);
    const committed = await engine.committedTiles('job');
    expect(acknowledged.filter((tile) => !committed.has(tile))).toEqual([]);
    await engine.close();
  });

  it('rejects a write that the disk refuses, keeps what it acknowledged, and goes on when the disk takes writes again', async () => {
    const directory = freshDirectory();
    // A limit on the size of files stands for a full disk: LevelDB sees a write that fails either way, here in the middle of a record.
    const child = spawnSync(
      'bash',
      ['-c', 'ulimit -f 256; exec "$0" --input-type=module', process.execPath],
      { input: refusedProgram(directory), encoding: 'utf8' },
    );
    expect(JSON.parse(child.stdout || '{}'), child.stderr).toEqual({
      small: 'new',
      large: expect.stringMatching(/^Cannot write to the store .*make room/),
      blob: expect.stringMatching(/^Cannot write a blob .*make room/),
      later: 'new',
      readBack: [100, null, 100],
    });
    const engine = await openLocalEngine(directory);
    expect(await engine.committedTiles('job')).toEqual(new Set(['small', 'later']));
    expect(await engine.readResult('job', 'small')).toEqual(new Uint8Array(100));
    expect(await readdir(join(directory, 'blobs'))).toEqual([]);
    await engine.close();
  });

  it('fails with the cause where the directory is a file', async () => {
    const file = join(folder, 'a-file');
    await writeFile(file, 'text');
    const error: unknown = await openLocalEngine(file).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ kind: 'failure', cause: expect.any(Error) });
    expect(await readFile(file, 'utf8')).toBe('text');
  });

  it('says what to do when the files of its database are damaged', async () => {
    const directory = freshDirectory();
    const first = await openLocalEngine(directory);
    await first.commitResult('a', 'tile', bytesOf('x'));
    await first.close();
    const level = join(directory, 'level');
    for (const name of await readdir(level))
      if (name.startsWith('MANIFEST')) await writeFile(join(level, name), 'no manifest');
    await expect(openLocalEngine(directory)).rejects.toMatchObject({
      kind: 'failure',
      message: expect.stringMatching(/^Cannot open the store .*delete its folder/),
    });
  });
});

const moduleUrl = new URL('../../dist/coordinator/engine/local-engine.js', import.meta.url).href;

/** Commits without end, says what is acknowledged, and kills itself in the middle. */
function killedProgram(directory: string): string {
  return `
    import { writeSync } from 'node:fs';
    const { openLocalEngine } = await import(${JSON.stringify(moduleUrl)});
    const engine = await openLocalEngine(${JSON.stringify(directory)});
    let acknowledged = 0;
    const lane = async (lane) => {
      for (let k = 0; ; k++) {
        const tile = lane + '-' + k;
        await engine.commitResult('job', tile, new Uint8Array(5000));
        writeSync(1, tile + '\\n');
        if (++acknowledged === 200) process.kill(process.pid, 'SIGKILL');
      }
    };
    await Promise.all([0, 1, 2, 3, 4].map(lane));`;
}

function refusedProgram(directory: string): string {
  return `
    const { openLocalEngine } = await import(${JSON.stringify(moduleUrl)});
    const engine = await openLocalEngine(${JSON.stringify(directory)});
    const commit = (tile, bytes) =>
      engine.commitResult('job', tile, new Uint8Array(bytes)).catch(({ message }) => message);
    const small = await commit('small', 100);
    const large = await commit('large', 1 << 20);
    const blob = await engine.putBlob(new Uint8Array(1 << 20)).catch(({ message }) => message);
    const later = await commit('later', 100);
    const readBack = await Promise.all(['small', 'large', 'later'].map((tile) => engine.readResult('job', tile)));
    await engine.close();
    console.log(JSON.stringify({ small, large, blob, later, readBack: readBack.map((bytes) => bytes?.length ?? null) }));`;
}
