/**
 * Runs each job on a thread of its own, and answers what it calls for (job-thread-messages.ts): planning, cutting tiles, merging and
 * sealing take seconds, and a coordinator that does not answer heartbeats for as long loses its workers.
 */
import { Worker } from 'node:worker_threads';
import { failure } from '../../src/core/errors.ts';
import type { LayerProblem } from '../../src/core/plan/tile.ts';
import { ownedBuffer } from '../owned-buffer.ts';
import type { TileObserver } from '../tile-observer.ts';
import { encodeJobRequest } from './job-request.ts';
import type { JobRunner } from './job-runner.ts';
import type {
  FromThread,
  ThreadCall,
  ThreadCalls,
  ThreadNote,
  ThreadStart,
  ToThread,
} from './job-thread-messages.ts';
import type { JobEnvironment, JobRun } from './run-job.ts';
import { errorOf, plainError } from './thread-errors.ts';

/** Returns a runner whose jobs verify their tickets with `verifyThreads` threads each. */
export function threadRunner({ verifyThreads }: { readonly verifyThreads: number }): JobRunner {
  return {
    digestOf: (network) =>
      runThread({ kind: 'digest', network }, { signal: null, onMessage: () => undefined }),
    run: async (environment, run) => {
      const { job, priority, signal } = run;
      const desk = new Desk(environment, run);
      const start: ThreadStart = {
        kind: 'run',
        job,
        priority,
        request: encodeJobRequest(run.request),
        tileSize: environment.tileSize,
        planConcurrency: environment.planSolver.concurrency,
        verifyThreads,
        isObserved: environment.tileObserver !== undefined,
      };
      try {
        return await runThread(start, { signal, onMessage: (...message) => desk.take(...message) });
      } finally {
        environment.ledger.removeJob(job);
        await desk.idle();
      }
    },
  };
}

/** Answers one thread. */
class Desk {
  private readonly environment: JobEnvironment;
  private readonly run: JobRun;
  private readonly calls: ThreadCalls;
  /** Calls of the store under way: nothing of a job may be written after its run is over. */
  private readonly storing = new Set<Promise<unknown>>();
  private problem: LayerProblem | undefined;
  private observer: TileObserver | undefined;

  constructor(environment: JobEnvironment, run: JobRun) {
    this.environment = environment;
    this.run = run;
    this.calls = {
      ...environment.store,
      solve: (problem, tile) => environment.planSolver.solve(problem, tile),
      addTile: (problemDigest, tile) =>
        environment.ledger.addTile(run.job, { problem: this.layer(), problemDigest, tile }),
    };
  }

  take(message: ThreadCall | ThreadNote, reply: (message: ToThread, transfer?: ArrayBuffer[]) => void): void {
    if (message.kind !== 'call') {
      this.note(message);
      return;
    }
    const { id, name } = message;
    const answer = this.answer(message).then(
      (value) => {
        const isHandedOver = name === 'readBlob' && value instanceof Uint8Array;
        reply({ kind: 'answer', id, value }, isHandedOver ? ownedBuffer(value) : []);
      },
      (error: unknown) => reply({ kind: 'refusal', id, error: plainError(error) }),
    );
    if (name === 'addTile') reply({ kind: 'taken', id });
    if (!(name in this.environment.store)) return;
    this.storing.add(answer);
    answer.finally(() => this.storing.delete(answer));
  }

  /** Resolves when nothing is being stored. */
  async idle(): Promise<void> {
    await Promise.all(this.storing);
  }

  private async answer({ name, args }: ThreadCall): Promise<unknown> {
    const call = this.calls[name] as (...args: readonly unknown[]) => Promise<unknown>;
    return call(...args);
  }

  private note(note: ThreadNote): void {
    const { environment, run } = this;
    switch (note.kind) {
      case 'add-job':
        environment.ledger.addJob(run.job, run.priority);
        return;
      case 'remove-job':
        environment.ledger.removeJob(run.job);
        return;
      case 'layer':
        this.problem = note.problem;
        return;
      case 'progress':
        run.onProgress(note.phase, note.progress);
        return;
      case 'observed':
        this.observer = environment.tileObserver?.(run.job);
        return;
      case 'begun':
        this.observer?.begun(note.layer);
        return;
      case 'cut':
        this.observer?.cut(note.layer, note.tileIds);
        return;
      case 'done':
        this.observer?.done(note.layer, { ...note.solved, problem: this.layer() });
        return;
      default:
        throw new Error(`Broken invariant: no note is of kind ${JSON.stringify(note satisfies never)}`);
    }
  }

  private layer(): LayerProblem {
    if (this.problem === undefined) throw new Error('Broken invariant: a layer is noted before its tiles');
    return this.problem;
  }
}

/** Returns what the thread ends with. It is ended at once when the signal aborts: all that it does can be repeated. */
async function runThread(
  start: ThreadStart,
  {
    signal,
    onMessage,
  }: {
    readonly signal: AbortSignal | null;
    readonly onMessage: (
      message: ThreadCall | ThreadNote,
      reply: (message: ToThread, transfer?: ArrayBuffer[]) => void,
    ) => void;
  },
): Promise<string> {
  signal?.throwIfAborted();
  const worker = new Worker(threadEntry(), { workerData: start });
  let stop = (): void => undefined;
  try {
    return await new Promise<string>((resolve, reject) => {
      stop = () => reject(signal?.reason);
      signal?.addEventListener('abort', stop, { once: true });
      worker.on('message', (message: FromThread) => {
        if (message.kind === 'ended') resolve(message.text);
        else if (message.kind === 'failed') reject(errorOf(message.error));
        else onMessage(message, (answer, transfer = []) => worker.postMessage(answer, transfer));
      });
      worker.on('messageerror', reject);
      worker.on('error', (error) => reject(threadError(error)));
      worker.on('exit', (code) => reject(new Error(`the job's thread ended with ${code}`)));
    });
  } finally {
    signal?.removeEventListener('abort', stop);
    await worker.terminate();
  }
}

function threadError(error: Error): Error {
  if (!('code' in error) || error.code !== 'ERR_WORKER_OUT_OF_MEMORY') return error;
  return failure(
    'Cannot run the job: it needs more memory than the coordinator may use; start that with NODE_OPTIONS=--max-old-space-size=MEGABYTES',
    error,
  );
}

/** Threads load JavaScript. Run from its TypeScript source, as tests do, this file lies two folders below the repository root. */
function threadEntry(): URL {
  const place = import.meta.url.endsWith('.ts')
    ? '../../dist/coordinator/jobs/job-thread.js'
    : './job-thread.js';
  return new URL(place, import.meta.url);
}
