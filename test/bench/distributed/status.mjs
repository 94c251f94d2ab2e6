/** What `tombola status --json` says while a job runs: the real command line for coordinator, worker, submission and status. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defaultOptions } from '../default-options.mjs';
import { pause, submitJob } from './processes.mjs';

const entry = fileURLToPath(new URL('../../../src/cli/tombola.mjs', import.meta.url));
const asked = 5;
/** At this tolerance every block is hard: the job takes a minute. */
const options = { ...defaultOptions, epsilon: 1e-3, rule: 'closest' };

/** Runs the group. */
export async function status({ note }) {
  const directory = mkdtempSync(join(tmpdir(), 'tombola-bench-'));
  const children = [];
  const start = (...args) => {
    const child = spawn(process.execPath, [entry, ...args], { stdio: ['ignore', 'pipe', 'ignore'] });
    children.push(child);
    return child;
  };
  try {
    const url = JSON.parse(await line(start('serve', '--data', directory, '--port', '0', '--json'))).url;
    start('worker', url, '--threads', '1');
    const job = await submitJob(url, { name: 'status', network: network(), options });
    const samples = [];
    let last;
    const begin = performance.now();
    while (samples.length < asked && performance.now() - begin < 60_000) {
      const askedAt = performance.now();
      const view = JSON.parse(await text(start('status', job, '--coordinator', url, '--json')));
      const { progress, workers } = view;
      last = view;
      if (progress !== null && progress.share > 0 && progress.blocksPerSecond > 0)
        samples.push({ ...view, answerMs: performance.now() - askedAt });
      if (view.state !== 'running') break;
      await pause(700);
      if (workers === undefined) throw new Error('status names no workers');
    }
    note(JSON.stringify(last, null, 1));
    const complete = samples.filter(
      ({ progress, workers }) =>
        progress.share > 0 &&
        progress.share < 1 &&
        progress.blocksPerSecond > 0 &&
        progress.secondsLeft > 0 &&
        progress.layers.length === 2 &&
        workers.length === 1,
    ).length;
    const grows = samples.every(
      ({ progress }, k) => k === 0 || progress.share >= samples[k - 1].progress.share,
    );
    return [
      {
        name: 'answers with progress, rate, time left, layers and workers',
        value: complete,
        unit: `of ${asked}`,
        goal: `${asked}`,
      },
      { name: '… progress never goes back', value: grows ? 'yes' : 'no', goal: 'yes' },
      {
        name: '… slowest answer, start of the command included',
        value: Math.max(...samples.map(({ answerMs }) => answerMs)),
        unit: 'ms',
      },
    ];
  } finally {
    for (const child of children) child.kill('SIGKILL');
    await pause(200);
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Two dense layers. */
function network() {
  const values = (count, salt) =>
    Float64Array.from({ length: count }, (_, k) => Math.sin((k + salt) * 12.9898) * 0.1);
  const dense = (inputs, outputs, salt) => ({
    kind: 'dense',
    outputs,
    inputs,
    weights: values(outputs * inputs, salt),
    bias: values(outputs, salt + 0.5),
  });
  return {
    inputShape: [64],
    inputSteps: [],
    layers: [
      {
        name: 'first',
        linear: dense(64, 1200, 1),
        steps: [{ kind: 'activation', activation: { kind: 'relu' } }],
      },
      { name: 'last', linear: dense(1200, 10, 2), steps: [] },
    ],
  };
}

function line(child) {
  return new Promise((resolve, reject) => {
    let read = '';
    child.stdout.setEncoding('utf8').on('data', (part) => {
      read += part;
      if (read.includes('\n')) resolve(read.split('\n')[0]);
    });
    child.once('exit', (code) => reject(new Error(`tombola ended with ${code}`)));
  });
}

function text(child) {
  return new Promise((resolve) => {
    let read = '';
    child.stdout.setEncoding('utf8').on('data', (part) => {
      read += part;
    });
    child.once('close', () => resolve(read));
  });
}
