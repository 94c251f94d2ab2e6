/** Tiles on their way through the shared queue: from the driver of a job to a gateway's ledger, and back as a result. */
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { JobsFollower } from '../../coordinator/cluster/jobs-follower.ts';
import { WorkFeed } from '../../coordinator/cluster/work-feed.ts';
import { ItemReader, ItemWriter } from '../../coordinator/cluster/work-item.ts';
import { deadTileTopic, workPort } from '../../coordinator/cluster/work-port.ts';
import type { StoredJob } from '../../coordinator/engine/engine.ts';
import { type NatsLink, openNatsLink, parseNatsAddress } from '../../coordinator/engine/nats/connection.ts';
import { type NatsEngine, openNatsEngine } from '../../coordinator/engine/nats/nats-engine.ts';
import { signalsOf } from '../../coordinator/engine/nats/signals.ts';
import { type Delivery, openWorkStream, type WorkStream } from '../../coordinator/engine/nats/work-stream.ts';
import type { LedgerPort, TileWork } from '../../coordinator/jobs/ledger-port.ts';
import type { LedgerStatus } from '../../coordinator/ledger.ts';
import { layerProblemDigest, tileId } from '../../src/core/plan/tiles.ts';
import { layerAndTile } from '../support/layer-problems.ts';
import { hasNats, type NatsServers, startNats } from '../support/nats-servers.ts';
import { until } from '../support/until.ts';

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

describe.skipIf(!hasNats)('over a NATS server', () => {
  let nats: NatsServers;
  let link: NatsLink;
  let engine: NatsEngine;
  let stream: WorkStream;
  let count = 0;
  const closers: (() => unknown)[] = [];
  beforeAll(async () => {
    nats = await startNats(1);
    link = await openNatsLink(parseNatsAddress(nats.url));
    engine = await openNatsEngine(link, { replicas: 1 });
    stream = await openWorkStream(link, { replicas: 1, ackMs: 60_000 });
  });
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
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
    await until(async () => (await stream.waiting(job)).has(tile));
  }

  it('the driver’s port says done when anybody has committed the tile', async () => {
    const { job, port } = newJob();
    const fate = port.addTile(job, work);
    await whenQueued(job);
    await engine.commitResult(job, tile, Uint8Array.of(1));
    expect(await fate).toEqual({ kind: 'done' });
  });

  it('the driver’s port says done of a tile that was committed before, and has one solved again that was dropped', async () => {
    const { job, port } = newJob();
    await engine.commitResult(job, tile, Uint8Array.of(1));
    expect(await port.addTile(job, work)).toEqual({ kind: 'done' });
    await engine.dropResult(job, tile);
    const fate = port.addTile(job, work);
    await whenQueued(job);
    await engine.commitResult(job, tile, Uint8Array.of(2));
    expect(await fate).toEqual({ kind: 'done' });
  });

  it('the driver’s port puts a tile again that the queue has lost', async () => {
    const { job, port } = newJob();
    const fate = port.addTile(job, work);
    await whenQueued(job);
    await stream.close(job);
    await whenQueued(job);
    // Where the port was looking for lost tiles just then, it opens the queue when it looks again.
    let pulled: readonly Delivery[] | null = null;
    await until(async () => {
      pulled = await stream.pull(job, 1);
      return pulled !== null;
    });
    expect(pulled).toMatchObject([{ tile }]);
    await engine.commitResult(job, tile, Uint8Array.of(1));
    expect(await fate).toEqual({ kind: 'done' });
  });

  it('the driver’s port hears of a tile that nobody can solve, and gives up those of a removed job', async () => {
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

  it('a tile whose layer was removed under it is put again with its layer, and taken', async () => {
    const { job, port } = newJob();
    const fate = port.addTile(job, work);
    await whenQueued(job);
    await engine.objects.removeSpecs(job);
    const troubles: string[] = [];
    const ledger: LedgerPort = {
      addJob: () => undefined,
      addTile: async (_, { tile: { id } }) => {
        await engine.commitResult(job, id, Uint8Array.of(1));
        return { kind: 'done' };
      },
      removeJob: () => undefined,
    };
    const session = { threads: 1, leases: 0, isQuarantined: false };
    const feed = new WorkFeed({
      engine,
      work: stream,
      items: new ItemReader(engine.objects, 4),
      signals: signalsOf(link),
      ledger,
      ledgerStatus: () => ({ sessions: [session], openTiles: 0 }) as unknown as LedgerStatus,
      priorityOf: (name) => (name === job ? 0 : undefined),
      ackMs: 60_000,
      nowMs: () => performance.now(),
      onTrouble: (reason) => troubles.push(reason),
    });
    closers.push(() => feed.close());
    expect(await fate).toEqual({ kind: 'done' });
    expect(troubles[0]).toMatch(/not in the engine/);
  });

  describe('clearing away after a job', () => {
    const digest = 'ab'.repeat(32);

    function stored(job: string, state: StoredJob['state']): StoredJob {
      return { job, request: '{}', state, reason: '', result: '', priority: 0, sequence: 0 };
    }

    /** Follows jobs with a queue in which something happens. */
    function newFollower(changes: Partial<WorkStream>): JobsFollower {
      const follower = new JobsFollower({
        engine,
        work: { ...stream, ...changes },
        signals: signalsOf(link),
        gateway: 'this one',
        onTrouble: (reason) => expect.unreachable(reason),
      });
      closers.push(() => follower.close());
      return follower;
    }

    const jobs = { adopt: () => undefined, hear: () => undefined };

    it('removes what is left of it', async () => {
      const job = `job-${++count}`;
      await engine.putJob(stored(job, 'cancelled'));
      await engine.objects.putSpec(job, digest, Uint8Array.of(1));
      await stream.open(job);
      await newFollower({}).open(jobs, () => undefined);
      expect(await stream.jobs()).not.toContain(job);
      expect(await engine.objects.readSpec(job, digest)).toBeUndefined();
    });

    it('stops where it is submitted again meanwhile', async () => {
      const job = `job-${++count}`;
      await engine.putJob(stored(job, 'cancelled'));
      await engine.objects.putSpec(job, digest, Uint8Array.of(1));
      const close = async (): Promise<void> => engine.putJob(stored(job, 'running'));
      const follower = newFollower({ close, jobs: async () => [] });
      follower.drove(job);
      await follower.open(jobs, () => undefined);
      await follower.whenCleared(job);
      await until(async () => (await engine.storedJob(job))?.state === 'running');
      await follower.whenCleared(job);
      expect(await engine.objects.readSpec(job, digest)).toEqual(Uint8Array.of(1));
    });

    it('leaves alone a job that was submitted while a gateway starts', async () => {
      const job = `job-${++count}`;
      const listed = async (): Promise<readonly string[]> => {
        await engine.putJob(stored(job, 'running'));
        await stream.open(job);
        await engine.objects.putSpec(job, digest, Uint8Array.of(1));
        return stream.jobs();
      };
      await newFollower({ jobs: listed }).open(jobs, () => undefined);
      expect(await stream.jobs()).toContain(job);
      expect(await engine.objects.readSpec(job, digest)).toEqual(Uint8Array.of(1));
    });
  });
});
