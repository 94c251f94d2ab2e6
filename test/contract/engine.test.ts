import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Engine, StoredJob } from '../../coordinator/engine/engine.ts';
import { memoryEngine, type WriteFate } from '../../coordinator/engine/memory-engine.ts';
import { jobKey, resultKey } from '../../coordinator/engine/record.ts';
import { closePlaces, inMemory, onDisk, onNats, type Place } from '../support/engine-places.ts';
import { hasNats } from '../support/nats-servers.ts';

const places: [string, () => Place][] = [
  ['on the disk', onDisk],
  ['in memory', inMemory],
];
if (hasNats) places.push(['on NATS', onNats]);
afterAll(closePlaces);

function jobOf(job: string, rest: Partial<StoredJob> = {}): StoredJob {
  return {
    job,
    request: '{"ä":1}',
    state: 'running',
    reason: '',
    result: '',
    priority: 0,
    sequence: 0,
    submitter: 'somebody',
    ...rest,
  };
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const flipBit = (index: number) => (record: Uint8Array) =>
  record.map((byte, k) => (k === index % record.length ? byte ^ 1 : byte));

describe.each(places)('an engine %s', (_, makePlace) => {
  let place: Place;
  let engine: Engine;
  beforeEach(async () => {
    place = makePlace();
    engine = await place.open();
  });
  afterEach(() => engine.close());

  async function reopen(meanwhile: () => Promise<void> = async () => undefined): Promise<void> {
    await engine.close();
    await meanwhile();
    engine = await place.open();
  }

  it('gives back a committed result, and nothing for other tiles and jobs', async () => {
    expect(await engine.commitResult('a', 'tile', bytesOf('one'))).toBe('new');
    expect(await engine.readResult('a', 'tile')).toEqual(bytesOf('one'));
    expect(await engine.readResult('a', 'til')).toBeUndefined();
    expect(await engine.readResult('ab', 'tile')).toBeUndefined();
  });

  it('keeps an empty result', async () => {
    await engine.commitResult('a', 'tile', new Uint8Array(0));
    expect(await engine.readResult('a', 'tile')).toEqual(new Uint8Array(0));
    expect(await engine.commitResult('a', 'tile', bytesOf('x'))).toBe('duplicate');
  });

  it('lets exactly one of 100 concurrent commits of a tile win, and keeps its bytes', async () => {
    const attempts = Array.from({ length: 100 }, (__, k) => bytesOf(`result ${k}`));
    const outcomes = await Promise.all(attempts.map((bytes) => engine.commitResult('a', 'tile', bytes)));
    expect(outcomes.filter((outcome) => outcome === 'new')).toHaveLength(1);
    expect(await engine.readResult('a', 'tile')).toEqual(attempts[outcomes.indexOf('new')]);
  });

  it('answers a later commit with duplicate, also after it was opened again', async () => {
    await engine.commitResult('a', 'tile', bytesOf('first'));
    expect(await engine.commitResult('a', 'tile', bytesOf('second'))).toBe('duplicate');
    await reopen();
    expect(await engine.commitResult('a', 'tile', bytesOf('third'))).toBe('duplicate');
    expect(await engine.readResult('a', 'tile')).toEqual(bytesOf('first'));
  });

  it('takes commits of many tiles and jobs at a time', async () => {
    const names = Array.from({ length: 3000 }, (__, k) => ({ job: `job-${k % 3}`, tile: `tile-${k}` }));
    const outcomes = await Promise.all(
      names.map(({ job, tile }) => engine.commitResult(job, tile, bytesOf(tile))),
    );
    expect(new Set(outcomes)).toEqual(new Set(['new']));
    expect((await engine.committedTiles('job-1')).size).toBe(1000);
    const found = await Promise.all(names.map(({ job, tile }) => engine.readResult(job, tile)));
    expect(found).toEqual(names.map(({ tile }) => bytesOf(tile)));
  });

  it('lists the committed tiles of one job only, whatever its neighbours are called', async () => {
    for (const job of ['job', 'job-', 'job.x', 'job0', 'joa', 'job1'])
      await engine.commitResult(job, `of-${job}`, bytesOf('x'));
    expect(await engine.committedTiles('job')).toEqual(new Set(['of-job']));
    expect(await engine.committedTiles('jo')).toEqual(new Set());
  });

  it('does not follow later changes of what was committed or read', async () => {
    const bytes = bytesOf('abc');
    const committed = engine.commitResult('a', 'tile', bytes);
    bytes.fill(0);
    await committed;
    (await engine.readResult('a', 'tile'))?.fill(0);
    expect(await engine.readResult('a', 'tile')).toEqual(bytesOf('abc'));
  });

  it('forgets a dropped result and takes another', async () => {
    await engine.commitResult('a', 'tile', bytesOf('one'));
    await engine.dropResult('a', 'tile');
    await engine.dropResult('a', 'never-there');
    expect(await engine.readResult('a', 'tile')).toBeUndefined();
    expect(await engine.commitResult('a', 'tile', bytesOf('two'))).toBe('new');
    expect(await engine.readResult('a', 'tile')).toEqual(bytesOf('two'));
  });

  it('does what is asked for at once in the order of asking', async () => {
    const outcomes = await Promise.all([
      engine.commitResult('a', 'tile', bytesOf('one')),
      engine.commitResult('a', 'tile', bytesOf('two')),
      engine.dropResult('a', 'tile'),
      engine.commitResult('a', 'tile', bytesOf('three')),
    ]);
    expect(outcomes).toEqual(['new', 'duplicate', undefined, 'new']);
    expect(await engine.readResult('a', 'tile')).toEqual(bytesOf('three'));
  });

  it('keeps jobs in the order of their submission, and the last version of each', async () => {
    await engine.putJob(jobOf('b', { sequence: 2 }));
    await engine.putJob(jobOf('c', { sequence: 1 }));
    await engine.putJob(jobOf('b', { sequence: 2, state: 'failed', reason: 'why' }));
    await reopen();
    expect(await engine.jobs()).toEqual([
      jobOf('c', { sequence: 1 }),
      jobOf('b', { sequence: 2, state: 'failed', reason: 'why' }),
    ]);
  });

  it('removes a job with all its results and leaves the others', async () => {
    await engine.putJob(jobOf('a'));
    await engine.putJob(jobOf('b'));
    const tiles = Array.from({ length: 2500 }, (__, k) => `t${k}`);
    await Promise.all(tiles.map((tile) => engine.commitResult('a', tile, bytesOf('x'))));
    await engine.commitResult('b', 't0', bytesOf('kept'));
    await engine.removeJob('a');
    await engine.removeJob('never-there');
    await reopen();
    expect(await engine.jobs()).toEqual([jobOf('b')]);
    expect(await engine.committedTiles('a')).toEqual(new Set());
    expect(await engine.readResult('b', 't0')).toEqual(bytesOf('kept'));
  });

  it('takes a result with any one bit flipped for absent, and drops it', async () => {
    const key = resultKey('a', 'tile');
    const sizeBytes = 4 + 'result'.length;
    for (let index = 0; index < sizeBytes; index++) {
      await engine.commitResult('a', 'tile', bytesOf('result'));
      await reopen(() => place.changeRecord(key, flipBit(index)));
      expect(await engine.committedTiles('a')).toEqual(new Set(['tile']));
      expect(await engine.readResult('a', 'tile')).toBeUndefined();
      expect(await engine.committedTiles('a')).toEqual(new Set());
    }
  });

  it('lets a new result take the place of a damaged one', async () => {
    await engine.commitResult('a', 'tile', bytesOf('one'));
    await reopen(() => place.changeRecord(resultKey('a', 'tile'), flipBit(5)));
    expect(await engine.commitResult('a', 'tile', bytesOf('two'))).toBe('new');
    expect(await engine.readResult('a', 'tile')).toEqual(bytesOf('two'));
  });

  it('takes an empty record, and the record of another tile, for absent', async () => {
    await engine.commitResult('a', 'one', bytesOf('x'));
    let record = new Uint8Array(0);
    await reopen(async () => {
      await place.changeRecord(resultKey('a', 'one'), (bytes) => {
        record = bytes.slice();
        return bytes;
      });
      await place.changeRecord(resultKey('a', 'two'), () => record);
      await place.changeRecord(resultKey('a', 'three'), () => new Uint8Array(0));
    });
    expect(await engine.readResult('a', 'one')).toEqual(bytesOf('x'));
    expect(await engine.readResult('a', 'two')).toBeUndefined();
    expect(await engine.readResult('a', 'three')).toBeUndefined();
  });

  it('shows a damaged job as failed instead of hiding it', async () => {
    await engine.putJob(jobOf('a'));
    await engine.putJob(jobOf('b', { sequence: 7 }));
    await reopen(() => place.changeRecord(jobKey('a'), flipBit(9)));
    expect(await engine.jobs()).toEqual([
      expect.objectContaining({ job: 'a', state: 'failed', reason: expect.stringMatching(/damaged/) }),
      jobOf('b', { sequence: 7 }),
    ]);
  });

  it('keeps blobs by content', async () => {
    const bytes = new Uint8Array(300_000).map((__, k) => k * k);
    const sha256 = await engine.putBlob(bytes);
    expect(sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(await Promise.all([engine.putBlob(bytes), engine.putBlob(bytes)])).toEqual([sha256, sha256]);
    expect(await engine.putBlob(new Uint8Array(0))).toBe(
      'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    );
    await reopen();
    expect(Buffer.compare((await engine.readBlob(sha256)) ?? bytesOf(''), bytes)).toBe(0);
  });

  it('takes damaged blobs, and names that are no digest, for absent, and stores a blob anew', async () => {
    const sha256 = await engine.putBlob(bytesOf('blob'));
    await reopen(() => place.damageBlob(sha256));
    for (const name of [sha256, sha256.toUpperCase(), '', '.', '../level/CURRENT', sha256.slice(1)])
      expect(await engine.readBlob(name)).toBeUndefined();
    expect(await engine.putBlob(bytesOf('blob'))).toBe(sha256);
    expect(await engine.readBlob(sha256)).toEqual(Uint8Array.from(bytesOf('blob')));
  });

  it('removes a blob and no other, also one that is being put or damaged, and takes it again', async () => {
    const [one, two] = await Promise.all([engine.putBlob(bytesOf('one')), engine.putBlob(bytesOf('two'))]);
    expect([...(await engine.blobs())].sort()).toEqual([one, two].sort());
    await Promise.all([engine.putBlob(bytesOf('one')), engine.removeBlob(one)]);
    await reopen(() => place.damageBlob(two));
    expect(await engine.blobs()).toEqual([two]);
    expect(await engine.readBlob(one)).toBeUndefined();
    await engine.removeBlob(two);
    for (const name of [two, '', '.', '..', '../level/CURRENT']) await engine.removeBlob(name);
    expect(await engine.blobs()).toEqual([]);
    expect(await engine.putBlob(bytesOf('one'))).toBe(one);
    await reopen();
    expect(await engine.blobs()).toEqual([one]);
    expect(await engine.readBlob(one)).toEqual(Uint8Array.from(bytesOf('one')));
  });

  it.each(['', 'a/b', 'a b', 'ä', 'a\n', 'x'.repeat(129)])('refuses the name %j', async (name) => {
    await expect(engine.commitResult(name, 'tile', bytesOf('x'))).rejects.toMatchObject({ kind: 'misuse' });
    await expect(engine.commitResult('a', name, bytesOf('x'))).rejects.toMatchObject({ kind: 'misuse' });
    await expect(engine.putJob(jobOf(name))).rejects.toMatchObject({ kind: 'misuse' });
  });

  it('refuses a second opener with what to do, and serves the first one on', async ({ skip }) => {
    skip(place.isShared, 'it may be shared');
    const error: unknown = await place.open().catch((reason: unknown) => reason);
    expect(error).toMatchObject({ name: 'TombolaError', kind: 'misuse' });
    expect(error).toMatchObject({
      message: expect.stringMatching(/^Cannot open the store .*in use.*expected one/),
    });
    expect(await engine.commitResult('a', 'tile', bytesOf('x'))).toBe('new');
  });

  it('lets exactly one of two engines that share it commit a tile, and shows both the same', async ({
    skip,
  }) => {
    skip(!place.isShared, 'it has one owner');
    const other = await place.open();
    const tiles = Array.from({ length: 50 }, (__, k) => `tile-${k}`);
    const commit = (by: Engine, text: string) =>
      Promise.all(tiles.map((tile) => by.commitResult('a', tile, bytesOf(text))));
    const [ours, theirs] = await Promise.all([commit(engine, 'ours'), commit(other, 'theirs')]);
    for (const [k, tile] of tiles.entries()) {
      expect([ours[k], theirs[k]].sort()).toEqual(['duplicate', 'new']);
      const winner = bytesOf(ours[k] === 'new' ? 'ours' : 'theirs');
      expect(await engine.readResult('a', tile)).toEqual(winner);
      expect(await other.readResult('a', tile)).toEqual(winner);
    }
    await engine.putJob(jobOf('a'));
    expect(await other.jobs()).toEqual([jobOf('a')]);
    await other.putJob(jobOf('a', { state: 'cancelled' }));
    await expect(engine.putJob(jobOf('a', { state: 'done' }))).rejects.toMatchObject({ kind: 'failure' });
    expect(await engine.jobs()).toEqual([jobOf('a', { state: 'cancelled' })]);
    await other.close();
  });

  it('keeps results of a megabyte and more, and forgets them with their job', async () => {
    const large = new Uint8Array(1_500_000).map((__, k) => k * k);
    expect(await engine.commitResult('a', 'large', large)).toBe('new');
    expect(await engine.commitResult('a', 'large', bytesOf('x'))).toBe('duplicate');
    await reopen();
    expect(Buffer.compare((await engine.readResult('a', 'large')) ?? bytesOf(''), large)).toBe(0);
    expect(await engine.blobs()).toEqual([]);
    await engine.removeJob('a');
    expect(await engine.readResult('a', 'large')).toBeUndefined();
    expect(await engine.commitResult('a', 'large', large)).toBe('new');
  });

  it('finishes what was asked for before it closes, may be closed twice, and refuses work after that', async () => {
    const commits = ['a', 'b'].map((tile) => engine.commitResult('a', tile, bytesOf(tile)));
    await Promise.all([engine.close(), engine.close()]);
    expect(await Promise.all(commits)).toEqual(['new', 'new']);
    await expect(engine.readResult('a', 'a')).rejects.toMatchObject({ kind: 'failure' });
    await expect(engine.commitResult('a', 'c', bytesOf('x'))).rejects.toMatchObject({ kind: 'failure' });
    engine = await place.open();
    expect(await engine.readResult('a', 'b')).toEqual(bytesOf('b'));
  });

  it('lists many results', async () => {
    const count = place.manyResults;
    const value = new Uint8Array(100);
    const tiles = Array.from({ length: count }, (__, k) => `${k}`.padStart(64, 'f'));
    const start = performance.now();
    await Promise.all(tiles.map((tile) => engine.commitResult('a', tile, value)));
    const committed = performance.now();
    await reopen();
    const opened = performance.now();
    const found = await engine.committedTiles('a');
    const listed = performance.now();
    expect(found.size).toBe(count);
    expect(tiles.every((tile) => found.has(tile))).toBe(true);
    console.log(
      `${count} results, ${_}: committed in ${(committed - start).toFixed(0)} ms, opened again in ${(opened - committed).toFixed(0)} ms, listed in ${(listed - opened).toFixed(0)} ms`,
    );
  });
});

describe('an engine in memory with faults', () => {
  it.each<[WriteFate, 'new' | 'duplicate']>([
    ['lost', 'new'],
    ['written-but-rejected', 'duplicate'],
  ])('rejects a write that is %s; committing again says %s', async (fate, outcome) => {
    const fates: WriteFate[] = [fate];
    const engine = memoryEngine({ fateOf: () => fates.shift() ?? 'written' });
    await expect(engine.commitResult('a', 'tile', bytesOf('x'))).rejects.toMatchObject({ kind: 'failure' });
    expect(await engine.commitResult('a', 'tile', bytesOf('x'))).toBe(outcome);
    expect(await engine.readResult('a', 'tile')).toEqual(bytesOf('x'));
  });

  it('rejects a whole group with its write, and no other', async () => {
    const fates: WriteFate[] = ['written', 'lost'];
    const engine = memoryEngine({ fateOf: () => fates.shift() ?? 'written' });
    const settle = (tiles: string[]) =>
      Promise.allSettled(tiles.map((tile) => engine.commitResult('a', tile, bytesOf(tile))));
    expect((await settle(['1', '2'])).map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled']);
    expect((await settle(['3', '4'])).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect((await settle(['5'])).map(({ status }) => status)).toEqual(['fulfilled']);
    expect(await engine.committedTiles('a')).toEqual(new Set(['1', '2', '5']));
  });
});
