import { describe, expect, it } from 'vitest';
import type { Engine } from '../../coordinator/engine/engine.ts';
import { memoryDisk, memoryEngine } from '../../coordinator/engine/memory-engine.ts';
import { nameOfKey } from '../../coordinator/engine/record.ts';
import { decodeJobRequest, encodeJobRequest, planOptionsToJson } from '../../coordinator/jobs/job-request.ts';
import { localVerifier } from '../../coordinator/jobs/job-verifier.ts';
import { solverPort } from '../../coordinator/jobs/solver-port.ts';
import { countingSolver } from '../support/counting-solver.ts';
import { defaultOptions, searchInProcess } from '../support/in-process-search.ts';
import {
  expected,
  interruptedBeforeSeal,
  kernel,
  type Life,
  live,
  network,
  networkBytes,
  submit,
  ticketOf,
} from '../support/job-life.ts';

describe('a list of jobs', () => {
  it('works on several jobs, each with the ticket it would have alone', async () => {
    const life = await live(memoryDisk());
    const [one, two] = await Promise.all([submit(life.jobs), submit(life.jobs, { seed: 2n })]);
    expect(one).not.toBe(two);
    expect(await ticketOf(life, one)).toEqual(expected);
    expect(await ticketOf(life, two)).toEqual((await searchInProcess(network, { seed: 2n }, kernel)).bytes);
    expect(life.jobs.list().map(({ job, sequence }) => ({ job, sequence }))).toEqual([
      { job: one, sequence: 1 },
      { job: two, sequence: 2 },
    ]);
    await life.end();
  });

  it('takes the same submission for the same job, running or done', async () => {
    const solver = countingSolver(kernel);
    const life = await live(memoryDisk(), { solver });
    const job = await submit(life.jobs);
    expect(await submit(life.jobs)).toBe(job);
    await life.jobs.whenOver(job);
    const count = solver.tiles.length;
    expect(await submit(life.jobs)).toBe(job);
    expect(life.jobs.status(job)?.state).toBe('done');
    expect(solver.tiles).toHaveLength(count);
    expect(life.jobs.list()).toHaveLength(1);
    await life.end();
  });

  it('cancels a job for good, keeps its tiles, and goes on from them when it is submitted again', async () => {
    const disk = memoryDisk();
    const stopping = countingSolver(kernel, 5);
    const before = await live(disk, { solver: stopping });
    const job = await submit(before.jobs);
    await stopping.asked(6);
    expect(await before.jobs.cancel(job)).toBe(true);
    expect(await before.jobs.whenOver(job)).toMatchObject({ state: 'cancelled', reason: 'Cancelled' });
    expect(await before.jobs.cancel(job)).toBe(false);
    expect(await before.jobs.cancel('unknown')).toBe(false);
    await before.end();
    const solver = countingSolver(kernel);
    const after = await live(disk, { solver });
    expect(after.jobs.status(job)).toMatchObject({ state: 'cancelled', phase: null });
    expect(solver.tiles).toEqual([]);
    await submit(after.jobs);
    expect(await ticketOf(after, job)).toEqual(expected);
    expect(solver.tiles.filter((tile) => stopping.tiles.slice(0, 5).includes(tile))).toEqual([]);
    await after.end();
  });

  it('removes a running job with everything of it', async () => {
    const disk = memoryDisk();
    const stopping = countingSolver(kernel, 5);
    const life = await live(disk, { solver: stopping });
    const job = await submit(life.jobs);
    await stopping.asked(6);
    const over = life.jobs.whenOver(job);
    expect(await life.jobs.remove(job)).toBe(true);
    expect(await life.jobs.remove(job)).toBe(false);
    await over;
    expect(life.jobs.list()).toEqual([]);
    await life.end();
    expect([...disk.records.keys()].map(nameOfKey)).toEqual([]);
    expect(disk.blobs.size).toBe(0);
  });

  it('removes the blobs of a removed job that no other job refers to', async () => {
    const disk = memoryDisk();
    const life = await live(disk);
    // The network is the same, and so is the ticket: the plan is rounded to whole rows.
    const [one, two] = [
      await submit(life.jobs),
      await submit(life.jobs, { failureProbability: defaultOptions.failureProbability * (1 + 1e-12) }),
    ];
    const bytes = await ticketOf(life, one);
    expect(two).not.toBe(one);
    expect(await ticketOf(life, two)).toEqual(bytes);
    expect(disk.blobs.size).toBe(4);
    expect(await life.jobs.remove(one)).toBe(true);
    expect(disk.blobs.size).toBe(3);
    expect(await ticketOf(life, two)).toEqual(bytes);
    expect(await life.jobs.remove(two)).toBe(true);
    expect(disk.blobs.size).toBe(0);
    await life.end();
  });

  it('keeps the ticket of a job that is not done yet while another job is removed', async () => {
    const disk = memoryDisk();
    let removal: Promise<boolean> | undefined;
    const verifier = localVerifier();
    const life: Life = await live(disk, {
      verifier: {
        ...verifier,
        ticket: async (subject, signal) => {
          if (life.jobs.list().length === 2) {
            removal = life.jobs.remove(one);
            await removal;
          }
          return verifier.ticket(subject, signal);
        },
      },
    });
    const one = await submit(life.jobs);
    await life.jobs.whenOver(one);
    const two = await submit(life.jobs, { seed: 2n });
    expect(await ticketOf(life, two)).toBeDefined();
    expect(await removal).toBe(true);
    expect(disk.blobs.size).toBe(3);
    await life.end();
  });

  it('keeps the blobs of a job that another coordinator has put and nobody has told of yet', async () => {
    const life = await live(memoryDisk());
    const one = await submit(life.jobs);
    await life.jobs.whenOver(one);
    const networkBlob = await life.engine.putBlob(Uint8Array.of(1));
    const [stored] = await life.engine.jobs();
    if (stored === undefined) throw new Error('there is a job');
    const request = encodeJobRequest({ ...decodeJobRequest(stored.request), networkBlob });
    await life.engine.putJob({ ...stored, job: 'other', state: 'cancelled', result: '', request });
    expect(await life.jobs.remove(one)).toBe(true);
    expect(await life.engine.blobs()).toEqual([networkBlob]);
    await life.end();
  });

  it('shows a job as another coordinator has it, with the network of its latest submission', async () => {
    const life = await live(memoryDisk());
    const job = await submit(life.jobs);
    await life.jobs.whenOver(job);
    const [stored] = await life.engine.jobs();
    if (stored === undefined) throw new Error('there is a job');
    const networkBlob = '0'.repeat(64);
    const request = encodeJobRequest({ ...decodeJobRequest(stored.request), networkBlob, name: 'again' });
    life.jobs.adopt(job, { ...stored, state: 'cancelled', result: '', request });
    expect(life.jobs.status(job)).toMatchObject({ name: 'again', result: null, request: { networkBlob } });
    await life.end();
  });

  it('shows no trouble of the store in a job that another coordinator has made an end of', async () => {
    const engine = memoryEngine({ disk: memoryDisk() });
    let life: Life | undefined;
    const answerless: Engine = {
      ...engine,
      putJob: async (stored) => {
        await engine.putJob(stored);
        if (stored.state === 'running') return;
        // The record is there, and is seen before the answer would have come.
        life?.jobs.adopt(stored.job, { ...stored });
        throw new Error('no answer in time');
      },
    };
    life = await live(memoryDisk(), { engine: answerless, ledger: solverPort(kernel, engine) });
    const job = await submit(life.jobs);
    expect(await life.jobs.whenOver(job)).toMatchObject({ state: 'done', reason: '', phase: null });
    await life.end();
    await engine.close();
  });

  it('stores a network again that was swept away before its job was put', async () => {
    const engine = memoryEngine({ disk: memoryDisk() });
    let sweeps = 0;
    const sweeping: Engine = {
      ...engine,
      putJob: async (stored) => {
        if (sweeps++ === 0) for (const sha256 of await engine.blobs()) await engine.removeBlob(sha256);
        await engine.putJob(stored);
      },
    };
    const life = await live(memoryDisk(), { engine: sweeping, ledger: solverPort(kernel, engine) });
    const job = await submit(life.jobs);
    expect(await life.jobs.whenOver(job)).toMatchObject({ state: 'done' });
    await life.end();
    await engine.close();
  });

  it('ends though its store does not answer', async () => {
    const engine = memoryEngine({ disk: memoryDisk() });
    const stopping = countingSolver(kernel, 0);
    let isAway = false;
    const away: Engine = {
      ...engine,
      putJob: (stored) => (isAway ? new Promise<never>(() => undefined) : engine.putJob(stored)),
    };
    const life = await live(memoryDisk(), {
      engine: away,
      ledger: solverPort(stopping, engine),
      closeMs: 0,
    });
    const job = await submit(life.jobs);
    await stopping.asked(1);
    isAway = true;
    void life.jobs.cancel(job);
    await life.jobs.close();
    await life.end();
    await engine.close();
  });

  it('removes at its start the blobs that no job refers to, and none while a job cannot be read', async () => {
    const { disk, job } = await interruptedBeforeSeal();
    disk.blobs.set('0'.repeat(64), Uint8Array.of(1));
    const stored = disk.records.get(`job/${job}`)?.slice() ?? new Uint8Array(0);
    disk.records.get(`job/${job}`)?.fill(0, 6, 9);
    await (await live(disk)).end();
    expect(disk.blobs.size).toBe(3);
    disk.records.set(`job/${job}`, stored);
    const life = await live(disk);
    expect(disk.blobs.has('0'.repeat(64))).toBe(false);
    expect(await ticketOf(life, job)).toEqual(expected);
    await life.end();
  });

  it('says so when blobs cannot be removed, and removes them at the next start', async () => {
    const disk = memoryDisk();
    let isBroken = false;
    const life = await live(disk, {
      fateOf: ([key = '']) => (isBroken && !key.includes('/') ? 'lost' : 'written'),
    });
    const job = await submit(life.jobs);
    await life.jobs.whenOver(job);
    isBroken = true;
    await expect(life.jobs.remove(job)).rejects.toMatchObject({ kind: 'failure' });
    expect(life.jobs.list()).toEqual([]);
    expect(disk.blobs.size).toBe(3);
    await life.end();
    await (await live(disk)).end();
    expect(disk.blobs.size).toBe(0);
  });

  it('shows a job whose record is damaged as failed', async () => {
    const { disk, job } = await interruptedBeforeSeal();
    disk.records.get(`job/${job}`)?.fill(0, 6, 9);
    const life = await live(disk);
    expect(life.jobs.list()).toEqual([
      expect.objectContaining({ job, state: 'failed', reason: expect.stringMatching(/damaged/) }),
    ]);
    await life.end();
  });

  it.each<
    [string, Partial<{ network: Uint8Array; options: unknown; name: string; priority: number }>, RegExp]
  >([
    ['a network of noise', { network: new Uint8Array(100) }, /^Cannot read/],
    ['half a network', { network: networkBytes.subarray(0, networkBytes.length / 2) }, /^Cannot read/],
    ['no options', { options: undefined }, /^Cannot accept the job's options/],
    ['a mode of its own', { options: { mode: 'magic' } }, /options: mode/],
    ['one option too many', { options: { ...planOptionsToJson(defaultOptions), x: 1 } }, /options: .*x/],
    [
      'a seed of 2^64',
      { options: { ...planOptionsToJson(defaultOptions), seed: `${2n ** 64n}` } },
      /seed.*2\^64/,
    ],
    ['a seed that is negative', { options: { ...planOptionsToJson(defaultOptions), seed: '-1' } }, /seed/],
    ['a broken priority', { priority: 0.5 }, /priority 0.5/],
    ['a name that is too long', { name: 'x'.repeat(201) }, /name/],
  ])('refuses %s in one line, and keeps nothing of it', async (_, part, message) => {
    const disk = memoryDisk();
    const life = await live(disk);
    const whole = {
      network: networkBytes,
      options: planOptionsToJson(defaultOptions),
      name: '',
      priority: 0,
      submitter: '',
    };
    await expect(life.jobs.submit({ ...whole, ...part })).rejects.toMatchObject({
      name: 'TombolaError',
      message: expect.stringMatching(message),
    });
    expect(life.jobs.list()).toEqual([]);
    await life.end();
    expect(disk.records.size + disk.blobs.size).toBe(0);
  });
});
