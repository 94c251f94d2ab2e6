/** The jobs of the scenarios with several gateways. */
import { type ChaosJob, makeJob } from '../jobs.ts';

/** Returns three jobs of a tile for each hidden neuron, and some. */
export async function makeJobs(seed: number, hidden = 400): Promise<readonly [ChaosJob, ChaosJob, ChaosJob]> {
  return [await makeJob(seed, hidden), await makeJob(seed + 1, hidden), await makeJob(seed + 2, hidden)];
}
