import { expect } from 'vitest';
import type { Engine } from '../../coordinator/engine/engine.ts';
import {
  type MemoryDisk,
  memoryDisk,
  memoryEngine,
  type WriteFate,
} from '../../coordinator/engine/memory-engine.ts';
import { openRecord, sealRecord } from '../../coordinator/engine/record.ts';
import { planOptionsToJson } from '../../coordinator/jobs/job-request.ts';
import { localRunner } from '../../coordinator/jobs/job-runner.ts';
import { type JobVerifier, localVerifier } from '../../coordinator/jobs/job-verifier.ts';
import { type Jobs, type JobsOptions, startJobs } from '../../coordinator/jobs/jobs.ts';
import { solverPort } from '../../coordinator/jobs/solver-port.ts';
import { encodeNetwork } from '../../src/core/format/network-file.ts';
import { decodeTileResult, encodeTileResult } from '../../src/core/format/tile-result.ts';
import type { PlanOptions } from '../../src/core/plan/make-plan.ts';
import type { Solver } from '../../src/core/plan/tile.ts';
import { countingSolver } from './counting-solver.ts';
import { defaultOptions, kernelSolver, searchInProcess } from './in-process-search.ts';
import { networkOf } from './random-network.ts';

export const network = networkOf({
  seed: 7,
  activations: [{ kind: 'relu' }, { kind: 'relu' }],
  convolutional: false,
  pooling: 'none',
  sparsity: 0,
  biased: true,
  padded: false,
});
export const networkBytes = encodeNetwork(network);

export const kernel: Solver = await kernelSolver();
/** The bytes of the ticket that every job for the network under the default options has to give. */
export const expected: Uint8Array = (await searchInProcess(network, {}, kernel)).bytes;

/** One coordinator's life on a disk. */
export interface Life {
  readonly engine: Engine;
  readonly jobs: Jobs;
  end(): Promise<void>;
}

export async function live(
  disk: MemoryDisk,
  rest: Partial<JobsOptions> & {
    solver?: Solver;
    verifier?: JobVerifier;
    fateOf?: (keys: readonly string[]) => WriteFate;
  } = {},
): Promise<Life> {
  const { solver = kernel, verifier = localVerifier(), fateOf, ...options } = rest;
  const engine = memoryEngine({ disk, ...(fateOf === undefined ? {} : { fateOf }) });
  const jobs = await startJobs({
    engine,
    ledger: solverPort(solver, engine),
    planSolver: kernel,
    runner: localRunner(verifier),
    tileSize: { kind: 'blocks', blocks: 20 },
    storeRetryMs: 0,
    ...options,
  });
  return {
    engine,
    jobs,
    end: async () => {
      await jobs.close();
      await engine.close();
    },
  };
}

export function submit(jobs: Jobs, options: Partial<PlanOptions> = {}, priority = 0): Promise<string> {
  return jobs.submit({
    network: networkBytes,
    options: planOptionsToJson({ ...defaultOptions, ...options }),
    name: 'a job',
    priority,
    submitter: 'somebody',
  });
}

export async function ticketOf({ engine, jobs }: Life, job: string): Promise<Uint8Array | undefined> {
  const status = await jobs.whenOver(job);
  expect(status).toMatchObject({ state: 'done', reason: '', phase: null });
  return engine.readBlob(status?.result?.ticketBlob ?? '');
}

/** A disk on which the job has been running and all its tiles are committed. */
export async function interruptedBeforeSeal(): Promise<{ disk: MemoryDisk; job: string; tiles: string[] }> {
  const disk = memoryDisk();
  const solver = countingSolver(kernel);
  const verifier = { ...localVerifier(), ticket: () => new Promise<never>(() => undefined) };
  const ledger = (engine: Engine) => solverPort(solver, engine);
  const engine = memoryEngine({ disk });
  let job = '';
  await new Promise<void>((resolve, reject) => {
    startJobs({
      engine,
      ledger: ledger(engine),
      planSolver: kernel,
      runner: localRunner(verifier),
      tileSize: { kind: 'blocks', blocks: 20 },
      onChange: (id) => {
        if (jobs?.status(id)?.phase === 'verifying') resolve();
      },
    }).then(async (started) => {
      jobs = started;
      job = await submit(started);
    }, reject);
    let jobs: Jobs | undefined;
  });
  // A kill, not an end: nothing of this coordinator's is waited for.
  disk.isOpen = false;
  return { disk, job, tiles: solver.tiles };
}

/** Flips mask bits of a stored result, so that all checksums hold and residuals do not. */
export function forge(disk: MemoryDisk, key: string): void {
  const value = openRecord(key, disk.records.get(key));
  const result = value === undefined ? undefined : decodeTileResult(value);
  if (result === undefined) throw new Error('nothing to forge');
  result.masks[0] = (result.masks[0] ?? 0) ^ 1;
  disk.records.set(key, sealRecord(key, encodeTileResult(result)));
}
