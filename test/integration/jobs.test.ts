import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openLocalEngine } from '../../coordinator/engine/local-engine.ts';
import { memoryDisk, type WriteFate } from '../../coordinator/engine/memory-engine.ts';
import { openRecord, resultKey, sealRecord } from '../../coordinator/engine/record.ts';
import type { JobSummary } from '../../coordinator/jobs/job-result.ts';
import { localRunner } from '../../coordinator/jobs/job-runner.ts';
import { localVerifier, threadVerifier } from '../../coordinator/jobs/job-verifier.ts';
import { startJobs } from '../../coordinator/jobs/jobs.ts';
import type { LedgerPort } from '../../coordinator/jobs/ledger-port.ts';
import { solverPort } from '../../coordinator/jobs/solver-port.ts';
import type { Solver } from '../../src/core/plan/tile.ts';
import type { TileSize } from '../../src/core/plan/tiles.ts';
import { countingSolver } from '../support/counting-solver.ts';
import {
  expected,
  forge,
  interruptedBeforeSeal,
  kernel,
  type Life,
  live,
  submit,
  ticketOf,
} from '../support/job-life.ts';

describe('a job', () => {
  it('gives the bytes of the search in one process, verified and summarised', async () => {
    const life = await live(memoryDisk(), { tileSize: { kind: 'blocks', blocks: 1 } });
    const job = await submit(life.jobs);
    expect(await ticketOf(life, job)).toEqual(expected);
    const { result, progress } = life.jobs.status(job) ?? {};
    const summary = JSON.parse(
      new TextDecoder().decode(await life.engine.readBlob(result?.summaryBlob ?? '')),
    ) as JobSummary;
    expect(summary).toMatchObject({
      job,
      name: 'a job',
      ticketSha256: result?.ticketBlob,
      ticketBytes: expected.length,
      verdict: { fault: null },
    });
    expect(progress).toMatchObject({ share: 1 });
    for (const layer of progress?.layers ?? []) {
      expect(layer).toMatchObject({ isDone: true, copies: layer.copiesWanted, tilesDone: layer.tilesKnown });
      expect(layer.tilesKnown).toBeGreaterThan(1);
    }
    await life.end();
  });

  it('does not depend on how it is cut into tiles', async () => {
    const sizes: TileSize[] = [
      { kind: 'blocks', blocks: 1 },
      { kind: 'blocks', blocks: 100 },
      { kind: 'seconds', seconds: 0.1 },
      { kind: 'seconds', seconds: 60 },
    ];
    for (const tileSize of sizes) {
      const life = await live(memoryDisk(), { tileSize });
      expect(await ticketOf(life, await submit(life.jobs))).toEqual(expected);
      await life.end();
    }
  });

  it('goes on after a restart without solving a committed tile again', async () => {
    const { tiles: all } = await interruptedBeforeSeal();
    for (const solvedBefore of [0, 1, Math.floor(all.length / 2), all.length - 1]) {
      const disk = memoryDisk();
      const first = countingSolver(kernel, solvedBefore);
      const before = await live(disk, { solver: first });
      const job = await submit(before.jobs);
      await first.asked(solvedBefore + 1);
      await before.end();
      const second = countingSolver(kernel);
      const after = await live(disk, { solver: second });
      expect(after.jobs.status(job)).toMatchObject({ state: 'running', name: 'a job' });
      expect(await ticketOf(after, job)).toEqual(expected);
      const committed = first.tiles.slice(0, solvedBefore);
      expect(second.tiles).toHaveLength(all.length - committed.length);
      expect(second.tiles.filter((tile) => committed.includes(tile))).toEqual([]);
      await after.end();
    }
  });

  it('goes on with the plan it began with, and makes a new one where that is damaged', async () => {
    const { disk, job } = await interruptedBeforeSeal();
    const refusing: Solver = { concurrency: 1, solve: () => Promise.reject(new Error('no need to plan')) };
    const life = await live(disk, { planSolver: refusing });
    expect(await ticketOf(life, job)).toEqual(expected);
    await life.end();
    for (const change of [
      (record: Uint8Array) => record.fill(0, 9, 12),
      () => sealRecord(resultKey(job, 'plan'), new TextEncoder().encode('{"mode":"exact"}')),
      () => sealRecord(resultKey(job, 'plan'), new TextEncoder().encode('no JSON')),
    ]) {
      const again = await interruptedBeforeSeal();
      const key = resultKey(job, 'plan');
      again.disk.records.set(key, change(again.disk.records.get(key) ?? new Uint8Array(0)));
      const solver = countingSolver(kernel);
      const next = await live(again.disk, { solver });
      expect(await ticketOf(next, job)).toEqual(expected);
      expect(solver.tiles).toEqual([]);
      await next.end();
    }
  });

  it('solves nothing again when only the seal was missing', async () => {
    const { disk, job } = await interruptedBeforeSeal();
    const solver = countingSolver(kernel);
    const life = await live(disk, { solver });
    expect(await ticketOf(life, job)).toEqual(expected);
    expect(solver.tiles).toEqual([]);
    await life.end();
  });

  it('solves a tile again whose stored result is damaged, and no other', async () => {
    const { disk, job, tiles } = await interruptedBeforeSeal();
    const damaged = tiles[3] ?? '';
    disk.records.get(resultKey(job, damaged))?.fill(1, 8, 9);
    const solver = countingSolver(kernel);
    const life = await live(disk, { solver });
    expect(await ticketOf(life, job)).toEqual(expected);
    expect(solver.tiles).toEqual([damaged]);
    await life.end();
  });

  it('solves a tile again whose stored result is that of another tile, or none at all', async () => {
    const { disk, job, tiles } = await interruptedBeforeSeal();
    const [one = '', two = '', three = ''] = tiles;
    const other = openRecord(resultKey(job, two), disk.records.get(resultKey(job, two)));
    disk.records.set(resultKey(job, one), sealRecord(resultKey(job, one), other ?? new Uint8Array(0)));
    disk.records.set(resultKey(job, three), sealRecord(resultKey(job, three), Uint8Array.of(1, 2, 3)));
    const solver = countingSolver(kernel);
    const life = await live(disk, { solver });
    expect(await ticketOf(life, job)).toEqual(expected);
    expect(solver.tiles.sort()).toEqual([one, three].sort());
    await life.end();
  });

  it('finds sound-looking results that do not verify before it seals, and solves just these again', async () => {
    const { disk, job, tiles } = await interruptedBeforeSeal();
    const forged = [tiles[0] ?? '', tiles[tiles.length - 1] ?? ''];
    for (const tile of forged) forge(disk, resultKey(job, tile));
    const solver = countingSolver(kernel);
    const life = await live(disk, { solver });
    expect(await ticketOf(life, job)).toEqual(expected);
    expect(solver.tiles.sort()).toEqual(forged.sort());
    await life.end();
  });

  it('is verified on threads, and may be cancelled while it is', async () => {
    let cancelled: Promise<boolean> | undefined;
    const verifier = threadVerifier({ threads: 2 });
    const life = await live(memoryDisk(), {
      verifier: {
        ...verifier,
        ticket: (subject, signal) => {
          cancelled ??= life.jobs.cancel(job);
          return verifier.ticket(subject, signal);
        },
      },
    });
    const job = await submit(life.jobs);
    expect(await life.jobs.whenOver(job)).toMatchObject({ state: 'cancelled', result: null });
    expect(await cancelled).toBe(true);
    await submit(life.jobs);
    expect(await ticketOf(life, job)).toEqual(expected);
    await life.end();
  });

  it('survives on the disk what it survives in memory', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'tombola-jobs-'));
    const stopping = countingSolver(kernel, 4);
    const start = async (solver: Solver): Promise<Life> => {
      const engine = await openLocalEngine(directory);
      const jobs = await startJobs({
        engine,
        ledger: solverPort(solver, engine),
        planSolver: kernel,
        runner: localRunner(localVerifier()),
        tileSize: { kind: 'blocks', blocks: 20 },
      });
      return { engine, jobs, end: () => jobs.close().then(() => engine.close()) };
    };
    const before = await start(stopping);
    const job = await submit(before.jobs);
    await stopping.asked(5);
    await before.end();
    const solver = countingSolver(kernel);
    const after = await start(solver);
    expect(await ticketOf(after, job)).toEqual(expected);
    expect(solver.tiles.filter((tile) => stopping.tiles.slice(0, 4).includes(tile))).toEqual([]);
    await after.end();
    await rm(directory, { recursive: true });
  });

  it('fails rather than seal a ticket that does not verify', async () => {
    const verifier = localVerifier();
    const life = await live(memoryDisk(), {
      verifier: {
        ...verifier,
        ticket: async (subject, signal) => ({
          ...(await verifier.ticket(subject, signal)),
          fault: 'a fault',
        }),
      },
    });
    const status = await life.jobs.whenOver(await submit(life.jobs));
    expect(status).toMatchObject({ state: 'failed', result: null });
    expect(status?.reason).toMatch(/^Cannot seal the ticket: a fault, expected/);
    await life.end();
  });

  it('fails when what the ledger calls done is never there', async () => {
    const ledger: LedgerPort = {
      addJob: () => undefined,
      addTile: () => Promise.resolve({ kind: 'done' }),
      removeJob: () => undefined,
    };
    const life = await live(memoryDisk(), { ledger });
    const status = await life.jobs.whenOver(await submit(life.jobs));
    expect(status).toMatchObject({ state: 'failed' });
    expect(status?.reason).toMatch(/^Cannot read back tile [0-9a-f]{64}/);
    await life.end();
  });

  it('is incomplete with the reason when a tile is dead, and is completed when it is submitted again', async () => {
    const disk = memoryDisk();
    let isBroken = true;
    const solver = countingSolver(kernel);
    const breaking: Solver = {
      concurrency: 1,
      solve: (problem, tile) => {
        if (isBroken && solver.tiles.length === 3) return Promise.reject(new Error('no worker can'));
        return solver.solve(problem, tile);
      },
    };
    const life = await live(disk, { solver: breaking });
    const job = await submit(life.jobs);
    expect(await life.jobs.whenOver(job)).toMatchObject({
      state: 'incomplete',
      reason: 'Error: no worker can',
      result: null,
    });
    isBroken = false;
    expect(await submit(life.jobs)).toBe(job);
    expect(await ticketOf(life, job)).toEqual(expected);
    expect(new Set(solver.tiles).size).toBe(solver.tiles.length);
    await life.end();
  });

  it('waits for a store that cannot be used, and says so', async () => {
    const fates: WriteFate[] = ['lost', 'written-but-rejected', 'lost'];
    let submitted = false;
    const phases = new Set<unknown>();
    const life = await live(memoryDisk(), {
      // The first blobs after the submission: those of the ticket.
      fateOf: ([key = '']) => (submitted && !key.includes('/') ? (fates.shift() ?? 'written') : 'written'),
      onChange: (job) => {
        const status = life?.jobs.status(job);
        if (status?.phase === 'stalled') phases.add(`${status.state}: ${status.reason}`);
      },
    });
    const job = await submit(life.jobs);
    submitted = true;
    expect(await ticketOf(life, job)).toEqual(expected);
    expect([...phases]).toEqual(['running: Cannot write 1 records: the disk in memory fails']);
    expect(fates).toEqual([]);
    await life.end();
  });

  it('fails when its network is gone from the store', async () => {
    const { disk, job } = await interruptedBeforeSeal();
    disk.blobs.clear();
    const life = await live(disk);
    const status = await life.jobs.whenOver(job);
    expect(status).toMatchObject({ state: 'failed' });
    expect(status?.reason).toMatch(/^Cannot read the job's network: .*submit the job again/);
    expect(await submit(life.jobs)).toBe(job);
    expect(await ticketOf(life, job)).toEqual(expected);
    await life.end();
  });

  it('fails with the reason when there is no plan for its options', async () => {
    const life = await live(memoryDisk());
    const job = await submit(life.jobs, { epsilon: 0 });
    const status = await life.jobs.whenOver(job);
    expect(status).toMatchObject({ state: 'failed', progress: null });
    expect(status?.reason).toMatch(/^Cannot /);
    await life.end();
  });
});
