/** The jobs that scenarios run, and what must come of them. */
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { encodeNetwork } from '../../src/core/format/network-file.ts';
import type { Network } from '../../src/core/network/network.ts';
import type { PlanOptions } from '../../src/core/plan/make-plan.ts';
import { activationStep, denseLayer } from '../support/evaluation-networks.ts';
import { defaultOptions, kernelSolver, searchInProcess } from '../support/in-process-search.ts';
import { submitJob, ticketOf } from '../support/job-client.ts';

/** A job and the digest of the ticket it gives on one machine. */
export interface ChaosJob {
  readonly network: Uint8Array;
  readonly options: PlanOptions;
  readonly sha256: string;
}

/** Blocks per tile in all scenarios: tiles of about ten milliseconds. */
export const tileSize = { kind: 'blocks', blocks: 100 } as const;

/** Returns a job of some hundred tiles, and its ticket's digest by the in-process search; `seed` makes different ones. */
export async function makeJob(seed: number, hidden = 100): Promise<ChaosJob> {
  const relu = activationStep({ kind: 'relu' });
  const network: Network = {
    inputShape: [24],
    inputSteps: [],
    layers: [denseLayer(24, hidden, [relu]), denseLayer(hidden, 4)],
  };
  const options: PlanOptions = { ...defaultOptions, epsilon: 1e-3, rule: 'closest', seed: BigInt(seed) };
  const { bytes } = await searchInProcess(network, options, await kernelSolver());
  // The search has kept this thread for seconds: requests must not go out on connections that were closed meanwhile.
  await delay(10);
  return { network: encodeNetwork(network), options, sha256: sha256Of(bytes) };
}

/** Submits the job; returns its id. */
export function submit(url: string, { network, options }: ChaosJob): Promise<string> {
  return submitJob(url, { network, options });
}

/** Waits for the ticket and throws unless it is the one that one machine gives. */
export async function checkTicket(url: string, job: string, { sha256 }: ChaosJob): Promise<string> {
  const found = sha256Of(await ticketOf(url, job));
  if (found !== sha256)
    throw new Error(`WRONG: the ticket of job ${job} has SHA-256 ${found}, expected ${sha256}`);
  return found;
}

function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
