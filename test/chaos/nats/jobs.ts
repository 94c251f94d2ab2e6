/** The jobs of the scenarios with several gateways. */
import { type ChaosJob, makeJob } from '../jobs.ts';

/** Returns three jobs of some four hundred tiles each. */
export async function makeJobs(seed: number): Promise<readonly [ChaosJob, ChaosJob, ChaosJob]> {
  return [await makeJob(seed, 400), await makeJob(seed + 1, 400), await makeJob(seed + 2, 400)];
}
