/**
 * One job from its stored request to its sealed ticket:
 *
 *     network blob ─ plan ─ construct through the ledger ─ ticket blob ─ read back, decode, verify ─ summary blob
 *                                    └─ repair what does not verify ─┘
 *
 * Everything in it can be repeated: a job that is interrupted anywhere runs again from the start and finds its tiles committed.
 */
import { failure } from '../../src/core/errors.ts';
import { decodeNetwork, networkDigest } from '../../src/core/format/network-file.ts';
import { decodeTicket, encodeTicket } from '../../src/core/format/ticket-file.ts';
import { jobRepairsMax } from '../../src/core/limits.ts';
import type { Network } from '../../src/core/network/network.ts';
import { makePlan } from '../../src/core/plan/make-plan.ts';
import type { Plan } from '../../src/core/plan/plan.ts';
import { predictedMisses } from '../../src/core/plan/predicted-misses.ts';
import type { Solver } from '../../src/core/plan/tile.ts';
import type { TileSize } from '../../src/core/plan/tiles.ts';
import { type Construction, construct, type TileStore } from '../construct.ts';
import type { TileObserver } from '../tile-observer.ts';
import { type JobProgress, ProgressTracker } from './job-progress.ts';
import type { JobRequest } from './job-request.ts';
import { encodeJobResult, type JobSummary, type SealedTicket } from './job-result.ts';
import { committedTileStore, type JobTiles, jobSolver, repairingSolver } from './job-solver.ts';
import type { JobStore } from './job-store.ts';
import type { JobVerifier } from './job-verifier.ts';
import { keptPlan } from './kept-plan.ts';
import type { LedgerPort } from './ledger-port.ts';

/** What a job is doing. */
export type JobPhase = 'planning' | 'solving' | 'verifying' | 'repairing';

/** What jobs run with. */
export interface JobEnvironment {
  readonly store: JobStore;
  readonly ledger: LedgerPort;
  /** Runs the planner's probes: the coordinator's own threads. */
  readonly planSolver: Solver;
  /** Returns who sees the job's tiles while they are solved. */
  readonly tileObserver?: (job: string) => TileObserver;
  /** If not as plan/tiles.ts has it. Another one than before makes a job begin anew. */
  readonly tileSize?: TileSize | undefined;
}

/** One run of a job. */
export interface JobRun {
  readonly job: string;
  readonly priority: number;
  readonly request: JobRequest;
  readonly signal: AbortSignal;
  /** Called with every change of phase or progress. */
  readonly onProgress: (phase: JobPhase, progress: JobProgress | null) => void;
}

/** What a run needs to construct. */
interface Work {
  readonly environment: JobEnvironment & { readonly verifier: JobVerifier };
  readonly run: JobRun;
  readonly network: Network;
  readonly plan: Plan;
  readonly tracker: ProgressTracker;
}

/**
 * Returns the text for StoredJob.result once ticket and summary are stored.
 * @throws DeadTile, StoreTrouble, the signal's reason, or TombolaError (failure) when the job cannot be done.
 */
export async function runJob(environment: Work['environment'], run: JobRun): Promise<string> {
  const start = performance.now();
  run.onProgress('planning', null);
  const network = await readNetwork(environment.store, run.request);
  const plan = await keptPlan(environment.store, run.job, () =>
    makePlan(network, run.request.options, abortable(environment.planSolver, run.signal)),
  );
  const planned = performance.now();
  const tracker = new ProgressTracker(plan, network, planned);
  const work = { environment, run, network, plan, tracker };
  let construction = await constructOnce(work, null);
  const solved = performance.now();
  for (let repairs = 0; ; repairs++) {
    const { sealed, fault } = await seal(work, construction);
    if (fault === null) {
      const seconds = {
        plan: (planned - start) / 1000,
        solve: (solved - planned) / 1000,
        verify: (performance.now() - solved) / 1000,
      };
      return storeSummary(work, sealed, seconds);
    }
    let repaired = 0;
    if (repairs < jobRepairsMax) construction = await constructOnce(work, () => repaired++);
    if (repaired === 0)
      throw failure(
        `Cannot seal the ticket: ${fault}, expected every residual to hold; its tiles verify one by one or cannot be repaired, so report this as a bug`,
      );
  }
}

