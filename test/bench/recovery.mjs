/**
 * How long a coordinator takes to go on with a job of many tiles: `npm run build && node test/bench/recovery.mjs [neurons]`.
 * Solves a synthetic job with one tile per neuron on the local engine up to the seal, starts again in another process, and says
 * where the time goes until every tile is merged: wall time, and processor time of all threads, which other programs stretch less.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLocalEngine } from '../../dist/coordinator/engine/local-engine.js';
import { planOptionsToJson } from '../../dist/coordinator/jobs/job-request.js';
import { localRunner } from '../../dist/coordinator/jobs/job-runner.js';
import { localVerifier } from '../../dist/coordinator/jobs/job-verifier.js';
import { startJobs } from '../../dist/coordinator/jobs/jobs.js';
import { solverPort } from '../../dist/coordinator/jobs/solver-port.js';
import { encodeNetwork } from '../../dist/src/core/format/network-file.js';
import { loadKernel } from '../../dist/worker/kernel/kernel.js';
import { defaultOptions } from './default-options.mjs';

/** 70,000 neurons have 103,534 tiles with those of the reserve passes. */
const neuronCount = Number(process.argv[2] ?? 70_000);
const directory = process.argv[3];
const isFirst = process.argv[4] === 'submit';
const options = { ...defaultOptions, epsilon: 0.5 };

/** Two inputs, one hidden neuron per tile, one output. */
function network() {
  const value = (k) => Math.sin(k * 1.37) + (k % 2 ? 0.01 : -0.01);
  const values = (count, salt) => Float64Array.from({ length: count }, (_, k) => value(k + salt));
  const dense = (outputs, inputs, salt) => ({
    kind: 'dense',
    outputs,
    inputs,
    weights: values(outputs * inputs, salt),
    bias: values(outputs, salt + 0.5),
  });
  const steps = [{ kind: 'activation', activation: { kind: 'relu' } }];
  return {
    inputShape: [2],
    inputSteps: [],
    layers: [
      { name: 'wide', linear: dense(neuronCount, 2, 1), steps },
      { name: 'last', linear: dense(1, neuronCount, 2), steps: [] },
    ],
  };
}

const kernel = await loadKernel();
const solver = { concurrency: 64, solve: async (problem, tile) => kernel.solveTile(problem, tile) };

/** Runs until all tiles are merged. */
async function run(submission) {
  const start = performance.now();
  const times = {};
  const lap = (name) => {
    const { user, system } = process.cpuUsage();
    times[name] ??= { ms: performance.now() - start, processorMs: (user + system) / 1000 };
  };
  const engine = await openLocalEngine(directory);
  lap('engine open');
  const timed = {
    ...engine,
    committedTiles: async (job) => {
      lap('planned');
      const tiles = await engine.committedTiles(job);
      lap(`${tiles.size} committed tiles listed`);
      return tiles;
    },
    readResult: (job, tile) => {
      if (tile !== 'plan') lap('first result wanted');
      return engine.readResult(job, tile);
    },
  };
  let tell;
  const merged = new Promise((resolve) => {
    tell = resolve;
  });
  let jobs;
  jobs = await startJobs({
    engine: timed,
    ledger: solverPort(solver, engine),
    planSolver: solver,
    runner: localRunner({ ...localVerifier(), ticket: () => new Promise(() => undefined) }),
    tileSize: { kind: 'blocks', blocks: 1 },
    onChange: (job) => {
      const { state, phase, reason } = jobs?.status(job) ?? {};
      if (state !== 'running' && state !== undefined) throw new Error(reason);
      if (phase === 'verifying') {
        lap('all tiles merged');
        tell(jobs.status(job).progress);
      }
    },
  });
  if (submission !== undefined) await jobs.submit(submission);
  const progress = await merged;
  lap('seen');
  const seconds = (ms) => `${(ms / 1000).toFixed(2).padStart(8)} s`;
  for (const [name, { ms, processorMs }] of Object.entries(times))
    process.stdout.write(`${seconds(ms)} ${seconds(processorMs)}  ${name}\n`);
  const layers = progress.layers.map(({ name, tilesDone }) => `${name}: ${tilesDone} tiles`);
  process.stdout.write(`${layers.join('; ')}\n`);
}

if (directory === undefined) {
  const folder = mkdtempSync(join(tmpdir(), 'tombola-recovery-'));
  const again = [process.argv[1], String(neuronCount), folder];
  process.stdout.write('first run\n');
  spawnSync(process.execPath, [...again, 'submit'], { stdio: 'inherit' });
  process.stdout.write('after a restart\n');
  spawnSync(process.execPath, again, { stdio: 'inherit' });
  rmSync(folder, { recursive: true });
} else {
  const submission = { options: planOptionsToJson(options), name: 'wide', priority: 0 };
  await run(isFirst ? { ...submission, network: encodeNetwork(network()) } : undefined);
  // As in a kill, what is in hand ends with the process.
  process.exit(0);
}
