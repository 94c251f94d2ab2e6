/** `tombola serve --volunteers` as a process, with a planned job that lasts longer than a benchmark does. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { defaultOptions } from '../default-options.mjs';
import { pause, submitJob } from './processes.mjs';

const root = fileURLToPath(new URL('../../../', import.meta.url));
/** Some ten million blocks, of which a core solves a million a second. */
const layerSizes = [784, 1200, 10];
const options = { ...defaultOptions, epsilon: 1e-3 };

/** Starts it; `end()` ends it and removes what it kept. */
export async function startVolunteerCoordinator() {
  const directory = mkdtempSync(join(tmpdir(), 'tombola-bench-'));
  const args = ['serve', '--data', directory, '--port', '0', '--volunteers', '--json'];
  const serving = spawn(process.execPath, [`${root}src/cli/tombola.mjs`, ...args], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, TOMBOLA_BUILT: '1' },
  });
  const { url } = JSON.parse(await firstLine(serving));
  await submitJob(url, { name: 'benchmark', network: network(), options });
  for (;;) {
    const { jobs } = await (await fetch(`${url}/api/jobs`)).json();
    if (jobs[0].state !== 'running') throw new Error(`the job is ${jobs[0].state}: ${jobs[0].reason}`);
    if (jobs[0].phase === 'solving') break;
    await pause(50);
  }
  return {
    url,
    end: async () => {
      const ended = new Promise((resolve) => serving.once('exit', resolve));
      serving.kill('SIGTERM');
      await ended;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** A network with weights as they are before training. */
function network() {
  let state = 1;
  const random = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 31 - 1;
  };
  const layers = layerSizes.slice(1).map((outputs, index) => {
    const inputs = layerSizes[index];
    const weights = Float32Array.from({ length: inputs * outputs }, () => random() / Math.sqrt(inputs));
    const linear = { kind: 'dense', inputs, outputs, weights, bias: new Float32Array(outputs) };
    const isLast = index + 2 === layerSizes.length;
    const steps = isLast ? [] : [{ kind: 'activation', activation: { kind: 'relu' } }];
    return { name: `dense ${index}`, linear, steps };
  });
  return { inputShape: [layerSizes[0]], inputSteps: [], layers };
}

function firstLine(child) {
  return new Promise((resolve, reject) => {
    createInterface(child.stdout).once('line', resolve);
    child.once('exit', (code) => reject(new Error(`tombola ended with ${code} and said nothing`)));
  });
}
