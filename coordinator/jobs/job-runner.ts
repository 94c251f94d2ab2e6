/** Who runs jobs: this thread, or threads of their own (thread-runner.ts). */
import { decodeNetwork, networkDigest } from '../../src/core/format/network-file.ts';
import type { JobVerifier } from './job-verifier.ts';
import { type JobEnvironment, type JobRun, runJob } from './run-job.ts';

/** Runs jobs. */
export interface JobRunner {
  /** Returns the networkDigest of a network file. @throws TombolaError (failure) when it is none. */
  digestOf(network: Uint8Array): Promise<string>;
  /** Does what {@link runJob} does. When the signal aborts, it rejects as soon as nothing is being stored any more. */
  run(environment: JobEnvironment, run: JobRun): Promise<string>;
}

/** Returns a runner that computes on the caller's thread, for tests. */
export function localRunner(verifier: JobVerifier): JobRunner {
  return {
    digestOf: async (network) => networkDigest(decodeNetwork(network)),
    run: (environment, run) => runJob({ ...environment, verifier }, run),
  };
}
