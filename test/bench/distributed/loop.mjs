/**
 * How long the coordinator's event loop is away while one worker solves a job, from its submission to its sealed ticket: while it
 * is away no heartbeat is answered and no other job's result taken.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { loadTarget } from '../../../dist/src/cli/load-target.js';
import { defaultOptions } from '../default-options.mjs';
import { median } from '../measure.mjs';
import { pause, startProcess, submitJob } from './processes.mjs';
import { profileText } from './profile.mjs';

const target = fileURLToPath(new URL('../../../../shared/targets/mlp-300-100-relu.onnx', import.meta.url));
const goalMs = 50;
const optionsOf = {
  tolerance: defaultOptions,
  exact: { ...defaultOptions, mode: 'exact', epsilon: 0, gridBits: 8 },
};

/** Runs the group. */
export async function loop({ runs, note, profileFolder }) {
  if (!existsSync(target)) return [{ name: 'skipped: ../shared/targets is not here', value: 0 }];
  const { network } = loadTarget(target);
  const rows = [];
  for (const mode of Object.keys(optionsOf)) {
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

async function runJob(network, mode, profileFolder) {
  const execArgv =
    profileFolder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileFolder}/service`];
  const coordinator = await startProcess('service.mjs', {}, { execArgv });
  const { url } = coordinator.hello;
  const worker = await startProcess('worker.mjs', { url });
  try {
    await coordinator.ask('watch');
    const job = await submitJob(url, { name: 'loop', network, options: optionsOf[mode] });
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
