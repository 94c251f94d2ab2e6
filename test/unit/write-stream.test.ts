import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { checkNoInput, writeStreams } from '../../src/cli/write-stream.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tombola-write-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const options = { force: false, signal: new AbortController().signal, onBytes: () => undefined };

it('a chunk is on disk before the next overwrites it', async () => {
  const path = join(folder, 'a');
  function* chunks(): Generator<Uint8Array> {
    const chunk = new Uint8Array(3);
    for (let k = 0; k < 100; k++) yield chunk.fill(k);
  }
  expect(await writeStreams([{ path, chunks: chunks() }], options)).toEqual([300]);
  expect([...readFileSync(path)]).toEqual(Array.from({ length: 300 }, (_, k) => Math.floor(k / 3)));
});

it('a file that is there stays as it is, unless it may be replaced', async () => {
  const path = join(folder, 'a');
  writeFileSync(path, 'mine');
  const file = { path, chunks: [Uint8Array.of(120)] };
  await expect(writeStreams([file], options)).rejects.toThrow(/^Cannot write .*: it is there already; /);
  expect(readFileSync(path, 'utf8')).toBe('mine');
  await writeStreams([file], { ...options, force: true });
  expect(readFileSync(path, 'utf8')).toBe('x');
});

it('nothing stays behind when the work fails or is stopped', async () => {
  function* failing(): Generator<Uint8Array> {
    yield Uint8Array.of(1);
    throw new Error('broken');
  }
  const files = [
    { path: join(folder, 'a'), chunks: [Uint8Array.of(1)] },
    { path: join(folder, 'b'), chunks: failing() },
  ];
  await expect(writeStreams(files, options)).rejects.toThrow('broken');
  const endless = {
    path: join(folder, 'c'),
    *chunks() {
      for (;;) yield Uint8Array.of(1);
    },
  };
  const signal = AbortSignal.abort(new Error('stopped'));
  await expect(
    writeStreams([{ path: endless.path, chunks: endless.chunks() }], { ...options, signal }),
  ).rejects.toThrow('stopped');
  expect(readdirSync(folder)).toEqual([]);
});

it('a place where nothing can be written is named in one line', async () => {
  const path = join(folder, 'nowhere', 'a');
  const file = { path, chunks: [Uint8Array.of(1)] };
  await expect(writeStreams([file], options)).rejects.toThrow(/no such folder; name another --out$/);
  expect(existsSync(path)).toBe(false);
});

it.skipIf(process.getuid?.() === 0)('a folder without permission is told in words', async () => {
  const place = join(folder, 'closed');
  mkdirSync(place);
  chmodSync(place, 0o500);
  const file = { path: join(place, 'a'), chunks: [Uint8Array.of(1)] };
  await expect(writeStreams([file], options)).rejects.toThrow(
    /: no permission to write there; name another --out$/,
  );
});

it('no file is written over one that is read, whatever it is called', () => {
  const target = join(folder, 'model');
  writeFileSync(target, 'mine');
  symlinkSync(target, join(folder, 'link'));
  symlinkSync(target, join(folder, 'other.partial'));
  for (const path of [target, join(folder, '.', 'model'), join(folder, 'link'), join(folder, 'other')])
    expect(() => checkNoInput(path, { target })).toThrow(
      /^Cannot write .*: the target .* would be lost; name/,
    );
  expect(() => checkNoInput(join(folder, 'new'), { target, ticket: join(folder, 'absent') })).not.toThrow();
});
