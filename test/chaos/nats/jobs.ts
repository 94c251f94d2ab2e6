/** The jobs of the scenarios with several gateways. */
import { type ChaosJob, makeJob } from '../jobs.ts';

/** Returns jobs, of a tile for each hidden neuron and some. */
export async function makeJobs(
  seed: number,
  { count = 3, hidden = 400 } = {},
): Promise<readonly [ChaosJob, ...ChaosJob[]]> {
  const jobs: [ChaosJob, ...ChaosJob[]] = [await makeJob(seed, hidden)];
  while (jobs.length < count) jobs.push(await makeJob(seed + jobs.length, hidden));
  return jobs;
}
