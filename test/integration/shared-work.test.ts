/** Tiles on their way through the shared queue: from the driver of a job to a gateway's ledger, and back as a result. */
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ItemReader, ItemWriter } from '../../coordinator/cluster/work-item.ts';
import { deadTileTopic, workPort } from '../../coordinator/cluster/work-port.ts';
import { type NatsLink, openNatsLink, parseNatsAddress } from '../../coordinator/engine/nats/connection.ts';
import { type NatsEngine, openNatsEngine } from '../../coordinator/engine/nats/nats-engine.ts';
import { signalsOf } from '../../coordinator/engine/nats/signals.ts';
import { openWorkStream, type WorkStream } from '../../coordinator/engine/nats/work-stream.ts';
import type { LedgerPort, TileWork } from '../../coordinator/jobs/ledger-port.ts';
import { layerProblemDigest, tileId } from '../../src/core/plan/tiles.ts';
import { layerAndTile } from '../support/layer-problems.ts';
import { hasNats, type NatsServers, startNats } from '../support/nats-servers.ts';

/** Objects in memory. */
function objects() {
  const kept = new Map<string, Uint8Array>();
  return {
    kept,
    putSpec: async (job: string, digest: string, bytes: Uint8Array) =>
      void kept.set(`${job}/${digest}`, bytes),
    readSpec: async (job: string, digest: string) => kept.get(`${job}/${digest}`),
  };
}

const works = layerAndTile.map(([problem, tile]): TileWork => {
  const problemDigest = layerProblemDigest(problem);
  return { problem, problemDigest, tile: { ...tile, id: tileId(problemDigest, tile) } };
});
const [work] = fc.sample(works, { numRuns: 1, seed: 1 }) as [TileWork];
const tile = work.tile.id;

describe('a work item', () => {
  it('brings back the tile and its layer', () =>
    fc.assert(
      fc.asyncProperty(works, async (sent) => {
        const store = objects();
        const item = await new ItemWriter(store, 'job').write(sent);
        const got = await new ItemReader(store, 4).read('job', sent.tile.id, item);
        expect(got.problemDigest).toBe(sent.problemDigest);
        expect(layerProblemDigest(got.problem)).toBe(sent.problemDigest);
        expect(tileId(got.problemDigest, got.tile)).toBe(sent.tile.id);
      }),
      { numRuns: 30 },
    ));

  it('is refused with any byte changed, under another tile’s name, or without its layer', async () => {
    const store = objects();
    const item = await new ItemWriter(store, 'job').write(work);
    for (let at = 0; at < item.length; at += 7) {
      const damaged = item.with(at, (item[at] ?? 0) ^ 1);
      const read = await new ItemReader(store, 4).read('job', tile, damaged).catch(() => undefined);
      // Some bytes are nobody's business here, as those of the lease's token.
      if (read !== undefined) expect(tileId(read.problemDigest, read.tile)).toBe(tile);
    }
    await expect(new ItemReader(store, 4).read('job', 'ab'.repeat(32), item)).rejects.toThrow(/another/);
    store.kept.clear();
    await expect(new ItemReader(store, 4).read('job', tile, item)).rejects.toThrow(/not in the engine/);
  });
});

describe.skipIf(!hasNats)('the driver’s port', () => {
  let nats: NatsServers;
  let link: NatsLink;
  let engine: NatsEngine;
  let stream: WorkStream;
  let count = 0;
  const closers: (() => void)[] = [];
  beforeAll(async () => {
    nats = await startNats(1);
    link = await openNatsLink(parseNatsAddress(nats.url));
    engine = await openNatsEngine(link, { replicas: 1 });
    stream = await openWorkStream(link, { replicas: 1, ackMs: 60_000 });
  });
  afterEach(() => {
    for (const close of closers.splice(0)) close();
  });
  afterAll(async () => {
    await link?.close();
    await nats?.close();
  });

  function newJob(): { job: string; port: LedgerPort } {
    const job = `job-${++count}`;
    const signals = signalsOf(link);
    const port = workPort({ link, engine, work: stream, signals, auditMs: 20, onTrouble: () => undefined });
    port.addJob(job, 0);
    closers.push(() => port.removeJob(job));
    return { job, port };
  }

  async function whenQueued(job: string): Promise<void> {
    while (!(await stream.waiting(job)).has(tile)) await new Promise((resolve) => setTimeout(resolve, 5));
  }

  it('says done when anybody has committed the tile', async () => {
    const { job, port } = newJob();
    const fate = port.addTile(job, work);
    await whenQueued(job);
    await engine.commitResult(job, tile, Uint8Array.of(1));
    expect(await fate).toEqual({ kind: 'done' });
  });

  it('says done of a tile that was committed before, and has one solved again that was dropped', async () => {
    const { job, port } = newJob();
    await engine.commitResult(job, tile, Uint8Array.of(1));
    expect(await port.addTile(job, work)).toEqual({ kind: 'done' });
    await engine.dropResult(job, tile);
    const fate = port.addTile(job, work);
    await whenQueued(job);
    await engine.commitResult(job, tile, Uint8Array.of(2));
    expect(await fate).toEqual({ kind: 'done' });
  });

  it('puts a tile again that the queue has lost', async () => {
    const { job, port } = newJob();
    const fate = port.addTile(job, work);
    await whenQueued(job);
    await stream.close(job);
    await whenQueued(job);
    expect((await stream.pull(job, 1))?.map((delivery) => delivery.tile)).toEqual([tile]);
    await engine.commitResult(job, tile, Uint8Array.of(1));
    expect(await fate).toEqual({ kind: 'done' });
  });

  it('hears of a tile that nobody can solve, and gives up those of a removed job', async () => {
    const { job, port } = newJob();
    const fate = port.addTile(job, work);
    await whenQueued(job);
    expect(await signalsOf(link).ask(deadTileTopic(job), { tile, reason: 'too hard' })).toBe(true);
    expect(await fate).toEqual({ kind: 'dead', reason: 'too hard' });
    const other = newJob();
    const removed = other.port.addTile(other.job, work);
    other.port.removeJob(other.job);
    expect(await removed).toEqual({ kind: 'removed' });
    expect(await other.port.addTile(other.job, work)).toEqual({ kind: 'removed' });
  });
});