async function readNetwork(store: JobStore, { networkBlob, targetSha256 }: JobRequest): Promise<Network> {
  const bytes = await store.readBlob(networkBlob);
  if (bytes === undefined)
    throw failure(
      `Cannot read the job's network: blob ${networkBlob} is missing or damaged, expected what was submitted; submit the job again`,
    );
  const network = decodeNetwork(bytes);
  const digest = networkDigest(network);
  if (digest !== targetSha256)
    throw failure(`Cannot use the job's network: its digest is ${digest}, expected ${targetSha256}`);
  return network;
}

/**
 * Constructs the ticket from what is committed and what the ledger has solved.
 * @param onRepair null: committed results are taken as they are. Otherwise each is checked in full first, and this is told of
 * those that had to be solved anew.
 */
async function constructOnce(work: Work, onRepair: (() => void) | null): Promise<Construction> {
  const { environment, run, plan, network, tracker } = work;
  const { store, ledger, verifier, tileSize, tileObserver } = environment;
  const { job, signal } = run;
  const committed = await store.committedTiles(job);
  // When one tile's failure ends the construction, the others must not go on asking.
  const ending = new AbortController();
  const tiles: JobTiles = { job, store, ledger, committed, signal: AbortSignal.any([signal, ending.signal]) };
  const remove = (): void => ledger.removeJob(job);
  const phase = onRepair === null ? 'solving' : 'repairing';
  run.onProgress(phase, tracker.read(performance.now()));
  signal.throwIfAborted();
  ledger.addJob(job, run.priority);
  tiles.signal.addEventListener('abort', remove, { once: true });
  try {
    return await construct(plan, network, {
      solver: onRepair === null ? jobSolver(tiles) : repairingSolver(tiles, { verifier, onRepair }),
      store: onRepair === null ? committedTileStore(tiles) : noTiles,
      targetSha256: run.request.targetSha256,
      checkOneIn: 0,
      onEvent: (event) => {
        if (onRepair === null) tracker.see(event, performance.now());
        run.onProgress(phase, tracker.read(performance.now()));
      },
      signal: tiles.signal,
      tileSize,
      ...(onRepair === null && tileObserver !== undefined ? { observer: tileObserver(job) } : {}),
    });
  } finally {
    ending.abort(new Error('the construction has ended'));
  }
}

const noTiles: TileStore = {
  read: () => Promise.resolve(undefined),
  write: () => Promise.resolve(),
};

/** Stores the ticket, reads it back, and checks every residual of what was read. */
async function seal(
  { environment, run, network, tracker }: Work,
  construction: Construction,
): Promise<{ sealed: SealedTicket; fault: string | null }> {
  const { store, verifier } = environment;
  tracker.finish();
  run.onProgress('verifying', tracker.read(performance.now()));
  const sha256 = await store.putBlob(encodeTicket(construction.ticket));
  const bytes = await store.readBlob(sha256);
  if (bytes === undefined)
    throw failure(`Cannot read back the ticket: blob ${sha256} is damaged, check the coordinator's disk`);
  const { ticket, changedTensors } = decodeTicket(bytes);
  const { targetSha256 } = run.request;
  const verdict = await verifier.ticket({ ticket, network, targetSha256 }, run.signal);
  const changed = changedTensors.length > 0 ? `changed tensors ${changedTensors.join(', ')}` : null;
  return { sealed: { bytes, sha256, construction, verdict }, fault: verdict.fault ?? changed };
}

async function storeSummary(
  { environment, run, plan, network }: Work,
  { bytes, sha256, construction, verdict }: SealedTicket,
  seconds: JobSummary['seconds'],
): Promise<string> {
  const summary: JobSummary = {
    job: run.job,
    name: run.request.name,
    ticketSha256: sha256,
    ticketBytes: bytes.length,
    targetSha256: run.request.targetSha256,
    missedRows: construction.missedRows,
    predictedMisses: predictedMisses(plan, network),
    missingCopies: construction.missingCopies,
    verdict,
    seconds,
  };
  const text = `${JSON.stringify(summary, null, 2)}\n`;
  const summaryBlob = await environment.store.putBlob(new TextEncoder().encode(text));
  return encodeJobResult({ ticketBlob: sha256, ticketBytes: bytes.length, summaryBlob });
}

/** The planner cannot be stopped, but it asks its solver often. */
function abortable(solver: Solver, signal: AbortSignal): Solver {
  return {
    concurrency: solver.concurrency,
    solve: async (problem, tile) => {
      signal.throwIfAborted();
      return solver.solve(problem, tile);
    },
  };
}
