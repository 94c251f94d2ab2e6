/**
 * How long the coordinator's event loop is away while one worker solves a job, from its submission to its sealed ticket: while it
 * is away no heartbeat is answered and no other job's result taken.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { planOptionsToJson } from '../../../dist/coordinator/jobs/job-request.js';
import { loadTarget } from '../../../dist/src/cli/load-target.js';
import { encodeNetwork } from '../../../dist/src/core/format/network-file.js';
import { pause, startProcess } from './processes.mjs';
import { profileText } from './profile.mjs';

const target = fileURLToPath(new URL('../../../../shared/targets/mlp-300-100-relu.onnx', import.meta.url));
const goalMs = 50;

/** Runs the group. */
export async function loop({ runs, note, profileFolder }) {
  if (!existsSync(target)) return [{ name: 'skipped: ../shared/targets is not here', value: 0 }];
  const network = encodeNetwork(loadTarget(target).network);
  const rows = [];
  for (const mode of ['tolerance', 'exact']) {
    const all = [];
    for (let run = 0; run < runs; run++) {
      const figures = await runJob(network, mode, profileFolder);
      note(`${mode}: ${JSON.stringify(figures)}`);
      all.push(figures);
    }
    const name = `mlp-300-100-relu, ${mode}: longest`;
    const [unit, goal] = ['ms', `<= ${goalMs}`];
    const busy = median(all.map(({ busyMs }) => Math.max(...Object.values(busyMs))));
    rows.push(
      { name: `${name} processor time of the loop between two turns`, value: busy, unit, goal },
      // A machine with other things to do makes this longer.
      { name: `${name} delay of the loop`, value: median(all.map(({ maxMs }) => maxMs)), unit },
    );
  }
  if (profileFolder !== undefined) note(profileText(profileFolder));
  return rows;
}

function median(values) {
  return values.sort((a, b) => a - b)[values.length >> 1];
}

async function runJob(network, mode, profileFolder) {
  const execArgv = profileFolder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileFolder}`];
  const coordinator = await startProcess('service.mjs', {}, { execArgv });
  const { url } = coordinator.hello;
  const worker = await startProcess('worker.mjs', { url });
  try {
    await coordinator.ask('watch');
    const job = await submit(url, network, mode);
    for (;;) {
      const { state, reason } = await (await fetch(`${url}/api/jobs/${job}`)).json();
      if (state === 'done') return await coordinator.ask('figures');
      if (state !== 'running') throw new Error(`the job is ${state}: ${reason}`);
      await pause(20);
    }
  } finally {
    await worker.end();
    await coordinator.end();
  }
}

async function submit(url, network, mode) {
  const options = {
    mode,
    epsilon: mode === 'exact' ? 0 : 0.01,
    rule: 'fewest',
    seed: 1n,
    gridBits: mode === 'exact' ? 8 : 24,
    copies: 'auto',
    biasInit: 'uniform',
    failureProbability: 1e-3,
    inputRange: [0, 1],
  };
  const query = new URLSearchParams({ name: 'loop', options: JSON.stringify(planOptionsToJson(options)) });
  const response = await fetch(`${url}/api/jobs?${query}`, { method: 'POST', body: network });
  const answer = await response.json();
  if (!response.ok) throw new Error(JSON.stringify(answer));
  return answer.job;
}
